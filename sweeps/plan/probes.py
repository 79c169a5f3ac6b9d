"""What was probed on this machine, kept in the user's cache: one file a shape, machine and versions."""

import contextlib
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import socket
import tempfile
from collections.abc import Iterable
from pathlib import Path

from iwae.config.train import TrainConfig
from sweeps.pace.sizes import Sizes, sizes_of
from sweeps.plan.forecast import Forecast
from sweeps.spec.resources import Resources
from tracking.provenance import sources
from tracking.records.exclusive import shape_of
from tracking.records.shapes import ShapeProbe

_PACKAGES = ("torch", "numpy")
_EVALUATION = ("num_samples", "num_images", "final_num_samples", "final_num_images", "snr_num_draws")


def device_of(resources: Resources) -> tuple[str, int]:
    """Where a trial trains, ``cpu`` or ``cuda``, and PyTorch's threads there."""
    return "cuda" if resources.gpus else "cpu", max(1, int(resources.cpus))


def kept(configs: Iterable[TrainConfig], resources: Resources) -> dict[str, ShapeProbe]:
    """What is known on this machine of these configurations' shapes, by shape."""
    found = {}
    for config in configs:
        # What another version left, or half of it, counts as nothing.
        with contextlib.suppress(OSError, ValueError):
            found[shape_of(config)] = ShapeProbe.from_dict(json.loads(_file(config, resources).read_bytes()))
    return found


def known_forecast(
    configs: Iterable[TrainConfig], resources: Resources, probes: Iterable[ShapeProbe] = ()
) -> Forecast:
    """The forecast from what was probed of these configurations, in their sweep or on this machine before."""
    shapes = {shape_of(config): config for config in configs}
    found = {**kept(shapes.values(), resources), **{probe.shape: probe for probe in probes}}
    return Forecast([(config, found[shape]) for shape, config in shapes.items() if shape in found])


def keep(config: TrainConfig, resources: Resources, probe: ShapeProbe) -> None:
    """Keep what was probed; where there is no place for it, the next plan probes again."""
    path = _file(config, resources)
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
            json.dump(probe.to_dict(), file)
        Path(file.name).replace(path)


def _file(config: TrainConfig, resources: Resources) -> Path:
    asked = [shape_of(config), *_numbers(sizes_of(config.data)), *device_of(resources), *_machine()]
    asked += [getattr(config.evaluation, name) for name in _EVALUATION]
    name = hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]
    folder = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser()
    return folder / "iwae-sweeps" / "probes" / f"{name}.json"


def _numbers(sizes: Sizes) -> list[object]:
    layout = sizes.layout
    return [*sizes[:3], list(layout.shape), layout.num_attributes, sizes.floats]


@functools.cache
def _machine() -> tuple[str, ...]:
    """This machine, the versions of what does the work, and our own sources."""
    versions = [importlib.metadata.version(package) for package in _PACKAGES]
    code = sources.digest(sources.of_this_process())
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "")
    return (socket.gethostname(), platform.machine(), str(os.cpu_count()), shown, *versions, code)
