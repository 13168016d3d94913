"""What every generator of a model has: it starts its own weights, and grows from a smaller one's."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

from torch import Tensor, nn

from pg2.errors import Pg2Error
from pg2.models.config import StageNetwork
from pg2.models.inputs import Inputs, Output, PictureInfo


class Stage(nn.Module):
    """A generator: one stage of a model."""

    name: ClassVar[str]
    """Of its settings in a recipe's `model`."""

    config: StageNetwork

    def initialise(self) -> None:
        """Xavier-uniform weights and zero biases, as the released graph has; what starts at zero stays so."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                if part.weight.any():
                    nn.init.xavier_uniform_(part.weight)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    @abstractmethod
    def start_from(self, start: Self, factor: int) -> None:
        """Copy the weights of `start`, whose pictures are `factor` times smaller a side.

        Raises:
            Pg2Error: the two differ in another setting than that.
        """

    def check_fits(self, start: "Stage", grown: Mapping[str, object]) -> None:
        """Refuse a start of other settings.

        Args:
            start: the stage to start from.
            grown: settings that are not the start's own but follow from it.

        Raises:
            Pg2Error: naming the setting, and what it must be.
        """
        for setting, value in {**start.config.model_dump(), **grown}.items():
            if getattr(self.config, setting) != value:
                raise Pg2Error(
                    f"the model to start from does not fit the recipe: model.{self.name}.{setting} must be "
                    f"{value}, not {getattr(self.config, setting)}"
                )


class Refiner(Stage):
    """A second stage: from what the model is given, and the coarse picture, to the result."""

    name = "refine"

    pictures: ClassVar[Mapping[str, PictureInfo]] = {}
    """The pictures that it makes on the way, in order."""

    backgrounds: ClassVar[tuple[str, ...]] = ()
    """What it can put behind the person, where there is a choice."""

    def set_background(self, background: str) -> None:
        """Put another of its `backgrounds` behind the person."""
        raise NotImplementedError

    @abstractmethod
    def forward(self, inputs: Inputs, coarse: Tensor) -> Output:
        """The refined picture, and this stage's `pictures`.

        Args:
            inputs: see `Inputs`.
            coarse: image I_B1, [B, 3, H, W], about [-1, 1].
        """
