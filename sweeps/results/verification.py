"""What `Sweep.verify` found."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore
from tracking.verification.fault import Fault
from tracking.verification.repair import repair_sweep
from tracking.verification.runs import verify

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Verification:
    """The faults of a sweep.

    Attributes:
        faults: each with the trial's key, None where it concerns the sweep, and what is wrong.
        mended: what ``repair`` mended, in a line each.
    """

    faults: tuple[Fault, ...]
    mended: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether there is no fault."""
        return not self.faults


def verified(
    storage: SweepStorage,
    store: RunStore,
    *,
    repair: bool = False,
    looked_at: Callable[[int], None] = lambda trials: None,
) -> Verification:
    """Verify a sweep, after bringing MLflow to what storage holds where that is asked for.

    Args:
        storage: the sweep.
        store: where it is recorded, open.
        repair: mend first, and publish a report that is missing.
        looked_at: is given, now and then, the number of trials that were compared.

    Raises:
        RecordError: ``repair`` while a driver works on the sweep.
    """
    mended = tuple(repair_sweep(storage, store)) if repair else ()
    for line in mended:
        _log.info("mended: %s", line)
    faults = tuple(verify(storage, store, looked_at))
    if repair and not faults:
        from tracking.publish import publish_if_missing  # with all that draws

        publish_if_missing(storage.record(), storage, store)
    if storage.instance is None:
        _log.warning(
            "%s was made before files had hashes: not all that was altered in its storage can be found",
            storage.name,
        )
    return Verification(faults, mended)
