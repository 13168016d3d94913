"""Pairs -> batches: uint8 pictures and keypoints, never dense maps."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg2.data.pairs import PairOrder
from pg2.data.prepared import PreparedDataset
from pg2.io.pixels import Image8, from_images
from pg2.models.inputs import Inputs
from pg2.pose.keypoints import Points, Pose

_CACHE_BYTES = 1_000_000_000


class Batch(NamedTuple):
    """One batch of training pairs.

    Attributes:
        inputs: see `Inputs`.
        target: the target pictures, uint8 [B, 3, H, W] RGB.
    """

    inputs: Inputs
    target: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The batch on `device`."""
        return Batch(self.inputs.to(device, non_blocking=True), self.target.to(device, non_blocking=True))


class Loader:
    """Hands out batch number n of an order of pairs; a thread prepares the next one meanwhile.

    Decoded pictures are kept while they fit into a gigabyte.
    """

    def __init__(
        self, data: PreparedDataset, order: PairOrder, batch: int, rank: int = 0, world: int = 1
    ) -> None:
        """`batch` pairs a step over all processes; this one takes the `rank`-th of `world` equal shares."""
        if batch % world:
            raise ValueError(f"a batch of {batch} does not divide among {world} processes")
        self._data, self._order, self._batch = data, order, batch
        self._rank, self._world = rank, world
        self._cache: dict[int, Image8] = {}
        height, width = data.frame
        self._room = _CACHE_BYTES // (height * width * 3)

    def _image(self, index: int) -> Image8:
        image = self._cache.get(index)
        if image is None:
            image = self._data.image(index)
            if len(self._cache) < self._room:
                self._cache[index] = image
        return image

    def batch(self, number: int) -> Batch:
        """Batch `number` (0, 1, ...) of this process."""
        share = self._batch // self._world
        first = number * self._batch + self._rank * share
        drawn = [self._order[position] for position in range(first, first + share)]
        images: list[list[Image8]] = [[], []]
        points: list[list[Points]] = [[], []]
        for source, target, flipped in drawn:
            for side, index in enumerate((source, target)):
                image, keypoints = self._image(index), self._data.keypoints[index]
                if flipped:
                    image = image[:, ::-1]
                    keypoints = Pose(keypoints, self._data.frame).mirror().points
                images[side].append(image)
                points[side].append(keypoints)
        pictures = [from_images(side) for side in images]
        poses = [torch.from_numpy(np.stack(side)) for side in points]
        return Batch(Inputs(pictures[0], *poses), pictures[1])

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """Batches `start` to `stop` - 1, each prepared while the one before is in use."""
        with ThreadPoolExecutor(1, thread_name_prefix="pg2-loader") as pool:
            coming: Future[Batch] | None = pool.submit(self.batch, start) if start < stop else None
            for number in range(start, stop):
                assert coming is not None
                batch = coming.result()
                coming = pool.submit(self.batch, number + 1) if number + 1 < stop else None
                yield batch
