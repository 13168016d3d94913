"""What a loss term is: settings in a recipe, and a value computed from what a stage made."""

from abc import abstractmethod
from typing import Annotated, ClassVar, NamedTuple

from pydantic import Field
from torch import Tensor, nn

from pg2.data.loader import Batch
from pg2.models.config import Settings
from pg2.models.inputs import Output

Weight = Annotated[float, Field(ge=0, le=1e6)]
Steps = Annotated[int, Field(ge=0, le=1_000_000_000)]
Rate = Annotated[float, Field(gt=0, le=10)]


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
    """The settings of a loss term. A new one is a class like those in `losses`, and a field of `Losses`.

    Attributes:
        of_transport: whether only a stage that fetches from the source can be judged by it; it then uses the
            exact flow of rendered people, where a data set has it.
    """

    of_transport: ClassVar[bool] = False

    weight: Weight = Field(0.0, description="of the term; 0 leaves it out")
    after: Steps = Field(0, description="steps before it joins")
    until: Steps | None = Field(None, ge=1, description="steps after which it leaves; null: never")

    def network(self) -> nn.Module | None:
        """A frozen network that the term uses; the stage moves and prepares it like any other."""
        return None

    @abstractmethod
    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """The term, not yet weighted; a scalar with its graph.

        Args:
            ready: the targets.
            output: what the stage made of the batch.
            network: what `network` gave, on the device that trains.
        """
