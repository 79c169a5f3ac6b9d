"""What Ray hands to a worker: it proves that the worker's code is the driver's, then imports the trial.

Ray sends this module and the two that it imports from by value, so that nothing on a worker's disk can stand
in for them.
"""

import importlib
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from ray import cloudpickle, tune

from sweeps.process import imports
from sweeps.process.imports import take
from sweeps.worker.outcomes import NO_SCORE_YET, OTHER_CODE, SCORE
from tracking.provenance import sources
from tracking.provenance.sources import PACKAGES, changed, digest, listed, manifest


def trainable() -> type[tune.Trainable]:
    """The Trainable for Tune, with what this process's sources are.

    Raises:
        RecordError: this process's packages do not come from one folder.
    """
    return type("IwaeWorker", (ProvenTrial,), {"driver": sources_by_value()})


def sources_by_value() -> dict[str, str]:
    """The manifest of this process's sources; Ray sends these modules by value from now on.

    Raises:
        RecordError: this process's packages do not come from one folder.
    """
    for module in (sys.modules[__name__], imports, sources):
        cloudpickle.register_pickle_by_value(module)  # type: ignore[no-untyped-call]
    return dict(sources.of_this_process())


def probed(
    driver: Mapping[str, str], configs: str, device: str, threads: int, most_seconds: float
) -> list[dict[str, Any]] | str:
    """What shapes take, measured in a worker, as plain data; or why it cannot be measured.

    Args:
        driver: the manifest of the driver's sources.
        configs: a list of configurations as JSON.
        device: see `sweeps.worker.probe.probe`.
        threads: see there.
        most_seconds: see there.
    """
    if (why := refusal(driver)) is not None:
        return why
    from iwae.config.train import TrainConfig
    from iwae.errors import SweepError
    from sweeps.worker.probe import probe

    parsed = [TrainConfig.parse(one) for one in json.loads(configs)]
    try:
        return [one.to_dict() for one in probe(parsed, device, threads, most_seconds)]
    except SweepError as error:
        return str(error)


class ProvenTrial(tune.Trainable):
    """Runs a `TrialGroup` once the code was proven; else each trial ends with the reason.

    Attributes:
        driver: the manifest of the driver's sources.
    """

    driver: ClassVar[Mapping[str, str]] = {}

    def setup(self, config: dict[str, Any]) -> None:
        """Prove the code, once a process, and begin its first trials."""
        self._group: Any = None
        self._refused = refusal(self.driver)
        if self._refused is None:
            from sweeps.worker.group import TrialGroup
            from sweeps.worker.options import TrialOptions

            options = TrialOptions.from_dict(config["options"], digest(self.driver))
            self._group = TrialGroup(options, _planned(config), config["slots"])

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Begin the next trials in the same process."""
        if self._group is not None:
            self._group.begin_next(_planned(new_config), new_config["slots"])
        return True

    def step(self) -> dict[str, Any]:
        """Train one epoch."""
        if self._group is not None:
            result: dict[str, Any] = self._group.step()
            return result
        return {
            "epoch": 0,
            SCORE: NO_SCORE_YET,
            "outcome": OTHER_CODE,
            "error": self._refused,
            "trials": [],
            "over": True,
            "done": True,
        }

    def cleanup(self) -> None:
        """Keep what a pruned trial has, when the scheduler ends it or the actor goes."""
        if self._group is not None:
            self._group.cleanup()

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Nothing: storage has it."""

    def load_checkpoint(self, checkpoint: dict[str, Any] | None) -> None:
        """Nothing: `step` takes up the newest unit in storage."""


def _planned(config: Mapping[str, Any]) -> Any:
    """The trials in Tune's configuration; their class is imported once the code is proven."""
    from tracking.records.records import PlannedTrial

    return [PlannedTrial.from_json(one) for one in config["planned"]]


def refusal(driver: Mapping[str, str]) -> str | None:
    """Why this process cannot run the driver's code, in one line; None when it imported that and no other."""
    copies = [
        path for path in map(Path, sys.path) if all((path / n / "__init__.py").is_file() for n in PACKAGES)
    ]
    found: list[Mapping[str, str]] = [manifest(path) for path in copies]
    where = f"a worker on {socket.gethostname()}"
    if not found:
        return f"{where} has no copy of the driver's code on its path"
    if driver not in found:
        differs = listed(changed(driver, found[0]))
        return f"{where} has other code than the driver: {differs} in {copies[0]}"
    try:
        take(PACKAGES, copies[found.index(driver)])
        importlib.import_module("sweeps.worker.group")
    except Exception as error:
        why = f"{type(error).__name__}: {' '.join(str(error).split())}"
        return f"{where} cannot import the driver's code: {why}"
    return None
