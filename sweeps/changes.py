"""What is done to a sweep as a whole: resume, extend, fork, stop, delete."""

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Any

from iwae.errors import ConfigError
from sweeps.display import Display
from sweeps.plan.plan import extend_plan
from sweeps.result import SweepResult
from sweeps.runner import resume_sweep, run_sweep
from sweeps.spec.assignments import assign
from sweeps.spec.spec import SweepSpec, differences, new_spec
from sweeps.spec.surroundings import with_data_found
from tracking.errors import RecordError
from tracking.files.files import Files
from tracking.files.places import open_storage
from tracking.records.records import PlannedTrial
from tracking.storage.sessions import live_session, refuse_if_live
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

STOP_PATIENCE_SECONDS = 60.0
_log = logging.getLogger(__name__)


def resume(
    storage: SweepStorage,
    store: RunStore,
    assignments: Sequence[str],
    *,
    address: str | None = None,
    retry_failed: bool = False,
    display: Display | None = None,
) -> SweepResult:
    """Go on with a sweep; budget, resources and tracking may change, the rest of the spec may not.

    Raises:
        ConfigError: an assignment changes what may not change.
    """
    new = resumed_spec(storage, assignments)
    return resume_sweep(new, storage, store, address=address, retry_failed=retry_failed, display=display)


def resumed_spec(storage: SweepStorage, assignments: Sequence[str]) -> SweepSpec:
    """The spec that `resume` goes on with; as `resumed_from`."""
    return resumed_from(storage.spec(), assignments)


def resumed_from(spec: Mapping[str, Any], assignments: Sequence[str]) -> SweepSpec:
    """A sweep's spec with what may change on resume.

    Raises:
        ConfigError: an assignment changes what may not change.
    """
    old = SweepSpec.parse(spec)
    new = SweepSpec.parse(assign(spec, assignments))
    if changed := differences(old, new):
        raise ConfigError(
            changed[0],
            f"cannot change on resume: must be as the sweep began (`sweeps extend {old.name}` adds seeds,"
            " grid values and trials; another --name starts a new sweep)",
        )
    return new


def extend(
    storage: SweepStorage,
    store: RunStore,
    assignments: Sequence[str],
    *,
    address: str | None = None,
    display: Display | None = None,
) -> SweepResult:
    """Add seeds, grid values or trials to a sweep and run them; what is done stays done.

    Raises:
        ConfigError: the extended spec is wrong, or would lose a trial.
    """
    refuse_if_live(storage)
    new, plan = extended(storage, assignments)
    return resume_sweep(new, storage, store, address=address, plan=plan, display=display)


def extended(storage: SweepStorage, assignments: Sequence[str]) -> tuple[SweepSpec, list[PlannedTrial]]:
    """The spec and the plan that `extend` goes on with; raises as it does."""
    spec = storage.spec()
    new = SweepSpec.parse(with_data_found(assign(spec, assignments), begun=True))
    if SweepSpec.parse(spec).extent.ranks:
        new.extent.refuse_few_samples()
    if new.name != storage.name:
        raise ConfigError("name", f"{new.name} is not allowed: must be {storage.name}, as the sweep began")
    return new, extend_plan(storage.plan(), new)


def fork(
    run_id: str,
    store: RunStore,
    files: Files,
    assignments: Sequence[str],
    *,
    name: str | None,
    address: str | None = None,
    display: Display | None = None,
) -> SweepResult:
    """A new one-trial sweep from a run's configuration.

    Args:
        run_id: of a trial's run.
        store: the tracking store that has it.
        files: the storage of the new sweep.
        assignments: ``path=value`` of the TrainConfig, for example ``objective.num_samples=50``; a path of
            a spec's base is taken too.
        name: of the new sweep; by default the old one's with ``-fork`` and a number.
        address: of a Ray cluster; None starts Ray on this machine.
        display: shows what goes on; None shows nothing.
    """
    origin, key, where = store.find_trial(run_id)
    storage = SweepStorage(open_storage(where), origin)
    planned = next((trial for trial in storage.plan() if trial.key == key), None)
    if planned is None:
        raise RecordError(f"run {run_id} is trial {key[:12]} of {origin}, which {storage.uri} does not hold")
    config = assign(planned.config.to_dict(), [item.removeprefix("base.") for item in assignments])
    for field in ("device", "threads"):
        config.pop(field, None)
    seed = config.pop("seed")
    old = storage.spec()
    document: dict[str, Any] = {
        "name": name or _free_name(f"{origin}-fork", files, store),
        "base": config,
        "search": {"metric": "val/nll_final", "space": {}, "sampler": {"name": "grid"}, "seeds": [seed]},
        **{part: old[part] for part in ("resources", "checkpoint_every") if part in old},
        # Beside the run it came from, wherever the spec of that says that it is.
        "tracking": {**old.get("tracking", {}), "experiment": store.experiment_of(origin).name},
    }
    return run_sweep(
        new_spec(with_data_found(document, begun=True)), files, store, address=address, display=display
    )


def _free_name(stem: str, files: Files, store: RunStore) -> str:
    number = 1
    while SweepStorage(files, f"{stem}-{number}").exists or store.find_sweep(f"{stem}-{number}"):
        number += 1
    return f"{stem}-{number}"


def stop(storage: SweepStorage, seconds: float = STOP_PATIENCE_SECONDS) -> bool:
    """Ask a running sweep to stop, through storage, and wait until it has.

    Args:
        storage: the sweep.
        seconds: to wait; 0 asks and does not wait.

    Returns:
        Whether it stopped, or was asked to; False when nobody was running it.

    Raises:
        RecordError: no such sweep, or the driver does not answer.
    """
    storage.spec()
    if live_session(storage) is None:
        return False
    storage.request_stop("stopped by `sweeps stop`")
    _log.info(f"asked {storage.name} to stop: every trial writes a checkpoint first")
    deadline = time.monotonic() + seconds
    while seconds and live_session(storage) is not None:
        if time.monotonic() > deadline:
            session = live_session(storage) or {}
            raise RecordError(
                f"{storage.name} did not stop in {seconds:g} s:"
                f" end process {session.get('pid')} on {session.get('hostname')}, then `sweeps resume`"
            )
        time.sleep(0.5)
    return True
