"""The few pieces that the generators are built from."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvBlock(nn.Module):
    """Two 3x3 conv-ReLU; optionally with an additive shortcut around both (paper, section 3.1).

    Shapes: [B, inputs, H, W] -> [B, outputs, H, W]; a shortcut needs inputs == outputs.
    """

    def __init__(self, inputs: int, outputs: int, *, shortcut: bool) -> None:
        super().__init__()
        if shortcut and inputs != outputs:
            raise ValueError("an additive shortcut needs as many outputs as inputs")
        self.first = nn.Conv2d(inputs, outputs, 3, padding=1)
        self.second = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.shortcut = shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.second(F.relu(self.first(x))))
        return x + y if self.shortcut else y


def down(inputs: int, outputs: int) -> nn.Sequential:
    """A stride-2 3x3 conv-ReLU: [B, inputs, H, W] -> [B, outputs, H/2, W/2]."""
    return nn.Sequential(nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), nn.ReLU())


def stem(inputs: int, width: int, unshuffle: int) -> nn.Sequential:
    """The input conv-ReLU, on pixel-unshuffled input: [B, inputs, H, W] -> [B, width, H/u, W/u]."""
    return nn.Sequential(
        nn.PixelUnshuffle(unshuffle) if unshuffle > 1 else nn.Identity(),
        nn.Conv2d(inputs * unshuffle**2, width, 3, padding=1),
        nn.ReLU(),
    )


def head(width: int, unshuffle: int) -> nn.Sequential:
    """The linear output conv to an RGB image: [B, width, H/u, W/u] -> [B, 3, H, W]."""
    return nn.Sequential(
        nn.Conv2d(width, 3 * unshuffle**2, 3, padding=1),
        nn.PixelShuffle(unshuffle) if unshuffle > 1 else nn.Identity(),
    )


def encode(x: Tensor, blocks: nn.ModuleList, downs: nn.ModuleList) -> list[Tensor]:
    """What each level of an encoder gives, the largest first; `downs` lead from one to the next."""
    levels = []
    for level, block in enumerate(blocks):
        x = block(x)
        levels.append(x)
        if level < len(downs):
            x = downs[level](x)
    return levels


def double(x: Tensor) -> Tensor:
    """Nearest-neighbour enlargement: [B, C, H, W] -> [B, C, 2H, 2W]."""
    return F.interpolate(x, scale_factor=2.0, mode="nearest")


def grown(
    state: Mapping[str, Tensor], channels: int, inner: int, outer: int, factor: int
) -> dict[str, Tensor]:
    """Weights of a generator of stem and head for pictures that are `factor` times larger a side.

    At first it makes what the smaller one makes of its picture shrunk by means, enlarged again: the stem
    takes the mean of the pixels that an old one has become, the head repeats each.

    Args:
        state: of the smaller generator, whose stem sees a picture that was unshuffled by `inner`, and then,
            beside other maps perhaps, by `outer`. The other maps stay of the size that they are.
        channels: of the picture.
    """
    stem_weight = state["stem.1.weight"]
    count = channels * inner**2 * outer**2
    cells = stem_weight[:, :count].reshape(-1, channels, inner, inner, outer**2, *stem_weight.shape[2:])
    cells = cells.repeat_interleave(factor, 2).repeat_interleave(factor, 3) / factor**2
    larger = {**state, "stem.1.weight": torch.cat((cells.flatten(1, 4), stem_weight[:, count:]), 1)}
    for name in ("head.0.weight", "head.0.bias"):
        side = inner * outer
        pixels = state[name].reshape(3, side, side, *state[name].shape[1:])
        larger[name] = pixels.repeat_interleave(factor, 1).repeat_interleave(factor, 2).flatten(0, 2)
    return larger
