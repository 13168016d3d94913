"""Loss terms as pure functions (paper, sections 3.1 to 3.3)."""

from typing import Literal

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


def discriminator_loss(real: Tensor, fake: Tensor, kind: AdversarialLoss) -> Tensor:
    """L_D = bce(D(real), 1) + bce(D(fake), 0) (equation 3), or its hinge form. Logits of any shape."""
    if kind == "bce":
        return F.softplus(-real).mean() + F.softplus(fake).mean()
    return F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean()


def generator_loss(fake: Tensor, kind: AdversarialLoss) -> Tensor:
    """L_adv = bce(D(fake), 1) (equation 2), or -D(fake) for the hinge form. Logits of any shape."""
    return F.softplus(-fake).mean() if kind == "bce" else -fake.mean()
