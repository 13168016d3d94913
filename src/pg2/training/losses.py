"""Loss terms: each a pure function, and its settings in a recipe (paper, sections 3.1 to 3.3)."""

from abc import abstractmethod
from typing import NamedTuple

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.data.loader import Batch
from pg2.models.config import Settings
from pg2.models.inputs import Output


def masked_l1(generated: Tensor, target: Tensor, mask: Tensor, weight: float = 1.0) -> Tensor:
    """Pose mask loss || (generated - target) * (1 + weight * M_B) ||_1, mean over pixels (equation 1).

    Args:
        generated, target: image [B, 3, H, W] in [-1, 1].
        mask: pose mask M_B of the target, [B, 1, H, W] in {0, 1}.
        weight: 1 is the paper's; 0 is plain L1.
    """
    return ((generated - target).abs() * (1.0 + weight * mask)).mean()


def ssim_loss(generated: Tensor, target: Tensor, stride: int = 1) -> Tensor:
    """1 - SSIM by the paper's protocol (section 4.2), mean over the batch; not part of the paper's losses.

    The same as `pg2.metrics.ssim`, which is written for exactness, here in float32 for speed.

    Args:
        generated, target: image [B, 3, H, W] in [-1, 1].
        stride: of the 7x7 windows in pixels; 3 leaves none of the picture out at a sixth of the time.
    """
    moments = torch.cat((generated, target, generated**2 + target**2, generated * target), 1)
    mean_a, mean_b, square, product = F.avg_pool2d(moments, 7, stride).chunk(4, 1)
    c1, c2, sample = (0.01 * 2) ** 2, (0.03 * 2) ** 2, 49 / 48
    means = mean_a * mean_b
    # C1 stands for pictures from 0: shifted to [-1, 1], the means are shifted back.
    luminance_a, luminance_b = mean_a + 1, mean_b + 1
    luminance = (2 * luminance_a * luminance_b + c1) / (luminance_a**2 + luminance_b**2 + c1)
    structure = (2 * sample * (product - means) + c2) / (sample * (square - mean_a**2 - mean_b**2) + c2)
    return 1 - (luminance * structure).mean()


class Ready(NamedTuple):
    """What all phases of a step share, on the device that trains.

    Attributes:
        batch: as it was loaded.
        source, target: images [B, 3, H, W] in [-1, 1].
        mask: pose mask M_B of the target, [B, 1, H, W] in {0, 1}.
        coarse: image I_B1 [B, 3, H, W] of the frozen stage I, where stage II is trained.
    """

    batch: Batch
    source: Tensor
    target: Tensor
    mask: Tensor
    coarse: Tensor | None = None


class Term(Settings):
    """The settings of a loss term. A new one is a class like those below, and a field of `Losses`."""

    weight: float = Field(1.0, ge=0, description="of the term; 0 leaves it out")
    after: int = Field(0, ge=0, description="steps before it joins")

    def network(self) -> nn.Module | None:
        """A frozen network that the term looks with; the stage moves and prepares it like any other."""
        return None

    @abstractmethod
    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """The term, not yet weighted; a scalar with its graph.

        Args:
            ready: the targets.
            output: what the stage made of the batch.
            network: what `network` gave, where it is by now.
        """


class L1Term(Term):
    """The pose mask loss of both stages (paper, equations 1 and 4); `weight` is lambda in stage II."""

    mask_weight: float = Field(1.0, ge=0, description="of the pose mask; 0: plain L1 (released stage I)")

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """See `masked_l1`."""
        return masked_l1(output.image, ready.target, ready.mask, self.mask_weight)


class SsimTerm(Term):
    """1 - SSIM beside the L1 loss; the paper has none."""

    weight: float = Field(0.0, ge=0, description="of the term; 0 leaves it out")
    stride: int = Field(1, ge=1, le=7, description="of the windows in pixels")

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """See `ssim_loss`."""
        return ssim_loss(output.image, ready.target, self.stride)


class Losses(Settings):
    """All terms of a generator's loss but the adversarial one. The defaults are the paper's."""

    l1: L1Term = L1Term()
    ssim: SsimTerm = SsimTerm()

    @property
    def terms(self) -> dict[str, Term]:
        """Those that count, by name, in order."""
        found: dict[str, Term] = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: term for name, term in found.items() if term.weight}
