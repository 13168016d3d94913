"""Who pairs with whom, and in which order the pairs come: a pure function of seed and position."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np


class Pairs:
    """All ordered pairs of different pictures of one person (paper, section 4.1).

    Pair number k of `len(self)` is computed, not stored, so that 263,632 pairs cost nothing.
    """

    def __init__(self, people: Sequence[str], indices: Sequence[int]) -> None:
        """`people[i]` is the person on the picture whose index in the data set is `indices[i]`."""
        members: dict[str, list[int]] = defaultdict(list)
        for person, index in zip(people, indices, strict=True):
            members[person].append(index)
        self._groups = [group for group in members.values() if len(group) > 1]
        self._ends = np.cumsum([len(group) * (len(group) - 1) for group in self._groups], dtype=np.int64)

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def __getitem__(self, number: int) -> tuple[int, int]:
        """(source, target) picture indices of pair `number`."""
        if not 0 <= number < len(self):
            raise IndexError(number)
        place = int(np.searchsorted(self._ends, number, side="right"))
        group = self._groups[place]
        within = number - (int(self._ends[place - 1]) if place else 0)
        source, other = divmod(within, len(group) - 1)
        return group[source], group[other + (other >= source)]


class PairOrder:
    """An endless shuffled order of pairs, each once an epoch, each with a coin for left-right flip.

    Everything follows from `seed` and the position, so a resumed run sees what it would have seen.
    """

    def __init__(self, pairs: Pairs, seed: int, flip: bool) -> None:
        self._pairs, self._seed, self._flip = pairs, seed, flip
        self._epoch = -1
        self._order: np.ndarray[tuple[int], np.dtype[np.int64]] = np.empty(0, np.int64)
        self._coins: np.ndarray[tuple[int], np.dtype[np.bool_]] = np.empty(0, np.bool_)

    def __getitem__(self, position: int) -> tuple[int, int, bool]:
        """(source, target, flipped) at `position` (0, 1, 2, ... without end)."""
        epoch, within = divmod(position, len(self._pairs))
        if epoch != self._epoch:
            generator = np.random.default_rng([self._seed, epoch])
            self._order = generator.permutation(len(self._pairs))
            self._coins = generator.random(len(self._pairs)) < 0.5
            self._epoch = epoch
        source, target = self._pairs[int(self._order[within])]
        return source, target, self._flip and bool(self._coins[within])
