"""Which pairs are scored: all of the test split, those of a list, and how a limit spreads over them."""

from typing import Any

import numpy as np
import pytest
from evaluation_samples import noise

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.evaluation.pair_lists import all_test_pairs, limited, pair_indices, people_of, spread


def test_all_pairs_of_the_test_split(tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    pairs = all_test_pairs(tiny)
    split = {record.name: record.split for record in tiny.records}
    assert len(set(pairs)) == len(pairs) == 2 * 3 * 2
    assert {split[name] for pair in pairs for name in pair} == {"test"}
    assert all(source[0] == target[0] and source != target for source, target in pairs)
    monkeypatch.setattr(PreparedDataset, "usable", lambda *_: [])
    with pytest.raises(Pg2Error, match="no pairs in its test split; give --pairs"):
        all_test_pairs(tiny)


def test_pairs_of_unknown_pictures_are_counted_and_the_first_is_named() -> None:
    data: Any = noise(5)
    pairs = [("0.jpg", "1.jpg"), ("4.jpg", "2.jpg"), ("3.jpg", "0.jpg")]
    assert pair_indices(data, pairs) == [(0, 1), (4, 2), (3, 0)]
    words = r"lacks 2 of the 7 pictures .* \(2 of 5 pairs\), the first of them lost\.jpg"
    with pytest.raises(Pg2Error, match=words):
        pair_indices(data, [*pairs, ("0.jpg", "lost.jpg"), ("gone.jpg", "lost.jpg")])


@pytest.mark.parametrize(("count", "wanted"), [(10, 3), (3, 10), (1, 1), (100, 7), (5, 0)])
def test_what_is_taken_is_spread_evenly(count: int, wanted: int) -> None:
    found = spread(count, wanted)
    assert len(set(found)) == len(found) == min(count, wanted)
    if wanted > 1 and count > 1:
        assert (found[0], found[-1]) == (0, count - 1)
    gaps = np.diff(found)
    assert not len(gaps) or gaps.max() - gaps.min() <= 1


def test_a_limit_shows_more_than_the_first_person(tiny: PreparedDataset) -> None:
    pairs = all_test_pairs(tiny)
    assert len(set(people_of(tiny, pairs[:6]).tolist())) == 1, "the first pairs are of one person"
    few = limited(pairs, 4)
    assert few == [pairs[index] for index in (0, 4, 7, 11)]
    assert people_of(tiny, few).tolist() == [0, 0, 1, 1]
    assert limited(pairs, None) == limited(pairs, 99) == pairs
    for limit in (0, -3):
        with pytest.raises(Pg2Error, match=f"at least 1, not {limit}"):
            limited(pairs, limit)
