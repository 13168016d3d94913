"""Averaged weights: what is validated and exported of a generator."""

import copy

import torch
from torch import nn

from pg2.training.sharding import own


class Average(nn.Module):
    """Exponential moving average of a module's weights.

    Its memory grows with the count, so that early averages are of use. It never waits for the device.
    """

    n_averaged: torch.Tensor

    def __init__(self, module: nn.Module, decay: float) -> None:
        """Start as a copy of `module`; `decay` is what is kept of the average in a step, in the end."""
        super().__init__()
        self.module = copy.deepcopy(module).requires_grad_(False)
        self.decay = decay
        self.register_buffer("n_averaged", torch.tensor(0))

    @torch.no_grad()
    def update(self, module: nn.Module, count: int) -> None:
        """Take in the weights of `module`; `count` says how many were taken in before."""
        weight = 1.0 - min(self.decay, (1 + count) / (10 + count)) if count else 1.0
        torch._foreach_lerp_(own(self.module.parameters()), own(module.parameters()), weight)
        for mine, theirs in zip(self.module.buffers(), module.buffers(), strict=True):
            mine.copy_(theirs)
        self.n_averaged.fill_(count + 1)
