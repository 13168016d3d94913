"""Averaged weights."""

import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from pg2.training.average import Average


def test_it_follows_as_torchs_own_average_does() -> None:
    """The same numbers, bit for bit, and the same names in a checkpoint."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    mine = Average(module, 0.6)

    @torch.no_grad()
    def lerp(averaged: list[torch.Tensor], current: list[torch.Tensor], count: torch.Tensor) -> None:
        weight = 1.0 - min(0.6, (1 + int(count)) / (10 + int(count)))
        torch._foreach_lerp_(averaged, current, weight)

    theirs = AveragedModel(module, multi_avg_fn=lerp)
    for step in range(20):
        for parameter in module.parameters():
            parameter.data.add_(torch.randn_like(parameter))
        module(torch.randn(5, 3))
        mine.update(module, step)
        theirs.update_parameters(module)
    assert mine.state_dict().keys() == theirs.state_dict().keys()
    for name, value in theirs.state_dict().items():
        assert torch.equal(mine.state_dict()[name], value), name
    assert not any(parameter.requires_grad for parameter in mine.parameters())
