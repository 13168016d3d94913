"""G2 of the paper: parameter counts, shapes, gradients, and where it starts."""

import pytest
import torch
from model_samples import inputs
from torch import nn

from pg2.models.config import DifferenceConfig
from pg2.models.refine.difference import DifferenceRefiner


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_exact_g2_has_the_parameters_of_the_released_graph() -> None:
    with torch.device("meta"):
        assert count(DifferenceRefiner(DifferenceConfig(width=128, blocks=3))) == 6_058_883


def test_exact_g2_at_256_reuses_every_skip() -> None:
    with torch.device("meta"):
        g2 = DifferenceRefiner(DifferenceConfig(width=128, blocks=4, shallow_skip=True))
        assert g2(inputs(1, (256, 256)), torch.empty(1, 3, 256, 256)).image.shape == (1, 3, 256, 256)


@pytest.mark.parametrize("shallow_skip", [False, True])
@pytest.mark.parametrize("unshuffle", [1, 2])
def test_every_parameter_of_g2_gets_a_gradient(shallow_skip: bool, unshuffle: int) -> None:
    torch.manual_seed(0)
    config = DifferenceConfig(width=8, blocks=2, unshuffle=unshuffle, shallow_skip=shallow_skip)
    model = DifferenceRefiner(config)
    difference = model(inputs(), torch.randn(2, 3, 32, 16)).pictures["difference"]
    assert difference.shape == (2, 3, 32, 16)
    difference.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_zero_start_gives_a_difference_map_of_zeros() -> None:
    model = DifferenceRefiner(DifferenceConfig(width=8, blocks=2, zero_start=True))
    coarse = torch.randn(2, 3, 32, 16)
    output = model(inputs(), coarse)
    assert not output.pictures["difference"].any()
    assert torch.equal(output.image, coarse)


@pytest.mark.parametrize("zero_start", [False, True])
def test_a_head_that_starts_at_zero_has_a_signal_to_work_on(zero_start: bool) -> None:
    """Behind Xavier's weights a seventh of it is left, and the difference map stays where it is."""
    torch.manual_seed(0)
    model = DifferenceRefiner(DifferenceConfig(width=32, shallow_skip=True, zero_start=zero_start))
    model.initialise()
    assert bool(model.head[0].weight.any()) == (not zero_start)
    seen: list[torch.Tensor] = []
    model.head.register_forward_hook(lambda _, arguments, __: seen.append(arguments[0]))
    picture = torch.rand(2, 3, 64, 64) - 0.5
    model.difference(picture, picture)
    signal = float(seen[0].detach().std())
    assert (signal > 0.1) == zero_start
