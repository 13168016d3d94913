"""G2 of the paper (section 3.2): what is to be added to the coarse picture, as a difference map."""

from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from pg2.io.pixels import to_unit
from pg2.models.blocks import ConvBlock, double, down, encode, grown, head, stem
from pg2.models.config import DifferenceConfig
from pg2.models.inputs import Inputs, Output, PictureInfo
from pg2.models.stage import Refiner


class DifferenceRefiner(Refiner):
    """G2, stage II (paper, section 3.2): a U-Net without bottleneck whose output is a difference map."""

    config: DifferenceConfig
    pictures: ClassVar = {"difference": PictureInfo("difference map", "difference")}

    def __init__(self, config: DifferenceConfig) -> None:
        super().__init__()
        self.config = config
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
        if config.zero_start:
            for parameter in self.head.parameters():
                nn.init.zeros_(parameter)

    def forward(self, inputs: Inputs, coarse: Tensor) -> Output:
        """The refined result I_B2 = I_B1 + G2(I_B1, I_A), and the difference map G2(I_B1, I_A), linear.

        See `Refiner`; of the inputs only the source picture is looked at.
        """
        difference = self.difference(coarse, to_unit(inputs.source)).float()
        return Output(coarse + difference, {"difference": difference})

    def difference(self, coarse: Tensor, source: Tensor) -> Tensor:
        """G2(I_B1, I_A), [B, 3, H, W], of two images [B, 3, H, W] in [-1, 1]."""
        x = self.stem(torch.cat((coarse, source), 1))
        skips = encode(x, self.encoder, self.downs)
        x = skips[-1]
        for index, block in enumerate(self.decoder):
            level = len(skips) - 1 - index
            x = block(torch.cat((x, skips[level]), 1) if self.skipped[level] else x)
            if level > 0:
                x = double(x)
        difference: Tensor = self.head(x)
        return difference

    def initialise(self) -> None:
        """See `Stage`; with a head that starts at zero, He-uniform weights.

        After twelve layers without a shortcut Xavier's leave a seventh of their signal, and with as little to
        work on, the head stands still for hundreds of steps.
        """
        super().initialise()
        if self.config.zero_start:
            for conv in self.modules():
                if isinstance(conv, nn.Conv2d) and conv.weight.any():
                    nn.init.kaiming_uniform_(conv.weight, nonlinearity="relu")

    def start_from(self, start: Self, factor: int) -> None:
        """See `Stage`. How a network starts from nothing does not matter here."""
        grown_settings = {"unshuffle": start.config.unshuffle * factor, "zero_start": self.config.zero_start}
        self.check_fits(start, grown_settings)
        self.load_state_dict(grown(start.state_dict(), 6, start.config.unshuffle, 1, factor))
