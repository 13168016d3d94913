"""Pictures as files have them (0 to 255) and as networks have them (-1 to 1): the one way there and back."""

import numpy as np
import torch
from torch import Tensor

from pg2.io.pictures import Image8


def to_unit(images: Tensor) -> Tensor:
    """Pictures as a network takes them: 0..255 to [-1, 1].

    Args:
        images: uint8 (or float with the same values) [..., 3, H, W].

    Returns:
        float32 of the same shape, on the same device.
    """
    return images.float() / 127.5 - 1.0


def from_images(images: "list[Image8] | tuple[Image8, ...]") -> Tensor:
    """Arrays uint8 [H, W, 3] of one size as one batch, uint8 [B, 3, H, W]."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)


def to_uint8(images: Tensor) -> Tensor:
    """Pictures of a model as they are saved and scored: [-1, 1] to 0..255, rounded, clamped.

    Args:
        images: float [..., 3, H, W], about [-1, 1], finite.

    Returns:
        uint8 of the same shape, on the same device.
    """
    return ((images.float() + 1.0) * 127.5).round().clamp(0, 255).to(torch.uint8)


def to_images(images: Tensor) -> list[Image8]:
    """A batch of a model's pictures, float [B, 3, H, W] in [-1, 1], as B uint8 arrays [H, W, 3]."""
    return list(to_uint8(images).permute(0, 2, 3, 1).cpu().numpy())
