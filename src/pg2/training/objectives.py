"""What a stage optimises: which module, which terms, in which alternation. No optimisers here."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.data.loader import Batch
from pg2.models.discriminator import Discriminator
from pg2.models.pg2 import PG2
from pg2.pose.maps import pose_input, pose_mask
from pg2.training.losses import (
    discriminator_loss,
    feature_loss,
    generator_loss,
    masked_l1,
    r1_penalty,
    ssim_loss,
)
from pg2.training.recipe import StageConfig

Terms = dict[str, Tensor]


class Objective:
    """Stage I, stage II or a one-stage adversarial model: three settings of one thing (paper, Table 1).

    Stage I trains G1 on the pose mask loss; stage II trains G2 with G1 frozen, on the same loss times
    lambda plus an adversarial one; "G1+D" is stage I with an adversary. `phases` names what alternates,
    one optimiser step each; `networks[phase]` is the module that the phase trains.
    """

    def __init__(self, model: PG2, stage: StageConfig, refined: bool) -> None:
        """`model` gives the networks; with `refined`, its G2 is trained and its G1 frozen."""
        self.stage, self.frame, self.refined = stage, model.config.frame, refined
        self.pose = model.config.pose.model_dump()
        self.networks: dict[str, nn.Module] = {}
        if stage.adversarial is not None:
            channels = 6 if stage.adversarial.pairing == "pair" else 3
            judge = Discriminator(stage.adversarial.discriminator, channels, self.frame)
            self.networks["discriminator"], self._patches = judge, judge.grid
        trained = model.refine if refined else model.coarse
        if trained is None:
            raise ValueError("a one-stage model has no stage II")
        self.networks["generator"] = trained
        self.frozen = model.coarse.requires_grad_(False).eval() if refined else None

    @property
    def phases(self) -> tuple[str, ...]:
        """Discriminator first, as its step uses the generator before that one's step."""
        return tuple(self.networks)

    def learning_rate(self, phase: str) -> float:
        """Base learning rate of a phase."""
        adversarial = self.stage.adversarial
        if phase == "discriminator" and adversarial is not None and adversarial.lr is not None:
            return adversarial.lr
        return self.stage.lr

    def prepare(self, batch: Batch) -> dict[str, Tensor]:
        """What all phases of a step share: images in [-1, 1], mask, and the generator's inputs.

        Pose and mask are drawn here, on the batch's device; they are never stored.
        """
        source, target = (image.float() / 127.5 - 1.0 for image in (batch.inputs.source, batch.target))
        keypoints = batch.inputs.target_keypoints
        ready = {"source": source, "target": target, "mask": pose_mask(keypoints, self.frame)}
        pose = pose_input(keypoints, self.frame, **self.pose)
        if self.frozen is None:
            ready["pose"] = pose
        else:
            with torch.no_grad():
                ready["coarse"] = self.frozen(source, pose).float()
        return ready

    def generate(self, ready: Mapping[str, Tensor], generator: nn.Module | None = None) -> Tensor:
        """The stage's image [B, 3, H, W], by the trained generator or another one (such as its average)."""
        generator = self.networks["generator"] if generator is None else generator
        if self.refined:
            difference: Tensor = generator(ready["coarse"], ready["source"]).float()
            return ready["coarse"] + difference
        image: Tensor = generator(ready["source"], ready["pose"]).float()
        return image

    def terms(
        self,
        phase: str,
        ready: Mapping[str, Tensor],
        image: Tensor,
        step: int,
        discriminator: nn.Module | None = None,
    ) -> Terms:
        """Named loss terms of a phase; their sum is its loss.

        Args:
            phase: one of `phases`.
            ready: what `prepare` gave.
            image: what `generate` gave, with its graph; one image serves both phases of a step.
            step: 0, 1, ... of the stage; some terms join later.
            discriminator: judges in the generator's phase, in place of the trained wrapper of it.
        """
        adversarial = self.stage.adversarial
        count = len(image)
        if phase == "discriminator":
            assert adversarial is not None
            shown = self._shown(ready, image.detach(), with_real=True)
            logits = self.networks["discriminator"](shown).float()
            real = logits[count : 2 * count]
            # In triplet mode the source itself comes third and counts as a fake, too.
            fake = torch.cat((logits[:count], logits[2 * count :]))
            judgement: Terms = {"d": discriminator_loss(real, fake, adversarial.loss, self._counts(ready))}
            if adversarial.r1_weight and step % adversarial.r1_every == 0:
                judged = shown[count : 2 * count].detach().requires_grad_()
                penalty = r1_penalty(self.networks["discriminator"](judged).float(), judged)
                judgement["r1"] = adversarial.r1_weight * adversarial.r1_every * penalty
            return judgement
        l1 = masked_l1(image, ready["target"], ready["mask"], self.stage.mask_weight)
        terms = {"l1": self.stage.l1_weight * l1}
        if self.stage.ssim_weight and step >= self.stage.ssim_after:
            ssim = ssim_loss(image, ready["target"], self.stage.ssim_stride)
            terms["ssim"] = self.stage.ssim_weight * ssim
        if adversarial is not None:
            judge = discriminator or self.networks["discriminator"]
            assert isinstance(judge, Discriminator)
            # Batch norm ties a picture's logit to its batch: the generator is judged in D's own mixture.
            with_real = adversarial.discriminator.norm == "batch" or adversarial.feature_weight > 0
            *layers, logits = judge.activations(self._shown(ready, image, with_real))
            terms["adversarial"] = adversarial.weight * generator_loss(
                logits[:count].float(), adversarial.loss, self._counts(ready)
            )
            if adversarial.feature_weight:
                fakes, reals = ([layer[at : at + count].float() for layer in layers] for at in (0, count))
                terms["features"] = adversarial.feature_weight * feature_loss(fakes, reals)
        return terms

    def _counts(self, ready: Mapping[str, Tensor]) -> Tensor | None:
        """How much each patch that D judges counts, [B, patches]; None: all alike."""
        assert self.stage.adversarial is not None
        if self.stage.adversarial.region == "frame":
            return None
        return F.adaptive_max_pool2d(ready["mask"], self._patches).flatten(1)

    def _shown(self, ready: Mapping[str, Tensor], image: Tensor, with_real: bool) -> Tensor:
        """What D is shown in one pass, as in the released code (batch norm sees all): fake, real, source.

        Pairs with the source have no third part. Without the real images there is the fake part alone.
        """
        assert self.stage.adversarial is not None
        parts = [image, ready["target"], ready["source"]] if with_real else [image]
        if self.stage.adversarial.pairing == "pair":
            parts = [torch.cat((ready["source"], part), 1) for part in parts[:2]]
        return torch.cat(parts)
