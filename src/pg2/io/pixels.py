"""Pictures as files have them (0 to 255) and as networks have them (-1 to 1): the one way there and back."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error

# PyTorch takes a second to load, and much of what names a picture does without it.
if TYPE_CHECKING:
    from torch import Tensor

Image8 = npt.NDArray[np.uint8]
"""A picture as files have it: uint8 RGB [H, W, 3], the top row first."""


def to_unit(images: "Tensor") -> "Tensor":
    """Pictures as a network takes them: 0..255 to [-1, 1].

    Args:
        images: uint8 (or float with the same values) [..., 3, H, W].

    Returns:
        float32 of the same shape, on the same device.
    """
    return images.float() / 127.5 - 1.0


def to_levels(images: "Tensor") -> "Tensor":
    """The way back of `to_unit`, neither rounded nor clamped, so that gradients pass: [-1, 1] to 0..255."""
    return (images.float() + 1.0) * 127.5


def from_images(images: Sequence[Image8]) -> "Tensor":
    """Arrays uint8 [H, W, 3] of one size as one batch, uint8 [B, 3, H, W]; they are copied."""
    import torch

    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def to_uint8(images: "Tensor") -> "Tensor":
    """Pictures of a model as they are saved and scored: [-1, 1] to 0..255, rounded, clamped.

    Args:
        images: float [..., 3, H, W], about [-1, 1].

    Returns:
        uint8 of the same shape, on the same device.

    Raises:
        Pg2Error: a value is not finite. As a byte it would look like any other.
    """
    check_finite(images)
    return rounded(to_levels(images))


def check_finite(*images: "Tensor") -> None:
    """Refuse pictures that a model computed amiss.

    Raises:
        Pg2Error: a value is not finite.
    """
    if not all(to_levels(picture).isfinite().all() for picture in images):
        raise Pg2Error("the model made a picture that is not finite: it is broken, or needs fp32")


def rounded(levels: "Tensor") -> "Tensor":
    """Grey levels as bytes: float of any shape to uint8, rounded and clamped to 0..255."""
    return levels.round().clamp(0, 255).byte()


def to_images(images: "Tensor") -> list[Image8]:
    """A batch of a model's pictures, float [B, 3, H, W] in [-1, 1], as B uint8 arrays [H, W, 3]."""
    return list(to_uint8(images).permute(0, 2, 3, 1).cpu().numpy())
