"""Loss terms: each a pure function, and its settings in a recipe (paper, sections 3.1 to 3.3)."""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.io.devices import full_precision
from pg2.io.pixels import to_levels
from pg2.models.inputs import Output
from pg2.models.lite0 import Lite0, feature_distance
from pg2.pose.details import DETAILS, detail_places
from pg2.pose.parts import sample
from pg2.training.processes import weighted
from pg2.training.terms import Ready, Term, Weight

_DETAIL = 64  # pixels a side of an enlarged detail


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


class L1Term(Term):
    """The pose mask loss of both stages (paper, equations 1 and 4); `weight` is lambda in stage II."""

    weight: Weight = Field(1.0, description="of the term; 0 leaves it out")
    mask_weight: Weight = Field(1.0, description="of the pose mask; 0: plain L1 (released stage I)")

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """See `masked_l1`."""
        return masked_l1(output.image, ready.target, ready.mask, self.mask_weight)


class SsimTerm(Term):
    """1 - SSIM beside the L1 loss; the paper has none."""

    stride: int = Field(1, ge=1, le=7, description="of the windows in pixels")

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """See `ssim_loss`."""
        return ssim_loss(output.image, ready.target, self.stride)


class PerceptualTerm(Term):
    """Distance of EfficientNet-Lite0's features, in the picture and in its target; the paper has none.

    A model that learned from it is no longer judged by it alone: look at other scores, too.
    """

    details: Weight = Field(0.0, description="of head and hands, each enlarged, beside the whole picture")

    def network(self) -> nn.Module | None:
        """See `Term`."""
        return Lite0()

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """See `pg2.models.lite0.feature_distance`; in float32, as bf16 is slow in depthwise layers."""
        assert network is not None
        with full_precision(ready.target.device):

            def distance(image: Tensor, target: Tensor) -> Tensor:
                with torch.no_grad():
                    wanted = network(to_levels(target)).layers
                return feature_distance(network(to_levels(image)).layers, wanted)

            whole = distance(output.image, ready.target).mean()
            if not self.details:
                return whole
            height, width = ready.target.shape[2:]
            places, there = detail_places(ready.batch.inputs.target_keypoints, (height, width), _DETAIL)
            image, target = (
                sample(
                    picture[:, None].expand(-1, len(DETAILS), -1, -1, -1).flatten(0, 1), places.flatten(0, 1)
                )
                for picture in (output.image, ready.target)
            )
            off = distance(image, target) * there.flatten()
            return whole + self.details * weighted(off.sum(), there.sum())
