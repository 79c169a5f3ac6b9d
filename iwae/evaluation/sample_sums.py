"""Sums over importance samples that arrive chunk by chunk."""

import torch
from torch import Tensor


class SampleSums:
    """Running sums over the samples of a block of images, each float64 ``[B]``."""

    def __init__(self, num_images: int, few: int, device: torch.device) -> None:
        self.log_sum = torch.full((num_images,), -torch.inf, dtype=torch.float64, device=device)
        self.log_sum_squares = self.log_sum.clone()
        self.log_sum_few = self.log_sum.clone()
        self.total = torch.zeros_like(self.log_sum)
        self.count = 0
        self._few = few

    def add(self, log_w: Tensor) -> None:
        """Takes the log-weights ``[k, B]`` of the next k samples."""
        log_w = log_w.double()
        top = log_w.amax(0)
        weights = torch.exp(log_w - top)
        log_sum = weights.sum(0).log() + top
        log_sum_squares = weights.square().sum(0).log() + 2 * top
        left = self._few - self.count
        if left > 0:
            first = log_sum if left >= log_w.shape[0] else torch.logsumexp(log_w[:left], 0)
            self.log_sum_few = torch.logaddexp(self.log_sum_few, first)
        self.log_sum = torch.logaddexp(self.log_sum, log_sum)
        self.log_sum_squares = torch.logaddexp(self.log_sum_squares, log_sum_squares)
        self.total += log_w.sum(0)
        self.count += log_w.shape[0]
