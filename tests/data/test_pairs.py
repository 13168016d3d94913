"""Pairs: counts, order and repeatability."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pg2.data.pairs import PairOrder, Pairs, turned_round
from pg2.pose.keypoints import KEYPOINTS, Points

people = st.lists(st.sampled_from("abcd"), min_size=2, max_size=20).filter(lambda p: len(set(p)) < len(p))


@given(people)
def test_pairs_are_all_ordered_pairs_of_one_person(people: list[str]) -> None:
    indices = [10 * place for place in range(len(people))]
    pairs = Pairs(people, indices)
    expected = {(i, j) for i in indices for j in indices if i != j and people[i // 10] == people[j // 10]}
    found = [pairs[number] for number in range(len(pairs))]
    assert set(found) == expected
    assert len(found) == len(expected)


@given(people, st.integers(0, 5))
def test_every_epoch_shows_each_pair_once_in_another_order(people: list[str], seed: int) -> None:
    pairs = Pairs(people, range(len(people)))
    order = PairOrder(pairs, seed, flip=True)
    for epoch in range(2):
        shown = [order[epoch * len(pairs) + place][:2] for place in range(len(pairs))]
        assert sorted(shown) == sorted(pairs[number] for number in range(len(pairs)))


def test_order_depends_on_seed_and_position_only() -> None:
    pairs = Pairs(["a"] * 6 + ["b"] * 6, range(12))
    straight = [PairOrder(pairs, 1, True)[place] for place in range(150)]
    order = PairOrder(pairs, 1, True)
    assert [order[place] for place in reversed(range(150))][::-1] == straight
    assert straight != [PairOrder(pairs, 2, True)[place] for place in range(150)]
    assert straight[:60] != straight[60:120]


def test_flips_are_fair_and_can_be_switched_off() -> None:
    pairs = Pairs(["a"] * 40, range(40))
    flips = [PairOrder(pairs, 0, True)[place][2] for place in range(0, 1560, 3)]
    assert 0.4 < sum(flips) / len(flips) < 0.6
    assert not any(PairOrder(pairs, 0, False)[place][2] for place in range(100))


def _person(width: float) -> Points:
    """Shoulders `width` trunks apart, left to the right of the picture where it is positive."""
    points = np.full((len(KEYPOINTS), 2), np.nan, np.float32)
    for name, x, y in (
        ("left_shoulder", width / 2, 0),
        ("right_shoulder", -width / 2, 0),
        ("left_hip", 0, 1),
        ("right_hip", 0, 1),
    ):
        points[KEYPOINTS.index(name)] = x, y
    return points


def test_turned_round_are_front_and_back_in_either_order() -> None:
    headless = np.full((len(KEYPOINTS), 2), np.nan, np.float32)
    keypoints = np.stack([_person(0.6), _person(-0.5), _person(0.1), _person(0.4), headless])
    pairs = Pairs(["a"] * 5, range(5))
    found = [pairs[number] for number in turned_round(pairs, keypoints)]
    assert sorted(found) == [(0, 1), (1, 0), (1, 3), (3, 1)]
    assert len(turned_round(Pairs(["a", "b"], range(2)), keypoints)) == 0
    # Of several people, in any order, and with pictures in between that take no part.
    several = Pairs(["b", "a", "b", "b", "a"], [3, 0, 1, 2, 4])
    found = [several[number] for number in turned_round(several, keypoints)]
    assert sorted(found) == [(1, 3), (3, 1)]


def test_preferred_pairs_come_in_their_share_and_the_others_still_come() -> None:
    pairs = Pairs(["a"] * 40, range(40))
    preferred = np.arange(0, len(pairs), 10)
    order = PairOrder(pairs, 3, True, preferred, 0.5)
    wanted = {pairs[number] for number in preferred}
    shown = [order[place] for place in range(len(pairs))]
    assert 0.5 < sum(pair[:2] in wanted for pair in shown) / len(shown) < 0.6
    assert {pair[:2] for pair in shown} - wanted
    assert shown == [PairOrder(pairs, 3, True, preferred, 0.5)[place] for place in range(len(pairs))]


def test_nobody_to_prefer_leaves_the_order_as_it_is() -> None:
    pairs = Pairs(["a"] * 6, range(6))
    plain = PairOrder(pairs, 1, True)
    for order in (
        PairOrder(pairs, 1, True, np.empty(0, np.int64), 0.5),
        PairOrder(pairs, 1, True, None, 0.5),
    ):
        assert [order[place] for place in range(60)] == [plain[place] for place in range(60)]
