"""Seconds that are a trial's own: what its steps take where it has a machine to itself."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from iwae.config.train import TrainConfig
from tracking.records.shapes import ShapeProbe

# What a step's seconds depend on, beside the machine.
_PARTS = {"data", "model", "objective", "batch_size"}


def shape_of(config: TrainConfig) -> str:
    """A hash of what a training step's seconds depend on: data, model, objective and batch size."""
    values = config.model_dump(mode="json", exclude_defaults=True, include=_PARTS)
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
