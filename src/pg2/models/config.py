"""The settings of the networks: every number that changes a shape, in one place."""

import math
from abc import abstractmethod
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, model_validator


class Settings(BaseModel):
    """Base of all settings: unknown names are refused, values are checked, nothing changes later."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)


# The upper bounds are far beyond what anyone trains. They keep a model folder from anywhere, or a slip in a
# recipe, from taking all time and memory before it is seen to be wrong.
Channels = Annotated[int, Field(ge=1, le=1024)]
Levels = Annotated[int, Field(ge=1, le=10)]
Factor = Annotated[int, Field(ge=1, le=32)]
Radius = Annotated[float, Field(gt=0, le=256)]
Side = Annotated[int, Field(ge=16, le=1024)]


class PoseConfig(Settings):
    """How G1 is told the pose (paper, section 4.3, and Table 1). The defaults are the paper's."""

    embedding: Literal["input", "heatmaps", "coordinates"] = Field(
        "input",
        description="input: heat maps beside the image; heatmaps (HME): heat maps through an encoder of "
        "their own to the bottleneck; coordinates (CE): x and y through two linear layers to the bottleneck",
    )
    radius: Radius = Field(4.0, description="of a keypoint's disc in pixels of the frame")
    shrink: Factor = Field(
        1, description="the maps are drawn at 1/shrink of the frame; it divides the stem's unshuffle factor"
    )


class StageNetwork(Settings):
    """What the settings of every generator have."""

    @property
    @abstractmethod
    def multiple(self) -> int:
        """What both sides of the frame must be multiples of."""

    @property
    def grid(self) -> int | None:
        """Pixels to a side of the cells that it fetches for; None: it fetches nothing from the source."""
        return None


class _UNet(StageNetwork):
    """A generator of a stem that unshuffles, and levels of half the size each."""

    blocks: Levels
    unshuffle: Factor

    @property
    def multiple(self) -> int:
        """What both sides of the frame must be multiples of: of a pixel of the smallest level."""
        multiple: int = self.unshuffle * 2 ** (self.blocks - 1)
        return multiple


class CoarseConfig(_UNet):
    """G1, stage I. The defaults are the paper's for Market-1501 (70,795,075 parameters at 128x64)."""

    width: Channels = Field(128, description="h: channels of the stem; encoder block i has h*i")
    blocks: Levels = Field(5, description="N: levels of the encoder; 5 for 128x64, 6 for 256x256")
    bottleneck: Channels = Field(64, description="z: size of the fully connected bottleneck")
    unshuffle: Factor = Field(1, description="pixel-unshuffle factor of the input stem; 1 is the paper's")
    slim_decoder: bool = Field(
        False,
        description="reduce each decoder level to its encoder's width by a 1x1 conv before its block",
    )


class DifferenceConfig(_UNet):
    """G2 of the paper, stage II. The defaults are the paper's for Market-1501 (6,058,883 parameters)."""

    kind: Literal["difference"] = "difference"
    width: Channels = Field(128, description="h: channels of the stem; encoder block i has h*i")
    blocks: Levels = Field(3, description="N-2: levels of the encoder; 3 for 128x64, 4 for 256x256")
    unshuffle: Factor = Field(1, description="pixel-unshuffle factor of the input stem; 1 is the paper's")
    shallow_skip: bool = Field(
        False, description="reuse the full-resolution skip: no at 128x64, yes at 256x256 (released graph)"
    )
    zero_start: bool = Field(False, description="start with a difference map of zeros")


class TransportConfig(StageNetwork):
    """A second stage that fetches from the source. The defaults suit 256x256; at 128x64 stride is 2."""

    kind: Literal["transport"]
    widths: Annotated[tuple[Channels, ...], Field(min_length=2, max_length=10)] = Field(
        (32, 64, 128, 192, 192),
        description="channels of the levels, each of half the size, of the network that seeks where to fetch",
    )
    finish: Channels = Field(48, description="channels of the network that looks at what was fetched")
    segment: Annotated[tuple[Channels, ...], Field(max_length=10)] = Field(
        (),
        description="channels of the levels of a network that sees nothing but where the source's person is; "
        "empty: the one that looks at what was fetched says that, too",
    )
    stride: Literal[2, 4, 8] = Field(4, description="all work on maps of 1/stride of the frame")
    radius: Radius = Field(6.0, description="of a keypoint's disc in pixels of the frame")
    sharpness: float = Field(
        2.0, gt=0, le=1000, description="of the choice between parts: the inverse temperature"
    )
    reach: float = Field(
        0.125, ge=0, le=4, description="how far from the way by parts may be fetched, in heights of the frame"
    )
    background: Literal["keep", "expected"] = Field(
        "keep",
        description="behind the person: keep the source's, filled in; or expected: painted, from stage I's",
    )
    shade: int = Field(
        8,
        ge=0,
        le=256,
        description="side, in pixels, of the cells over which a kept background is shaded, a multiple of "
        "stride; 0: it is not shaded",
    )

    @property
    def multiple(self) -> int:
        """What both sides of the frame must be multiples of: of a pixel of the smallest level."""
        levels = max(len(self.widths), len(self.segment))
        return math.lcm(self.stride * 2 ** (levels - 1), self.shade or 1)

    @property
    def grid(self) -> int:
        """See `StageNetwork`."""
        return self.stride

    @model_validator(mode="after")
    def _divides(self) -> "TransportConfig":
        if self.shade % self.stride:
            raise ValueError(f"stride = {self.stride} must divide shade = {self.shade}")
        return self


def kind_of(value: Any) -> str:
    """Which second stage is meant: models saved before there was a choice name none."""
    kind = value.get("kind", "difference") if isinstance(value, dict) else getattr(value, "kind", "")
    return kind if isinstance(kind, str) else type(kind).__name__


# A further second stage is one more member here, and one more case in `pg2.models.refine.build_refiner`.
RefineConfig = Annotated[
    Annotated[DifferenceConfig, Tag("difference")] | Annotated[TransportConfig, Tag("transport")],
    Discriminator(kind_of),
]
"""The settings of a second stage of any kind; `kind` says which."""


class DiscriminatorConfig(Settings):
    """D. The defaults are the paper's (DCGAN) for 128x64; 256x256 has five layers."""

    width: Channels = Field(64, description="channels of the first conv; doubled a layer, up to 8 times")
    layers: Levels = Field(4, description="5x5 stride-2 convs: 4 at 128x64, 5 at 256x256")
    unshuffle: Factor = Field(1, description="pixel-unshuffle factor of the input; 1 is the paper's")
    norm: Literal["batch", "spectral", "none"] = Field(
        "batch", description="batch norm from the second conv on, spectral norm, or none (with r1_weight)"
    )
    head: Literal["linear", "patch"] = Field("linear", description="one logit a picture, or one a patch")


class ModelConfig(Settings):
    """A whole PG2 model: its frame and its one or two stages."""

    frame: tuple[Side, Side] = Field((128, 64), description="(height, width) of the pictures in pixels")
    pose: PoseConfig = PoseConfig()
    coarse: CoarseConfig = CoarseConfig()
    refine: RefineConfig | None = Field(DifferenceConfig(), description="null: a one-stage model")

    @model_validator(mode="after")
    def _divides(self) -> "ModelConfig":
        if self.coarse.unshuffle % self.pose.shrink:
            raise ValueError(
                f"pose.shrink = {self.pose.shrink} must divide coarse.unshuffle = {self.coarse.unshuffle}"
            )
        for name, part in (("coarse", self.coarse), ("refine", self.refine)):
            if part is None:
                continue
            if any(side < part.multiple or side % part.multiple for side in self.frame):
                raise ValueError(
                    f"frame {self.frame[0]}x{self.frame[1]} must divide by {part.multiple}, for the "
                    f"levels of model.{name}"
                )
        return self
