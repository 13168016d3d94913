"""A network that reads the pose off a picture. A result is wrong where it shows another pose than its target.

A person seen from behind can be good in colour and outline and still face the wrong way: losses of pixels
hardly notice. The reader learns beside the generator, from real pictures and their poses alone, never
from what is made. It is another network than the one that poses are scored with. Not part of the paper.
"""

import math
from collections.abc import Sequence

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.io.devices import full_precision
from pg2.io.pixels import to_levels
from pg2.models.blocks import double
from pg2.models.config import Settings
from pg2.models.lite0 import Lite0
from pg2.pose.keypoints import KEYPOINTS
from pg2.pose.maps import heatmaps
from pg2.training.terms import Rate, Ready, Steps, Weight

_SHRINK = 4  # pixels of a picture to a side of a heat map's cell
_RADIUS = 3  # of the discs of the heat maps, in cells
_CELLS = math.pi * _RADIUS**2
_RARE = -4.0  # log odds that a cell belongs to a keypoint, before anything is learned


class ReaderConfig(Settings):
    """The reader of a stage. It is left out where a recipe does not name it."""

    weight: Weight = Field(
        0.1, description="of the difference between what it reads off a result and off its target"
    )
    after: Steps = Field(500, description="steps that it learns alone, before it judges what is made")
    lr: Rate = Field(1e-3, description="of the reader")
    width: int = Field(64, ge=8, le=512, description="channels of its layers")


class PoseHead(nn.Module):
    """Features of four depths -> log odds that a cell shows a keypoint.

    The deeper features are enlarged and joined by the next finer ones, as in a feature pyramid (Lin et al.,
    2017).
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        """`channels`: of the features, from fine to coarse, each at half the size of the one before."""
        super().__init__()
        self.enter = nn.ModuleList(nn.Conv2d(count, width, 1) for count in channels)
        self.mix = nn.ModuleList(nn.Conv2d(width, width, 3, padding=1) for _ in channels)
        self.last = nn.Conv2d(width, len(KEYPOINTS), 1)
        assert self.last.bias is not None
        nn.init.constant_(self.last.bias, _RARE)

    def forward(self, layers: Sequence[Tensor]) -> Tensor:
        """[B, C, H, W] each -> [B, 18, H, W] of the finest."""
        x: Tensor | None = None
        for enter, mix, layer in zip(list(self.enter)[::-1], list(self.mix)[::-1], layers[::-1], strict=True):
            # Each place of the features has the length 1, whatever their number.
            entered = enter(layer * math.sqrt(layer.shape[1]))
            x = entered if x is None else entered + double(x)[..., : entered.shape[2], : entered.shape[3]]
            x = x + F.relu(mix(F.relu(x)))
        read: Tensor = self.last(x)
        return read


def reading_loss(read: Tensor, wanted: Tensor) -> Tensor:
    """Cross-entropy of heat maps with what they should say, in discs a keypoint.

    Args:
        read: log odds [B, 18, h, w].
        wanted: in [0, 1], the same shape.
    """
    losses = F.binary_cross_entropy_with_logits(read, wanted, reduction="none")
    return losses.sum((2, 3)).mean() / _CELLS


def reading_difference(read: Tensor, wanted: Tensor) -> Tensor:
    """How far two readings are apart: Kullback-Leibler divergence, in discs a keypoint.

    Args:
        read: log odds [B, 18, h, w] of the one that is judged.
        wanted: of the other, which is taken as given.
    """
    wanted = wanted.detach()
    return reading_loss(read, wanted.sigmoid()) - reading_loss(wanted, wanted.sigmoid())


class Reader:
    """Reads real pictures and made ones.

    Attributes:
        eye: the features that it reads from, of a network that knows photographs; frozen.
        network: what learns to read them.
    """

    def __init__(self, config: ReaderConfig) -> None:
        """Load the features.

        Raises:
            Pg2Error: the extra "metrics" is not installed.
        """
        self.config = config
        self.eye = Lite0()
        with torch.no_grad():
            layers = self.eye(torch.zeros(1, 3, 64, 64)).layers[1:]
        self.network = PoseHead([layer.shape[1] for layer in layers], config.width)

        self._last: tuple[Tensor, list[Tensor]] | None = None

    def _features(self, images: Tensor) -> list[Tensor]:
        with full_precision(images.device):
            layers: list[Tensor] = self.eye(to_levels(images)).layers[1:]
        return layers

    def _of_target(self, ready: Ready) -> list[Tensor]:
        """Looked at once a step, though both phases ask."""
        if self._last is None or self._last[0] is not ready.target:
            with torch.no_grad():
                self._last = ready.target, self._features(ready.target)
        return self._last[1]

    def reading(self, ready: Ready, network: nn.Module) -> Tensor:
        """What the reader learns from: the targets, and the poses on them."""
        layers = self._of_target(ready)
        # Small pictures are seen enlarged.
        size = (layers[0].shape[2] * _SHRINK, layers[0].shape[3] * _SHRINK)
        enlarged = (ready.batch.inputs.target_keypoints + 0.5) * (size[0] / ready.target.shape[2]) - 0.5
        wanted = (heatmaps(enlarged, size, _RADIUS * _SHRINK, _SHRINK) + 1) / 2
        return reading_loss(network(layers).float(), wanted)

    def term(self, ready: Ready, image: Tensor, network: nn.Module) -> Tensor:
        """What the generator learns from it, weighted; `image`: what was made, [B, 3, H, W]."""
        with torch.no_grad():
            wanted = network(self._of_target(ready)).float()
        return self.config.weight * reading_difference(network(self._features(image)).float(), wanted)
