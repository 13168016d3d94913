"""What a model is given."""

from typing import NamedTuple

import torch
from torch import Tensor


class Inputs(NamedTuple):
    """Pictures of people and the poses they shall take.

    Attributes:
        source: uint8 [B, 3, H, W], RGB.
        source_keypoints: float32 [B, 18, 2], (x, y) in pixels of the source, NaN where missing.
        target_keypoints: the same, of the pose to take.
    """

    source: Tensor
    source_keypoints: Tensor
    target_keypoints: Tensor

    def to(self, device: torch.device, non_blocking: bool = False) -> "Inputs":
        """The same on `device`; `non_blocking` as in `Tensor.to`."""
        return Inputs(*(tensor.to(device, non_blocking=non_blocking) for tensor in self))
