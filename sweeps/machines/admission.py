"""Which trials this machine has the memory for, before any of them is begun."""

from iwae.errors import ConfigError
from sweeps.machines import machine
from sweeps.plan.kinds import kinds
from sweeps.plan.memory import in_chunks_that_fit, peak_bytes
from sweeps.spec.resources import Resources
from sweeps.spec.spec import SweepSpec
from tracking.records.records import PlannedTrial

# Of a local sweep: Ray's processes and a driver with PyTorch and MLflow.
DRIVER_BYTES = int(1.75 * 2**30)


def largest_trial(spec: SweepSpec) -> int:
    """Bytes of this machine's memory that the largest trial takes, with few images at once where it must.

    A trial that runs out of memory goes on with half as many (``shrink_retries``).

    Raises:
        ConfigError: a kind of trial does not fit, not even with one image at a time.
    """
    most, device = _most(spec.resources), _device(spec.resources)
    if most is None:
        return 0
    peaks = [0]
    for config in kinds(spec):
        fitting = in_chunks_that_fit(config, most.most, device)
        if fitting is None:
            name = PlannedTrial(0, {}, config).configuration_name
            raise ConfigError(
                "search",
                f"a trial with {name} is not allowed: must take at most {_gib(most.most)}, what {most.why}"
                f" leaves for one; it takes {_gib(peak_bytes(config, device))}",
            )
        peaks.append(peak_bytes(fitting, device))
    return max(peaks)


def _most(resources: Resources) -> machine.Limit | None:
    """What a trial may have: of a GPU its share, else what the driver leaves; None where that is unknown."""
    if not resources.gpus:
        there = machine.memory()
        return machine.Limit(there.most - DRIVER_BYTES, there.why)
    gpu = machine.gpu_memory()
    return None if gpu is None else machine.Limit(gpu.most * min(1.0, resources.gpus), gpu.why)


def _device(resources: Resources) -> str:
    return "cuda" if resources.gpus else "cpu"


def _gib(size: float) -> str:
    return f"{size / 2**30:.3g} GiB"
