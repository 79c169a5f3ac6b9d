"""Early stopping: the scheduler section of a spec -> Ray Tune's scheduler.

Trials are compared at the same epoch by ``val/nll``, a curve over few samples and few images (models without
a likelihood by ``val/reconstruction_mse``). Few samples
flatter small K, so early stopping over K prefers small K at the margin; what survives is ranked by
``val/nll_final``.
"""

import math
from typing import Any

from ray.tune.schedulers import (
    AsyncHyperBandScheduler,
    FIFOScheduler,
    MedianStoppingRule,
    TrialScheduler,
)

from sweeps.spec.early_stopping import AshaScheduler, MedianScheduler
from sweeps.spec.spec import SweepSpec

TIME = "epoch"

# While there are too few trials to compare with, Ray's median rule would pause and swap them at every epoch.
_NEVER: Any = math.inf


def ray_scheduler(spec: SweepSpec) -> TrialScheduler:
    """The scheduler of a sweep; metric (``score``) and mode (``min``) come from Tune's own configuration.

    Every report holds ``epoch`` and ``score``. Rungs fall on evaluated epochs: the first is a multiple of
    ``evaluation.every`` and the others are whole multiples of it. ASHA stops every trial at its last epoch,
    which is after the final evaluation, because that belongs to the last report.
    """
    scheduler: Any = spec.scheduler
    if isinstance(scheduler, AshaScheduler):
        return AsyncHyperBandScheduler(
            time_attr=TIME,
            max_t=spec.base.num_epochs,
            grace_period=spec.grace_epochs,
            reduction_factor=scheduler.reduction_factor,
            brackets=scheduler.brackets,
        )
    if isinstance(scheduler, MedianScheduler):
        return MedianStoppingRule(
            time_attr=TIME,
            grace_period=spec.grace_epochs,
            min_samples_required=scheduler.min_trials,
            min_time_slice=_NEVER,
        )
    return FIFOScheduler()  # type: ignore[no-untyped-call]
