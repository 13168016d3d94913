"""Networks that say what a set of pictures looks like: classes, and features to compare sets by."""

from typing import NamedTuple, Protocol

from torch import Tensor


class Look(NamedTuple):
    """What a judge sees in a batch.

    Attributes:
        probabilities: of the classes, float [B, classes], rows of sum 1.
        pooled: the features before the last layer, float [B, D].
        layers: features of several depths, float [B, C, H, W], each place of length 1; None where the judge
            is not used for distances between two pictures.
    """

    probabilities: Tensor
    pooled: Tensor
    layers: list[Tensor] | None


class Judge(Protocol):
    """A classifier that scores sets of pictures, on the device that it was loaded onto.

    Attributes:
        name: put before the names of its scores in tables; empty for the field's own network.
        key: the same for the names in files, such as "lite0_".
        words: what it is, for the notes below a table.
    """

    name: str
    key: str
    words: str

    def look(self, images: Tensor) -> Look:
        """What it sees in images, uint8 or float [B, 3, H, W] in 0..255."""
        ...
