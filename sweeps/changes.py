"""What a sweep may become: the specs and plans with which `resume`, `extend` and `fork` go on."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from iwae.config.train import TrainConfig
from iwae.errors import ConfigError
from sweeps.plan.plan import extend_plan
from sweeps.spec.assignments import Assignments, assign
from sweeps.spec.spec import SweepSpec, differences, new_spec
from sweeps.spec.surroundings import with_data_found
from tracking.errors import RecordError
from tracking.files.files import Files
from tracking.records.comparable.score import score_of
from tracking.records.records import PlannedTrial
from tracking.storage.sessions import live_session
from tracking.storage.sweep import SweepStorage
from tracking.store import RunStore

STOP_PATIENCE_SECONDS = 60.0
_log = logging.getLogger(__name__)


def resumed_from(spec: Mapping[str, Any], assignments: Assignments) -> SweepSpec:
    """A sweep's spec with what may change on resume: budget, resources and tracking.

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


def extended(storage: SweepStorage, assignments: Assignments) -> tuple[SweepSpec, list[PlannedTrial]]:
    """A sweep's spec and plan with more seeds, grid values or trials; what is planned stays.

    Raises:
        ConfigError: nothing is added, the extended spec is wrong, or it would lose a trial.
    """
    if not assignments:
        raise ConfigError(
            "--set", "missing: must name what is added, for example --set 'search.seeds=[0, 1, 2]'"
        )
    spec = storage.spec()
    new = SweepSpec.parse(with_data_found(assign(spec, assignments), begun=True))
    old = SweepSpec.parse(spec)
    if old.extent.ranks:
        new.extent.refuse_few_samples()
    if new.search.equal_seconds != old.search.equal_seconds:
        raise ConfigError(
            "search.equal_seconds",
            "cannot change: must be as the sweep began (another --name starts a new sweep)",
        )
    if new.name != storage.name:
        raise ConfigError("name", f"{new.name} is not allowed: must be {storage.name}, as the sweep began")
    return new, extend_plan(storage.plan(), new)


def forked_from(
    storage: SweepStorage, planned: PlannedTrial, name: str, experiment: str, assignments: Assignments
) -> SweepSpec:
    """The spec of a new one-trial sweep with a trial's configuration.

    Args:
        storage: the trial's sweep.
        planned: the trial.
        name: of the new sweep.
        experiment: where its runs go.
        assignments: values of the TrainConfig, for example of ``objective.num_samples``; a path of a spec's
            base is taken too.

    Raises:
        ConfigError: the new configuration is not allowed.
    """
    config = assign(planned.config.to_dict(), _without_base(assignments))
    for field in ("device", "threads"):
        config.pop(field, None)
    seed = config.pop("seed")
    old = storage.spec()
    metric = score_of(TrainConfig.parse(config, "base")).final
    document: dict[str, Any] = {
        "name": name,
        "base": config,
        "search": {
            "metric": metric,
            "space": {},
            "sampler": {"name": "grid"},
            "seeds": [seed],
        },
        **{part: old[part] for part in ("resources", "checkpoint_every") if part in old},
        # Beside the run it came from, wherever the spec of that says that it is.
        "tracking": {**old.get("tracking", {}), "experiment": experiment},
    }
    return new_spec(with_data_found(document, begun=True))


def _without_base(assignments: Assignments) -> Assignments:
    if isinstance(assignments, Mapping):
        return {path.removeprefix("base."): value for path, value in assignments.items()}
    return [item.removeprefix("base.") for item in assignments]


def free_name(stem: str, files: Files, store: RunStore) -> str:
    """``stem`` with the first number that makes it a new name in a storage and a tracking store."""
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
        Whether it stopped, or was asked to; False when no driver was running it.

    Raises:
        RecordError: no such sweep, or the driver does not answer.
    """
    storage.spec()
    if live_session(storage) is None:
        return False
    storage.request_stop("stopped by `sweeps stop`")
    _log.info(f"asked {storage.name} to stop: every trial writes a checkpoint first")
    deadline = time.monotonic() + seconds
    while seconds and (session := live_session(storage)) is not None:
        if time.monotonic() > deadline:
            raise RecordError(
                f"{storage.name} did not stop in {seconds:g} s:"
                f" end process {session.pid} on {session.hostname}, then `sweeps resume`"
            )
        time.sleep(0.5)
    return True
