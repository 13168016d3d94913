"""D: layers, shapes, initial weights, bounded layers."""

import pytest
import torch
from torch import nn

from pg2.models.config import DiscriminatorConfig
from pg2.models.discriminator import Discriminator


def test_the_papers_discriminator() -> None:
    model = Discriminator(DiscriminatorConfig(), 6, (128, 64))
    convs = [part for part in model.layers if isinstance(part, nn.Conv2d)]
    assert [(c.in_channels, c.out_channels, c.kernel_size, c.stride) for c in convs] == [
        (6, 64, (5, 5), (2, 2)),
        (64, 128, (5, 5), (2, 2)),
        (128, 256, (5, 5), (2, 2)),
        (256, 512, (5, 5), (2, 2)),
    ]
    assert sum(isinstance(part, nn.BatchNorm2d) for part in model.layers) == 3
    assert isinstance(model.layers[1], nn.LeakyReLU)
    linear = model.layers[-1]
    assert isinstance(linear, nn.Linear)
    assert linear.in_features == 512 * 8 * 4
    assert model(torch.randn(2, 6, 128, 64)).shape == (2, 1)
    assert convs[2].weight.std().item() == pytest.approx(0.02, rel=0.05)


def test_five_layers_at_256() -> None:
    with torch.device("meta"):
        model = Discriminator(DiscriminatorConfig(layers=5), 3, (256, 256))
        assert model(torch.empty(2, 3, 256, 256)).shape == (2, 1)
    convs = [part for part in model.layers if isinstance(part, nn.Conv2d)]
    assert [c.out_channels for c in convs] == [64, 128, 256, 512, 512]


@pytest.mark.parametrize("unshuffle", [1, 2])
def test_patches_and_bounded_layers(unshuffle: int) -> None:
    torch.manual_seed(0)
    config = DiscriminatorConfig(width=8, layers=2, unshuffle=unshuffle, norm="spectral", head="patch")
    model = Discriminator(config, 6, (64, 32))
    side = 4 * unshuffle
    assert model(torch.randn(3, 6, 64, 32)).shape == (3, 64 // side * (32 // side))
    for _ in range(30):
        model(torch.randn(1, 6, 64, 32))
    for part in model.layers:
        if isinstance(part, nn.Conv2d):
            assert torch.linalg.matrix_norm(part.weight.flatten(1), 2) < 1.05
