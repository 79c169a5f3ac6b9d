"""What the bits of a trial depend on beside its configuration and code: machine, threads, libraries, data.

Workers import this: no MLflow, no plotting.
"""

import functools
import os
import platform
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import torch

from iwae.trainer.metrics import DEFINITIONS
from tracking.provenance import sources

_VARIABLES = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_CBWR",
    "ATEN_CPU_CAPABILITY",
    "CUDA_VISIBLE_DEVICES",
    "CUBLAS_WORKSPACE_CONFIG",
    "NVIDIA_TF32_OVERRIDE",
    "PYTORCH_CUDA_ALLOC_CONF",
)
_ANSWER_SECONDS = 20


def environment(
    device: str,
    threads: int,
    dataset_hash: str,
    seed: int,
    chunk_size: int | None = None,
    slots: int | None = None,
    code: str | None = None,
) -> dict[str, Any]:
    """What the bits of a trial depend on beside its configuration and the code, as plain JSON data.

    Args:
        device: where it trains, ``cpu`` or ``cuda``.
        threads: PyTorch's intra-op threads.
        dataset_hash: content hash of the data set.
        seed: the trial's seed.
        chunk_size: images in memory at once, where that is fewer than a minibatch.
        slots: of the pack that it trains in; None is alone.
        code: SHA-256 of the packages' sources (``tracking.provenance.sources.digest``), proven by a worker;
            None reads those of this process.
    """
    gpu = device.startswith("cuda") and torch.cuda.is_available()
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "cuda": torch.version.cuda if gpu else None,
        "cudnn": torch.backends.cudnn.version() if gpu else None,  # type: ignore[no-untyped-call]
        "driver": _driver() if gpu else None,
        "gpu": torch.cuda.get_device_name(device) if gpu else None,
        "device": device,
        "threads": threads,
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "tf32": torch.get_float32_matmul_precision() != "highest",
        "dataset_hash": dataset_hash,
        "seed": seed,
        "chunk_size": chunk_size,
        **({} if slots is None else {"pack_slots": slots}),
        "code_sha256": code or sources.digest(sources.of_this_process()),
        "definitions": DEFINITIONS,
        "variables": {name: os.environ[name] for name in _VARIABLES if name in os.environ},
    }


@functools.cache
def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


@functools.cache
def _driver() -> str | None:
    try:
        done = subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.split("\n")[0].strip() or None
