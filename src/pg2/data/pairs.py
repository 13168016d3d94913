"""Who pairs with whom, and in which order the pairs come: a pure function of seed and position."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from pg2.pose.facing import NARROW, shoulder_width
from pg2.pose.keypoints import Points


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

    @property
    def groups(self) -> Iterator[tuple[int, list[int]]]:
        """Of each person the number of the first pair, and the picture indices in their order."""
        for group, end in zip(self._groups, self._ends, strict=True):
            yield int(end) - len(group) * (len(group) - 1), group

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


def turned_round(pairs: Pairs, keypoints: Points) -> npt.NDArray[np.int64]:
    """Numbers of the pairs that show the person once from the front and once from the back.

    Args:
        pairs: of a data set.
        keypoints: of all its pictures, [n, 18, 2].
    """
    width = shoulder_width(keypoints)
    # Where shoulders or hips are missing, the comparison with NaN is false.
    side = np.where(np.abs(width) > NARROW, np.sign(width), 0)
    found = [np.empty(0, np.int64)]
    for first, group in pairs.groups:
        source, target = np.nonzero(np.outer(side[group], side[group]) < 0)
        found.append(first + source * (len(group) - 1) + target - (target > source))
    return np.concatenate(found)


class PairOrder:
    """An endless shuffled order of pairs, each with a coin for left-right flip.

    Each pair comes once an epoch, unless some are preferred. Everything follows from `seed` and the position,
    so a resumed run sees what it would have seen.
    """

    def __init__(
        self,
        pairs: Pairs,
        seed: int,
        flip: bool,
        preferred: npt.NDArray[np.int64] | None = None,
        share: float = 0.0,
    ) -> None:
        """Prepare the order.

        Args:
            pairs: to be ordered.
            seed: of the order.
            flip: whether half of the pairs are mirrored.
            preferred: numbers of pairs that come more often; None or empty: all come equally often.
            share: of the positions that go to preferred pairs, in place of the pair whose turn it is.
        """
        self._pairs, self._seed, self._flip = pairs, seed, flip
        self._preferred = np.empty(0, np.int64) if preferred is None else preferred
        self._share = share if len(self._preferred) else 0.0
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
            if self._share:
                places = np.flatnonzero(generator.random(len(self._pairs)) < self._share)
                self._order[places] = generator.choice(self._preferred, len(places))
            self._epoch = epoch
        source, target = self._pairs[int(self._order[within])]
        return source, target, self._flip and bool(self._coins[within])
