"""What networks saw in real pictures, which come again in pair after pair: each is looked at once."""

from collections import OrderedDict
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

BYTES = 1_000_000_000
"""What one network saw takes so much memory at most: 4,000 pictures of 128x64 for EfficientNet-Lite0."""


class Remembered:
    """A look at batches of named pictures, remembered picture by picture; the longest unused is forgotten.

    Memory is taken once, in a few large pieces: many small ones would keep the heap from shrinking.
    """

    def __init__(self, look: Callable[..., Sequence[Tensor]], pictures: int, size: int = BYTES) -> None:
        """Nothing is looked at yet.

        Args:
            look: gives tensors [B, ...] for what it is given, all [B, ...].
            pictures: how many different ones will come at most.
            size: bytes to remember, at most; but always the pictures of the first batch.
        """
        self._look, self._pictures, self._size = look, pictures, size
        self._places: OrderedDict[str, int] = OrderedDict()
        self._kept: list[Tensor] = []
        self._room = 0

    @torch.inference_mode()
    def __call__(self, names: Sequence[str], *batch: Tensor) -> list[Tensor]:
        """What `look` gives for a batch of pictures.

        Args:
            names: of the pictures, [B]; a name always stands for the same picture.
            batch: what `look` takes of them, [B, ...] each.
        """
        first = {name: index for index, name in reversed(list(enumerate(names)))}
        if self._kept and len(first) > self._room:
            return list(self._look(*batch))
        new = [name for name in dict.fromkeys(names) if name not in self._places]
        for name in first.keys() - new:
            self._places.move_to_end(name)
        if new:
            indices = [first[name] for name in new]
            self._keep(new, len(first), self._look(*(part[indices] for part in batch)))
        places = [self._places[name] for name in names]
        return [kept[places].movedim(-1, 1) for kept in self._kept]

    def _keep(self, names: Sequence[str], together: int, seen: Sequence[Tensor]) -> None:
        # Channels last, as they lie in memory where a network is fast; what is compared should lie alike.
        seen = [value.movedim(1, -1) for value in seen]
        if not self._kept:
            each = sum(value[0].numel() * value.element_size() for value in seen)
            self._room = max(min(self._pictures, self._size // each), together)
            self._kept = [value.new_empty((self._room, *value.shape[1:])) for value in seen]
        for name in names:
            full = len(self._places) == self._room
            self._places[name] = self._places.popitem(last=False)[1] if full else len(self._places)
        places = [self._places[name] for name in names]
        for kept, value in zip(self._kept, seen, strict=True):
            kept[places] = value
