"""Seconds that are a trial's own: what its steps take where it has a machine to itself."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from iwae.config.train import TrainConfig
from tracking.records.shapes import ShapeProbe

# What a step's seconds depend on, beside the machine.
_PARTS = {"data", "model", "objective", "batch_size"}


def shape_of(config: TrainConfig) -> str:
    """A hash of what a training step's seconds depend on: data, model, objective and batch size.

    Where the first epoch is the whole fit its seconds are shared out over the epochs: then on these too.
    """
    parts = _PARTS | {"num_epochs"} if config.model.closed_form else _PARTS
    values = config.model_dump(mode="json", exclude_defaults=True, include=parts)
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]


def machine_kind(environment: Mapping[str, Any]) -> str:
    """What a step's seconds depend on of a machine: its GPU, or its CPU and PyTorch's threads.

    Args:
        environment: ``tracking.provenance.machine.environment``, or a trial's provenance; empty gives "".
    """
    if environment.get("gpu"):
        return str(environment["gpu"])
    threads = environment.get("threads")
    counted = f"{threads} thread{'' if threads == 1 else 's'}" if threads else ""
    return ", ".join(filter(None, [str(environment.get("cpu") or ""), counted]))


def merged(known: Iterable[ShapeProbe], new: Iterable[ShapeProbe]) -> tuple[ShapeProbe, ...]:
    """Probes with newer ones in the place of those of the same shape and kind of machine."""
    return tuple({(one.shape, one.machine): one for one in (*known, *new)}.values())


class Trial(Protocol):
    """What decides which probe is a trial's."""

    @property
    def key(self) -> str:
        """Its identity."""

    @property
    def config(self) -> TrainConfig:
        """Its configuration."""

    @property
    def provenance(self) -> Mapping[str, Any]:
        """Where it ran."""


def on_one_machine(
    probes: Iterable[ShapeProbe], trials: Sequence[Trial], complete: Sequence[Trial]
) -> dict[str, ShapeProbe]:
    """The probe of each trial by its key, all of one kind of machine.

    Args:
        probes: of some shapes on some kinds of machine.
        trials: that get a probe, where their shape has one.
        complete: those of them that must have one, else nothing has; of the kinds of machine for which that
            holds the one that most of them ran on is taken.
    """
    shapes = {trial.key: shape_of(trial.config) for trial in trials}
    needed = {shapes[trial.key] for trial in complete}
    kinds: dict[str, dict[str, ShapeProbe]] = {}
    for one in probes:
        kinds.setdefault(one.machine, {})[one.shape] = one
    ran = Counter(machine_kind(trial.provenance) for trial in complete)
    whole = [kind for kind, known in kinds.items() if needed <= known.keys()]
    if not whole or not needed:
        return {}
    taken = kinds[max(sorted(whole), key=lambda kind: ran[kind])]
    return {key: taken[shape] for key, shape in shapes.items() if shape in taken}
