"""Memory that a trial may have, and how to tell that it had too little."""

import torch

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
