"""Pairs: counts, order and repeatability."""

from hypothesis import given
from hypothesis import strategies as st

from pg2.data.pairs import PairOrder, Pairs

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
