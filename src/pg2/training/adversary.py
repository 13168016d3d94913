"""The adversary of a stage: what it is shown, its losses, and the generator's (paper, section 3.3)."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.models.discriminator import Discriminator
from pg2.training.processes import weighted
from pg2.training.settings import AdversarialConfig, AdversarialLoss
from pg2.training.terms import Ready


def _mean(values: Tensor, weight: Tensor | None) -> Tensor:
    if weight is None:
        return values.mean()
    return weighted((values * weight).sum(), weight.sum())


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


class Adversary:
    """Shows D pictures and says what it and the generator learn from its logits.

    Attributes:
        network: D.
    """

    def __init__(self, config: AdversarialConfig, frame: tuple[int, int]) -> None:
        self.config = config
        channels = 6 if config.pairing == "pair" else 3
        self.network = Discriminator(config.discriminator, channels, frame)

    def judgement(self, ready: Ready, image: Tensor, step: int, judge: nn.Module) -> dict[str, Tensor]:
        """What D learns from: L_D, and every few steps the penalty R1.

        Args:
            ready: see `Ready`.
            image: what the generator made, [B, 3, H, W].
            step: 0, 1, ... of the stage.
            judge: D, or its trained wrapper.
        """
        config, count = self.config, len(image)
        shown = self._shown(ready, image.detach(), with_real=True)
        logits = judge(shown).float()
        real = logits[count : 2 * count]
        # In triplet mode what comes third (the source) and fourth (stage I's picture) count as fakes, too.
        fake = torch.cat((logits[:count], logits[2 * count :]))
        terms = {"d": discriminator_loss(real, fake, config.loss, self._counts(ready))}
        if config.r1_weight and step % config.r1_every == 0:
            judged = shown[count : 2 * count].detach().requires_grad_()
            terms["r1"] = config.r1_weight * config.r1_every * r1_penalty(judge(judged).float(), judged)
        return terms

    def terms(self, ready: Ready, image: Tensor) -> dict[str, Tensor]:
        """What the generator learns from D: L_adv, and perhaps the distance of D's activations."""
        config, count = self.config, len(image)
        # Batch norm ties a picture's logit to its batch: the generator is judged in D's own mixture.
        with_real = config.discriminator.norm == "batch" or config.feature_weight > 0
        *layers, logits = self.network.activations(self._shown(ready, image, with_real))
        judged = generator_loss(logits[:count].float(), config.loss, self._counts(ready))
        terms = {"adversarial": config.weight * judged}
        if config.feature_weight:
            fakes, reals = ([layer[at : at + count].float() for layer in layers] for at in (0, count))
            terms["features"] = config.feature_weight * feature_loss(fakes, reals)
        return terms

    def _counts(self, ready: Ready) -> Tensor | None:
        """How much each patch that D judges counts, [B, patches]; None: all alike."""
        if self.config.region == "frame":
            return None
        return F.adaptive_max_pool2d(ready.mask, self.network.grid).flatten(1)

    def _shown(self, ready: Ready, image: Tensor, with_real: bool) -> Tensor:
        """What D is shown in one pass, as batch norm ties all of it together: fake, real, further fakes.

        Further fakes of triplets are the source and, with `coarse_fake`, stage I's picture (as in the
        released code at 128x64); pairs have none. Without the real images there is the fake part alone.
        """
        parts = [image, ready.target, ready.source] if with_real else [image]
        if self.config.pairing == "pair":
            parts = [torch.cat((ready.source, part), 1) for part in parts[:2]]
        elif self.config.coarse_fake and with_real:
            assert ready.coarse is not None
            parts.append(ready.coarse)
        return torch.cat(parts)
