"""Which pairs are scored, and whom they show."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2.data.pairs import Pairs
from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error

Pair = tuple[str, str]
"""(source, target) names of pictures."""


def all_test_pairs(data: PreparedDataset) -> list[Pair]:
    """All ordered pairs of names of the test split: both pictures of one person, with complete torsos.

    Raises:
        Pg2Error: there is none.
    """
    usable = data.usable("test")
    pairs = Pairs([data.records[index].person for index in usable], usable)
    if not len(pairs):
        raise Pg2Error(
            f"{data.path} has no pairs in its test split; give --pairs, or prepare it with --test-share"
        )
    names = [record.name for record in data.records]
    return [(names[source], names[target]) for source, target in map(pairs.__getitem__, range(len(pairs)))]


def pair_indices(data: PreparedDataset, pairs: Sequence[Pair]) -> list[tuple[int, int]]:
    """(source, target) indices in `data` of pairs of names.

    Raises:
        Pg2Error: `data` lacks a picture; the first one is named and all are counted.
    """
    index: dict[str, int] = {}
    lacking: dict[str, None] = {}
    for name in dict.fromkeys(name for pair in pairs for name in pair):
        try:
            index[name] = data.index_of(name)
        except Pg2Error:
            lacking[name] = None
    if lacking:
        hit = sum(1 for pair in pairs if not lacking.keys().isdisjoint(pair))
        raise Pg2Error(
            f"the data set lacks {len(lacking):,} of the {len(lacking) + len(index):,} pictures that the "
            f"pair list names ({hit:,} of {len(pairs):,} pairs), the first of them {next(iter(lacking))}; "
            "was it prepared from the same release, and is it the right list?"
        )
    return [(index[source], index[target]) for source, target in pairs]


def people_of(data: PreparedDataset, pairs: Sequence[Pair]) -> Tensor:
    """Whom each pair shows, as a number a person, int64 [n].

    Raises:
        Pg2Error: as `pair_indices`.
    """
    names = [data.records[target].person for _, target in pair_indices(data, pairs)]
    return torch.from_numpy(np.unique(names, return_inverse=True)[1])


def spread(count: int, wanted: int) -> npt.NDArray[np.int64]:
    """Which of `count` are taken when `wanted` shall be: evenly spread, first and last among them."""
    return np.linspace(0, count - 1, min(count, wanted)).round().astype(np.int64)


def limited(pairs: Sequence[Pair], limit: int | None) -> list[Pair]:
    """So many of the pairs, evenly spread: the first of a list often show a single person.

    Args:
        pairs: in their order.
        limit: how many at most; None: all.

    Raises:
        Pg2Error: `limit` is below 1.
    """
    if limit is None:
        return list(pairs)
    if limit < 1:
        raise Pg2Error(f"the limit on the number of pairs must be at least 1, not {limit}")
    return [pairs[index] for index in spread(len(pairs), limit)]
