"""Loss terms as pure functions (paper, sections 3.1 to 3.3)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

AdversarialLoss = Literal["bce", "hinge"]


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


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return values.mean()
    return (values * weight).sum() / weight.sum().clamp_min(1.0)


def discriminator_loss(
    real: Tensor, fake: Tensor, kind: AdversarialLoss, weight: Tensor | None = None
) -> Tensor:
    """L_D = bce(D(real), 1) + bce(D(fake), 0) (equation 3), or its hinge form.

    Logits have any shape; `weight`, of that shape, says how much each counts.
    """
    if kind == "bce":
        return _mean(F.softplus(-real), weight) + _mean(F.softplus(fake), weight)
    return _mean(F.relu(1.0 - real), weight) + _mean(F.relu(1.0 + fake), weight)


def generator_loss(fake: Tensor, kind: AdversarialLoss, weight: Tensor | None = None) -> Tensor:
    """L_adv = bce(D(fake), 1) (equation 2), or -D(fake) for the hinge form; arguments as above."""
    return _mean(F.softplus(-fake) if kind == "bce" else -fake, weight)


def r1_penalty(logits: Tensor, images: Tensor) -> Tensor:
    """R1 (Mescheder et al., 2018): half the squared gradient of D's logits at real images, batch mean.

    It keeps a discriminator without norm layers from becoming steep where the data lie; not in the paper.

    Args:
        logits: D(images), [B, ...]; with the graph.
        images: what D saw, [B, ...]; with `requires_grad`.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), images, create_graph=True)
    return gradient.float().square().flatten(1).sum(1).mean() / 2


def feature_loss(fake: Sequence[Tensor], real: Sequence[Tensor]) -> Tensor:
    """Feature matching: L1 between D's activations, mean over layers; not part of the paper's losses.

    Args:
        fake, real: activations [B, C, H, W] of each layer, for the generated and for the real images.
    """
    return torch.stack([F.l1_loss(a, b.detach()) for a, b in zip(fake, real, strict=True)]).mean()
