"""Generators. Everything random derives from a seed and a purpose; torch's global state is never touched."""

import hashlib

import numpy as np
import torch


def generator(seed: int, purpose: str, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator on ``device`` for one ``purpose`` of the run with this ``seed``.

    Streams of different purposes share nothing, so that drawing more for one leaves the others as they were.
    """
    return torch.Generator(device).manual_seed(derive(seed, purpose))


def derive(seed: int, purpose: str) -> int:
    """A 32-bit seed: PyTorch's CPU generator reads no more than the lower 32 bits of what it is given."""
    digest = hashlib.sha256(f"{seed}/{purpose}".encode()).digest()
    return int.from_bytes(digest[:4], "little")


def permutation(count: int, purpose: str) -> np.ndarray:
    """The numbers 0 … ``count`` − 1, mixed; the same every time."""
    order: np.ndarray = torch.randperm(count, generator=generator(0, purpose)).numpy()
    return order
