"""The exact flow of a batch of pairs of rendered people, as training takes it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2.data.correspondence import SourceSurface, correspond
from pg2.data.prepared import PreparedDataset

_SURFACES = 512  # some 0.5 MB each, with their geometry


class Exact(NamedTuple):
    """Where in the source the cells of a grid over the target are seen, and where the people are.

    Attributes:
        places: float32 [B, h, w, 2], (x, y) in pixels of the source; of visible and borrowed cells alone.
        seen: uint8 [B, h, w], values of `pg2.data.correspondence.Seen`.
        source_mask, target_mask: uint8 [B, 1, H, W], how much of a pixel the person covers.
    """

    places: Tensor
    seen: Tensor
    source_mask: Tensor
    target_mask: Tensor

    def to(self, device: torch.device, non_blocking: bool = False) -> "Exact":
        """The same on `device`."""
        return Exact(*(tensor.to(device, non_blocking=non_blocking) for tensor in self))


class ExactFlow:
    """Finds the exact flow of pairs; safe to call from several threads."""

    def __init__(self, data: PreparedDataset, stride: int) -> None:
        """`data` has geometry; `stride`: pixels of the target to a side of a cell."""
        self._data, self._stride = data, stride
        self._geometry = lru_cache(_SURFACES)(data.geometry)
        self._surface = lru_cache(_SURFACES)(lambda index: SourceSurface(self._geometry(index)))

    def of(self, pairs: Sequence[tuple[int, int, bool]]) -> Exact:
        """Of (source, target, flipped) pairs of indices; flipped: both are mirrored left to right.

        Raises:
            Pg2Error: two pictures of different people, or damaged data.
        """
        parts: list[list[npt.NDArray[Any]]] = [[], [], [], []]
        for source, target, flipped in pairs:
            geometry = self._geometry(target)
            flow = correspond(self._surface(source), geometry, self._stride)
            masks = [self._geometry(source).mask[None], geometry.mask[None]]
            if flipped:
                flow, masks = flow.mirror(self._data.frame[1]), [mask[..., ::-1] for mask in masks]
            found: list[npt.NDArray[Any]] = [*flow, *masks]
            for part, value in zip(parts, found, strict=True):
                part.append(value)
        return Exact(*(torch.from_numpy(np.stack(part)) for part in parts))
