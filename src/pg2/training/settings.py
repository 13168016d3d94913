"""Every setting of a training run, with its default and what it means."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pg2.models.config import DiscriminatorConfig, ModelConfig, Settings
from pg2.training.losses import L1Term, PerceptualTerm, SsimTerm
from pg2.training.reader import ReaderConfig
from pg2.training.terms import Rate, Steps, Term, Weight
from pg2.training.transport_losses import CopyTerm, FlowTerm, PaintedTerm, SilhouetteTerm, WarpedTerm

AdversarialLoss = Literal["bce", "hinge"]

Beta = Annotated[float, Field(ge=0, lt=1)]
Every = Annotated[Steps, Field(ge=1)]

_FORMER = {
    "l1_weight": ("l1", "weight"),
    "mask_weight": ("l1", "mask_weight"),
    "ssim_weight": ("ssim", "weight"),
    "ssim_after": ("ssim", "after"),
    "ssim_stride": ("ssim", "stride"),
}


class AdversarialConfig(Settings):
    """The adversary of a stage (paper, section 3.3). The defaults are the paper's."""

    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    pairing: Literal["pair", "triplet"] = Field(
        "pair",
        description="pair: D sees (source, image) pairs (paper); triplet: single images, the source a fake "
        "too (released code)",
    )
    loss: AdversarialLoss = "bce"
    region: Literal["frame", "body"] = Field(
        "frame",
        description="frame: every patch that D judges counts (paper); body: those that the target's pose "
        "mask reaches, as there is little to be judged in a background",
    )
    coarse_fake: bool = Field(
        False, description="triplet: stage I's picture is a fake, too (released code at 128x64)"
    )
    first: Literal["discriminator", "generator"] = Field(
        "discriminator",
        description="whose step comes first, on one and the same picture; released: generator",
    )
    weight: Weight = Field(1.0, description="of L_adv in the generator's loss")
    after: Steps = Field(0, description="steps before it joins")
    feature_weight: Weight = Field(
        0.0, description="of the distance of D's activations to the real image's; the paper has none"
    )
    r1_weight: Weight = Field(
        0.0, description="of the squared gradient of D's logits at real images; the paper has none"
    )
    r1_every: Every = Field(16, description="steps from one such penalty to the next, weighted as often")
    lr: Rate | None = Field(None, description="of the discriminator; null: the stage's")

    @model_validator(mode="after")
    def _has_patches(self) -> "AdversarialConfig":
        if self.region == "body" and (self.discriminator.head != "patch" or self.pairing != "pair"):
            raise ValueError('region: body needs discriminator.head "patch" and pairing "pair"')
        if self.coarse_fake and self.pairing != "triplet":
            raise ValueError('coarse_fake needs pairing "triplet"')
        return self


class Losses(Settings):
    """All terms of a generator's loss but the adversarial one. The defaults are the paper's."""

    l1: L1Term = L1Term()
    ssim: SsimTerm = SsimTerm()
    perceptual: PerceptualTerm = PerceptualTerm()
    flow: FlowTerm = FlowTerm()
    warped: WarpedTerm = WarpedTerm()
    painted: PaintedTerm = PaintedTerm()
    copied: CopyTerm = CopyTerm()
    silhouette: SilhouetteTerm = SilhouetteTerm()

    @property
    def terms(self) -> dict[str, Term]:
        """Those that count, by name, in order."""
        found: dict[str, Term] = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: term for name, term in found.items() if term.weight}


class StageConfig(Settings):
    """One stage of training. The defaults are the paper's for Market-1501."""

    steps: Steps = Field(description="0, for stage I alone: keep that of the model that is started from")
    batch: int = Field(16, ge=1, le=4096, description="pairs a step, over all processes")
    accumulate: int = Field(
        1,
        ge=1,
        le=4096,
        description="parts of a batch, in each process, that the generator learns from one after the other: "
        "less memory, more time, the same step",
    )
    lr: Rate = 2e-5
    betas: tuple[Beta, Beta] = Field((0.5, 0.999), description="of Adam")
    warmup: Steps = Field(0, description="steps over which the learning rate rises from zero")
    decay: float = Field(
        0.0, ge=0, le=1, description="last share of the steps, over which the learning rate falls to zero"
    )
    clip: float | None = Field(
        None, gt=0, le=1e6, description="bound on the norm of a step's gradient; null: none"
    )
    losses: Losses = Field(Losses(), description="what a picture is compared with its target by")
    adversarial: AdversarialConfig | None = None
    reader: ReaderConfig | None = None
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the averaged weights; 0: none are kept")
    best_by: Literal["ssim", "mask_ssim", "l1"] | None = Field(
        None, description="keep a copy of the model that is best by this on validation pairs"
    )
    log_every: Every = 50
    save_every: Every = Field(250, description="steps between checkpoints")
    validate_every: Every = 500

    @model_validator(mode="after")
    def _has_a_loss(self) -> "StageConfig":
        if not self.losses.terms and (self.adversarial is None or not self.adversarial.weight):
            raise ValueError("there is nothing to learn from: every loss has the weight 0")
        return self

    @model_validator(mode="before")
    @classmethod
    def _former_names(cls, values: Any) -> Any:
        """Recipes of pg2 0.1 named the losses' settings beside the others."""
        if not isinstance(values, dict) or not _FORMER.keys() & values.keys():
            return values
        found = dict(values)
        losses = found.get("losses") or {}
        for former, (term, setting) in _FORMER.items():
            if former in found and isinstance(losses, dict) and isinstance(losses.get(term, {}), dict):
                losses = losses | {term: losses.get(term, {}) | {setting: found.pop(former)}}
        return found | {"losses": losses}


class DataConfig(Settings):
    """How pairs are drawn."""

    flip: bool = Field(True, description="mirror half of the pairs left to right")
    jitter: float = Field(
        0.0,
        ge=0,
        le=0.1,
        description="spread by which the source's keypoints are moved, in heights of the frame: on a photo "
        "they come from an estimator",
    )
    turned: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of the pairs that are drawn from those alone that show the person once from the "
        "front and once from the back",
    )
    validation_people: int = Field(
        16,
        ge=0,
        le=100_000,
        description="people of the training split kept out of training, for validation; a third at most",
    )
    validation_pairs: int = Field(256, ge=1, le=10_000)


class Recipe(Settings):
    """A training run: model, data, stage I ("coarse") and stage II ("refined")."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    # NumPy takes seeds under 2**32, and stage II's is one more than this.
    seed: int = Field(0, ge=0, le=2**32 - 2)
    precision: Literal["fp32", "bf16"] = "fp32"
    pose_start: Literal["xavier", "he"] = Field(
        "xavier",
        description="how the weights of an encoder of the pose begin (HME, CE): as the released code's, or "
        "larger, after He et al. (2015), so that more is left of a heat map",
    )
    threads: int | None = Field(
        None, ge=1, le=1024, description="CPU threads a process; null: PyTorch's choice"
    )
    compile: bool = Field(False, description="torch.compile what is trained: a slow start, faster steps")
    sharded: bool = Field(
        False,
        description="cut the generator's weights, their averages and Adam's moments among the processes of a "
        "training (FSDP), each of which keeps its share",
    )
    coarse: StageConfig
    refined: StageConfig | None = None

    @property
    def stages(self) -> dict[str, StageConfig]:
        """What is trained, in order, by the names of `PG2.stages`."""
        return {"coarse": self.coarse, **({} if self.refined is None else {"refined": self.refined})}

    @model_validator(mode="after")
    def _stages_fit(self) -> "Recipe":
        if self.refined is not None and self.refined.steps == 0:
            raise ValueError("refined.steps = 0: set refined and model.refine to null for a one-stage model")
        if (self.refined is None) != (self.model.refine is None):
            raise ValueError('"refined" and "model.refine" belong together: give both, or set both to null')
        if self.pose_start != "xavier" and self.model.pose.embedding == "input":
            raise ValueError(
                "pose_start is for an encoder of the pose, which this model has not: leave it out"
            )
        if self.coarse.adversarial and self.coarse.adversarial.coarse_fake:
            raise ValueError(
                "coarse.adversarial.coarse_fake: only stage II has a coarse picture beside its own"
            )
        networks = {"coarse": self.model.coarse, "refined": self.model.refine}
        for name, stage in self.stages.items():
            network = networks[name]
            for term, setting in stage.losses.terms.items():
                if setting.of_transport and (network is None or network.grid is None):
                    raise ValueError(
                        f"{name}.losses.{term} judges what is fetched from the source: it needs "
                        "model.refine.kind: transport, and belongs to the refined stage"
                    )
            factor = stage.adversarial.discriminator.unshuffle if stage.adversarial else 1
            if any(side % factor for side in self.model.frame):
                raise ValueError(f"the frame does not divide by the discriminator's unshuffle = {factor}")
        return self
