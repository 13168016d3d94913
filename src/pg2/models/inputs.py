"""What a model is given, and what it gives back."""

from __future__ import annotations  # so that the names of PyTorch, slow to import, need not be there

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal, NamedTuple

from pg2.io.pixels import rounded, to_levels, to_unit

if TYPE_CHECKING:
    import torch
    from torch import Tensor


class Inputs(NamedTuple):
    """A source picture, the pose on it, and the pose that is wanted. All lie in the model's frame.

    Attributes:
        source: uint8 [B, 3, H, W] RGB.
        source_keypoints: float32 [B, 18, 2], (x, y) in pixels, NaN where missing.
        target_keypoints: the same of the target pose.
    """

    source: Tensor
    source_keypoints: Tensor
    target_keypoints: Tensor

    def to(self, device: torch.device | str, non_blocking: bool = False) -> Inputs:
        """The same on `device`."""
        return Inputs(*(tensor.to(device, non_blocking=non_blocking) for tensor in self))


PictureKind = Literal["image", "difference", "mask"]
"""How the values of a picture are to be read: an image lies in [-1, 1], a difference of two in [-2, 2], a
mask, of one channel, in [0, 1]."""


class PictureInfo(NamedTuple):
    """What a picture that a model makes on the way is called, and how its values are read."""

    heading: str
    kind: PictureKind = "image"


COPIED, PERSON, WARPED = "mask", "silhouette", "warped"
"""Pictures of a second stage that fetches from the source. Two masks, of which follows how much of the result
is known: what of a pixel is fetched; where the person is. And what was fetched."""


CHANGED, FETCHED = "changed", "fetched"
"""Maps of a second stage that fetches from the source: where the result is not the source's own ground, of
shape [B, 1, H, W] in [0, 1]; where in the source each pixel was fetched, [B, H, W, 2], (x, y) in pixels."""


class Output(NamedTuple):
    """What a model gives.

    Attributes:
        image: the result, float [B, 3, H, W], about [-1, 1] (linear outputs, not clamped).
        pictures: further pictures by name, in the order in which they are made: float [B, C, H, W], to be
            read as the model's `pictures` say.
        maps: what else a stage found out on the way, by name, for losses to look at; not to be shown.
    """

    image: Tensor
    pictures: Mapping[str, Tensor]
    maps: Mapping[str, Tensor] = MappingProxyType({})


def shown(picture: Tensor, kind: PictureKind) -> Tensor:
    """A picture as it is looked at, [B, 3, H, W], about [-1, 1].

    A difference is shown at half its strength, grey where there is none; a mask from black (0) to white (1).
    """
    if kind == "difference":
        return picture / 2
    if kind == "mask":
        return (picture * 2 - 1).expand(-1, 3, -1, -1)
    return picture


def results(stages: Iterable[str], output: Output) -> dict[str, Tensor]:
    """The picture of each stage, by the names of one or two `stages`, images [B, 3, H, W]."""
    *earlier, last = stages
    return {**{name: output.pictures[name] for name in earlier}, last: output.image}


def as_bytes(output: Output, pictures: Mapping[str, PictureInfo]) -> dict[str, Tensor]:
    """What a model gave, as files have it.

    Args:
        output: of a batch.
        pictures: how to read each; see `PG2.pictures`.

    Returns:
        uint8 each: "image", then the `pictures` as they are looked at: [B, H, W, 3], or of a mask [B, H, W].
        Last the maps, where there are such: "changed", uint8 [B, H, W] in 0..255; "fetched", float32
        [B, H, W, 2].
    """
    made = {"image": rounded(to_levels(output.image)).movedim(1, -1)}
    for name, picture in output.pictures.items():
        if pictures[name].kind == "mask":
            made[name] = rounded(picture[:, 0].float() * 255)
        else:
            made[name] = rounded(to_levels(shown(picture, pictures[name].kind))).movedim(1, -1)
    if CHANGED in output.maps:
        made[CHANGED] = rounded(output.maps[CHANGED][:, 0].float() * 255)
    if FETCHED in output.maps:
        made[FETCHED] = output.maps[FETCHED].float()
    return made


def from_bytes(made: Mapping[str, Tensor], pictures: Mapping[str, PictureInfo]) -> Output:
    """The way back of `as_bytes`, to whole grey levels."""
    further = {}
    for name, info in pictures.items():
        if info.kind == "mask":
            further[name] = made[name][:, None] / 255
        else:
            strength = 2 if info.kind == "difference" else 1
            further[name] = to_unit(made[name].movedim(-1, 1)) * strength
    maps = {CHANGED: made[CHANGED][:, None] / 255} if CHANGED in made else {}
    maps |= {FETCHED: made[FETCHED]} if FETCHED in made else {}
    return Output(to_unit(made["image"].movedim(-1, 1)), further, maps)
