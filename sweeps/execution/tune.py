"""Gives a plan's pending trials to Ray Tune and waits for them."""

import logging
import tempfile

from iwae.errors import SweepError
from sweeps.execution.packs import Packing, in_words
from sweeps.execution.progress import Board
from sweeps.spec.spec import SweepSpec
from sweeps.worker.options import TrialOptions
from sweeps.worker.outcomes import SCORE
from tracking.records.records import PlannedTrial, SweepRecord
from tracking.storage.sessions import Session

_log = logging.getLogger(__name__)


def run_trials(
    spec: SweepSpec,
    session: Session,
    record: SweepRecord,
    pending: list[PlannedTrial],
    board: Board,
    at_once: int,
) -> str | None:
    """Run the pending trials, of which ``at_once`` fit; returns what failed them all, if something did."""
    from ray import tune
    from ray.exceptions import RayError

    from sweeps.execution.pack_scheduler import PackScheduler
    from sweeps.execution.searcher import PlanSearcher
    from sweeps.plan.samplers import source_for
    from sweeps.plan.schedulers import ray_scheduler
    from sweeps.worker.proven import trainable

    resources = spec.resources
    source = source_for(spec, record) if spec.is_model_based else None
    options = _options(spec, session, record).to_dict()
    # The seeds of what a sampler suggests are a pack: others run at once with other suggestions.
    packing = Packing(resources, 1 if spec.is_model_based else at_once, record.trials)
    if resources.packing != "off" and pending:
        _log.info(f"sweep {spec.name}: trains {in_words(packing.announce(pending))}")
    searcher = PlanSearcher(
        session,
        pending,
        source,
        board,
        options=options,
        retries=spec.retries,
        packing=packing,
        max_concurrent=resources.max_concurrent,
    )
    with tempfile.TemporaryDirectory(prefix="sweeps-tune-") as scratch:
        tuner = tune.Tuner(
            tune.with_resources(trainable(), {"CPU": resources.cpus, "GPU": resources.gpus}),
            tune_config=tune.TuneConfig(
                search_alg=searcher,
                scheduler=PackScheduler(ray_scheduler(spec), searcher),
                num_samples=-1,
                reuse_actors=True,
                metric=SCORE,
                mode="min",
                trial_dirname_creator=lambda trial: str(trial.trial_id),
                trial_name_creator=lambda trial: str(trial.trial_id),
            ),
            run_config=tune.RunConfig(
                name="tune",
                storage_path=scratch,
                verbose=0,
                # The one that it chooses in a notebook clears what the cell has shown.
                progress_reporter=tune.CLIReporter(),
                failure_config=tune.FailureConfig(max_failures=spec.retries),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        try:
            tuner.fit()
        except (RayError, ConnectionError) as error:
            why = " ".join(str(error).split())[:120]
            raise SweepError(
                f"the Ray cluster went away ({why}): when it is back, `sweeps resume {spec.name}`"
            ) from None
    return searcher.trouble


def _options(spec: SweepSpec, session: Session, record: SweepRecord) -> TrialOptions:
    resources, storage = spec.resources, session.storage
    return TrialOptions(
        storage=storage.files.uri,
        sweep=storage.name,
        session=session.number,
        cpus=resources.cpus,
        gpus=resources.gpus,
        device="cuda" if resources.gpus else "cpu",
        threads=max(1, int(resources.cpus)),
        # A scheduler may end a trial at any report: what it was judged by is made durable before.
        checkpoint_every=0.0 if spec.scheduler.name != "none" else spec.checkpoint_every,
        keep=spec.keep_checkpoints,
        figures=spec.tracking.figures,
        shrink_retries=spec.shrink_retries,
        early_stopping=spec.scheduler.name != "none",
        data=tuple(record.data),
    )
