"""Pairs -> batches: uint8 pictures and keypoints, never dense maps."""

import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg2.data.exact import Exact, ExactFlow
from pg2.data.pairs import PairOrder
from pg2.data.prepared import PreparedDataset
from pg2.io.pixels import Image8, from_images
from pg2.models.inputs import Inputs
from pg2.pose.keypoints import Points, Pose

# Threads, not the worker processes of torch's DataLoader: what takes time, decoding JPEG, lets go of the
# interpreter's lock; the decoded pictures are kept once, not once a worker; nothing is forked, started anew
# or copied between processes. See benchmarks/loading.py.
_THREADS = min(4, os.cpu_count() or 1)
_AHEAD = _THREADS + 1


class Batch(NamedTuple):
    """One batch of training pairs.

    Attributes:
        inputs: what the model is given.
        target: uint8 [B, 3, H, W] RGB, what it should make of that.
        exact: where in the source all of the target is seen, of rendered people; None where it is not known,
            or not wanted.
    """

    inputs: Inputs
    target: Tensor
    exact: Exact | None = None

    def to(self, device: torch.device, non_blocking: bool = False) -> "Batch":
        """The batch on `device`; `non_blocking` as in `Tensor.to`."""
        exact = None if self.exact is None else self.exact.to(device, non_blocking)
        target = self.target.to(device, non_blocking=non_blocking)
        return Batch(self.inputs.to(device, non_blocking), target, exact)

    def pin_memory(self) -> "Batch":
        """The batch in memory that a device reads by itself, while the processor goes on."""
        inputs = Inputs(*(tensor.pin_memory() for tensor in self.inputs))
        exact = None if self.exact is None else Exact(*(tensor.pin_memory() for tensor in self.exact))
        return Batch(inputs, self.target.pin_memory(), exact)


def assemble(
    data: PreparedDataset,
    pairs: Sequence[tuple[int, int, bool]],
    image: Callable[[int], Image8] | None = None,
    flow: ExactFlow | None = None,
) -> Batch:
    """The batch of some pairs.

    Args:
        data: holds their pictures.
        pairs: (source, target, flipped): indices in `data`, and whether both are mirrored left to right.
        image: picture of an index, such as `data.cached()`; None: `data.image`.
        flow: finds the exact flow of the pairs; None leaves it out.

    Raises:
        Pg2Error: a picture's bytes on disk are no longer what was written.
    """
    image = image or data.image
    images: list[list[Image8]] = [[], []]
    points: list[list[Points]] = [[], []]
    for source, target, flipped in pairs:
        for side, index in enumerate((source, target)):
            picture, keypoints = image(index), data.keypoints[index]
            if flipped:
                picture = picture[:, ::-1]
                keypoints = Pose(keypoints, data.frame).mirror().points
            images[side].append(picture)
            points[side].append(keypoints)
    sources, targets = (from_images(side) for side in images)
    source_keypoints, target_keypoints = (torch.from_numpy(np.stack(side)) for side in points)
    exact = None if flow is None else flow.of(pairs)
    return Batch(Inputs(sources, source_keypoints, target_keypoints), targets, exact)


class Loader:
    """Hands out batch number n of an order of pairs; threads prepare the next ones meanwhile.

    The decoded pictures last used are kept, up to a gigabyte.
    """

    def __init__(
        self,
        data: PreparedDataset,
        order: PairOrder,
        batch: int,
        rank: int = 0,
        world: int = 1,
        device: torch.device | None = None,
        flow: ExactFlow | None = None,
        jitter: float = 0.0,
        seed: int = 0,
    ) -> None:
        """Share the order out.

        Args:
            data: holds the pictures.
            order: of the pairs.
            batch: pairs a step over all processes.
            rank: which process this is; it takes the `rank`-th of `world` equal shares of each batch.
            world: how many processes there are.
            device: where the batches will go: for a GPU they lie in pinned memory.
            flow: finds the exact flow of the pairs; None leaves it out.
            jitter: spread by which each of the source's keypoints is moved, in heights of the frame.
            seed: of that; with the batch's number it says how.
        """
        if batch % world:
            raise ValueError(f"a batch of {batch} does not divide among {world} processes")
        self._data, self._order, self._batch = data, order, batch
        self._rank, self._world = rank, world
        self._image, self._flow = data.cached(), flow
        self._spread, self._seed = jitter * data.frame[0], seed
        self._pinned = device is not None and device.type in ("cuda", "xpu")

    def _pairs(self, number: int) -> list[tuple[int, int, bool]]:
        share = self._batch // self._world
        first = number * self._batch + self._rank * share
        return [self._order[position] for position in range(first, first + share)]

    def _made(self, number: int, pairs: Sequence[tuple[int, int, bool]]) -> Batch:
        batch = assemble(self._data, pairs, self._image, self._flow)
        if self._spread:
            # Drawn for the batch of all processes, so that the number of them makes no difference.
            generator = np.random.default_rng([self._seed, number, 0])
            count, *shape = batch.inputs.source_keypoints.shape
            whole = generator.normal(0.0, self._spread, (self._batch, *shape))
            moved = whole[self._rank * count :][:count]
            keypoints = batch.inputs.source_keypoints + torch.from_numpy(moved.astype(np.float32))
            batch = batch._replace(inputs=batch.inputs._replace(source_keypoints=keypoints))
        return batch.pin_memory() if self._pinned else batch

    def batch(self, number: int) -> Batch:
        """Batch `number` (0, 1, ...) of this process."""
        return self._made(number, self._pairs(number))

    def batches(self, start: int, stop: int) -> Generator[Batch]:
        """Batches `start` to `stop` - 1, the next few of them prepared while one is in use.

        The threads end with the iterator, at its end or when it is closed or dropped before.

        Raises:
            Pg2Error: with the batch that cannot be read, not before.
        """
        # Drawn in this thread, one after the other: an order keeps its epoch and is not for several.
        drawn = ((number, self._pairs(number)) for number in range(start, stop))
        pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="pg2-loader")
        try:
            coming = deque(pool.submit(self._made, *part) for part in islice(drawn, _AHEAD))
            while coming:
                batch = coming.popleft().result()
                coming.extend(pool.submit(self._made, *part) for part in islice(drawn, 1))
                yield batch
        finally:
            pool.shutdown(cancel_futures=True)


class Alternating:
    """Hands out the batches of several loaders in turn."""

    def __init__(self, loaders: Sequence[Loader]) -> None:
        """Batch number n is the `loaders[n % count]`'s number n // count."""
        self._loaders = loaders

    def batches(self, start: int, stop: int) -> Iterator[Batch]:
        """As `Loader.batches`."""
        count = len(self._loaders)
        turns = [
            loader.batches((start - place - 1) // count + 1, (stop - place - 1) // count + 1)
            for place, loader in enumerate(self._loaders)
        ]
        with ExitStack() as opened:
            for turn in turns:
                opened.enter_context(closing(turn))
            for number in range(start, stop):
                yield next(turns[number % count])
