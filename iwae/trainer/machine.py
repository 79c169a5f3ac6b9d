"""Memory that a trial may have, and how to tell that it had too little."""

import contextlib
import ctypes
import resource
import sys
from pathlib import Path

import torch

from iwae.errors import ConfigError

# What PyTorch's CPU allocator says; it has no exception of its own.
_CPU_ALLOCATOR = ("can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that memory, the GPU's or the machine's, was used up."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _CPU_ALLOCATOR)


def limit_gpu_memory(share: float) -> None:
    """Let PyTorch of this process have a share of the GPU's memory and no more.

    More than that raises ``torch.OutOfMemoryError`` here and leaves the GPU's other users alone. What the
    driver itself takes for a process (some hundred megabytes) is beside it.

    Args:
        share: of one GPU, between 0 and 1; whole GPUs need no limit.
    """
    if 0 < share < 1 and torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(share)


def reset_peak_memory(device: torch.device) -> None:
    """Begins a new measurement: a process may train one configuration after another.

    Where the system cannot forget a peak (anything but Linux), a later one shows the largest so far.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    elif sys.platform == "linux":
        _trim()
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5")


def _trim() -> None:
    """Hands back what earlier work freed but the allocator kept: it is not this run's."""
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)


def memory_bytes(device: torch.device) -> int | None:
    """Memory allocated on the CUDA device, or resident in this process, now; None where it cannot be told."""
    if device.type == "cuda":
        return torch.cuda.memory_allocated(device)
    if sys.platform != "linux":
        return None
    _trim()
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) * 1024


def peak_memory_bytes(device: torch.device) -> int:
    """Most memory allocated on the CUDA device, or resident in this process, since ``reset_peak_memory``."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    if sys.platform == "linux":
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) * 1024
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


# From malloc.h.
M_TRIM_THRESHOLD = -1


M_MMAP_THRESHOLD = -3


KEPT_BYTES = 256 * 2**20


# The largest that glibc accepts.
LARGEST_FROM_HEAP = 32 * 2**20


def keep_freed_memory() -> None:
    """Keeps up to 256 MiB of freed memory in the process; does nothing where there is no glibc.

    By default glibc hands the top of its heap back as soon as it is free, and every megabyte of activations
    costs 256 page faults again: measured 22 % of an evaluation's time and 3 to 8 % of a training step's.
    """
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(M_MMAP_THRESHOLD, LARGEST_FROM_HEAP)
        mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def device_named(name: str) -> torch.device:
    """The device of ``auto``, ``cpu`` or ``cuda``.

    Raises:
        ConfigError: it is not here.
    """
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise ConfigError("device", "cuda is not allowed: must be cpu or auto, there is no CUDA device here")
    return torch.device(("cuda" if there else "cpu") if name == "auto" else name)
