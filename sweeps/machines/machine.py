"""What this machine lets a process have: its CPUs by affinity and control groups, its memory, its GPUs."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

# cgroup v1 has one tree a controller, v2 one tree for all, often beside the first under "unified".
_GROUPS, _MOUNTS = Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_UNLIMITED_BYTES = 1 << 60  # v1 says "none" with a number near 2^63
_ASK_SECONDS = 5.0


@dataclass(frozen=True)
class Limit:
    """The most that may be taken, and who says so in words, for example ``the CPUs of this machine``."""

    most: float
    why: str


def cpus() -> Limit:
    """How many CPUs the process may use at once, at least 1."""
    there = os.cpu_count() or 1
    limits = [Limit(there, "the CPUs of this machine")]
    limits.append(Limit(len(os.sched_getaffinity(0)), "the CPUs that its affinity allows"))
    for folder in _folders("cpu"):
        quota = _quota(folder)
        if quota is not None:
            limits.append(Limit(max(1, int(quota)), f"the CPUs that its control group allows ({quota:g})"))
    return min(limits, key=lambda limit: limit.most)


def memory() -> Limit:
    """The bytes that the process and its children may have."""
    there = psutil.virtual_memory().total
    limits = [Limit(there, f"the memory of this machine, {there / 2**30:.3g} GiB")]
    limits += [
        Limit(limit, f"the memory limit of its control group, {limit / 2**30:.3g} GiB")
        for folder in _folders("memory")
        for name in ("memory.max", "memory.limit_in_bytes")
        if (limit := _number(folder / name)) is not None and limit < _UNLIMITED_BYTES
    ]
    return min(limits, key=lambda limit: limit.most)


def gpus() -> int:
    """How many NVIDIA GPUs the driver shows this process, whether or not PyTorch can use them."""
    there = sum(line.startswith("GPU ") for line in _asked_driver("-L"))
    shown = os.environ.get("CUDA_VISIBLE_DEVICES")
    if shown is None:
        return there
    return min(there, sum(name.strip() not in ("", "-1", "NoDevFiles") for name in shown.split(",")))


def gpu_memory() -> Limit | None:
    """The bytes of the smallest GPU here; None where the driver does not say."""
    lines = _asked_driver("--query-gpu=memory.total", "--format=csv,noheader,nounits")
    found = [int(line) * 2**20 for line in lines if line.strip().isdigit()]
    if not found:
        return None
    return Limit(min(found), f"the memory of a GPU here, {min(found) / 2**30:.3g} GiB")


def _asked_driver(*words: str) -> list[str]:
    """The lines of NVIDIA's tool; none where it is not there or does not answer."""
    command = shutil.which("nvidia-smi")
    if command is None:
        return []
    try:
        done = subprocess.run([command, *words], capture_output=True, text=True, timeout=_ASK_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return done.stdout.splitlines()


def _folders(controller: str) -> Iterator[Path]:
    """The folders of the process's control group and its parents, under v1 and v2, that can be seen."""
    try:
        lines = _GROUPS.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if not controllers:
            roots = [_MOUNTS, _MOUNTS / "unified"]
        elif controller in controllers.split(","):
            roots = [_MOUNTS / controllers, _MOUNTS / controller]
        else:
            continue
        # In a container the path may be the host's: what is mounted is then the container's own group.
        below = Path(path.lstrip("/"))
        for root in dict.fromkeys(roots):
            for folder in [below, *below.parents]:
                if (root / folder).is_dir():
                    yield root / folder


def _quota(folder: Path) -> float | None:
    """CPUs that a control group may use on average; None without a limit."""
    with contextlib.suppress(OSError, ValueError):
        quota, period = (folder / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    quota_us, period_us = _number(folder / "cpu.cfs_quota_us"), _number(folder / "cpu.cfs_period_us")
    return quota_us / period_us if quota_us and quota_us > 0 and period_us else None


def _number(file: Path) -> int | None:
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # v2 writes "max"
        return None
