"""G2 of the paper (section 3.2): what is added to the coarse picture, as a difference map."""

import torch
from torch import Tensor, nn

from pg2.models.blocks import ConvBlock, double, down, head, stem
from pg2.models.config import RefineConfig


class RefineGenerator(nn.Module):
    """G2, stage II (paper, section 3.2): a U-Net without bottleneck whose output is a difference map."""

    def __init__(self, config: RefineConfig) -> None:
        super().__init__()
        h, levels = config.width, config.blocks
        widths = [h * (i + 1) for i in range(levels)]
        self.stem = stem(6, h, config.unshuffle)
        self.encoder = nn.ModuleList(
            ConvBlock(before, w, shortcut=False) for before, w in zip([h, *widths], widths, strict=False)
        )
        self.downs = nn.ModuleList(down(w, w) for w in widths[:-1])
        self.skipped = [level > 0 or config.shallow_skip for level in range(levels)]
        self.decoder = nn.ModuleList()
        entering = widths[-1]
        for level in reversed(range(levels)):
            joined = entering + (widths[level] if self.skipped[level] else 0)
            self.decoder.append(ConvBlock(joined, h, shortcut=False))
            entering = h
        self.head = head(h, config.unshuffle)
        self.zero_start = config.zero_start
        if config.zero_start:
            for parameter in self.head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, coarse: Tensor, source: Tensor) -> Tensor:
        """Difference map G2(I_B1, I_A); the refined result is I_B2 = I_B1 + G2(I_B1, I_A).

        Args:
            coarse: image I_B1, [B, 3, H, W] in [-1, 1].
            source: image I_A, [B, 3, H, W] in [-1, 1].

        Returns:
            difference map [B, 3, H, W], linear.
        """
        x = self.stem(torch.cat((coarse, source), 1))
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(x)
            skips.append(x)
            if level < len(self.downs):
                x = self.downs[level](x)
        for index, block in enumerate(self.decoder):
            level = len(skips) - 1 - index
            x = block(torch.cat((x, skips[level]), 1) if self.skipped[level] else x)
            if level > 0:
                x = double(x)
        difference: Tensor = self.head(x)
        return difference
