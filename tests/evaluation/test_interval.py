"""How far a mean can be trusted, when pairs are independent and when only people are."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pg2.evaluation.interval import mean_of

NAN = float("nan")


def normal(count: int, seed: int = 0) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=count))


def test_pairs_taken_as_independent() -> None:
    values = torch.tensor([1.0, 2.0, NAN, 6.0], dtype=torch.float64)
    mean, half_width = mean_of(values)
    assert mean == 3
    assert half_width == pytest.approx(1.96 * 7**0.5 / 3**0.5)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(st.lists(st.floats(-100, 100), min_size=2, max_size=40))
def test_one_pair_a_person_is_the_same_as_independent_pairs(scores: list[float]) -> None:
    values = torch.tensor(scores, dtype=torch.float64)
    people = torch.arange(len(scores)).flip(0) * 7
    assert mean_of(values, people) == pytest.approx(mean_of(values), rel=1e-9, abs=1e-12)


def test_pairs_of_one_person_that_agree_are_one_observation() -> None:
    values = normal(20)
    repeated = values.repeat_interleave(50)
    people = torch.arange(20).repeat_interleave(50)
    over_people = mean_of(repeated, people).half_width
    assert over_people == pytest.approx(1.96 * float(values.std()) / 20**0.5)
    assert over_people > 7 * mean_of(repeated).half_width


def test_it_does_not_matter_how_pairs_are_ordered_and_people_numbered() -> None:
    values, people = normal(60), torch.arange(60) // 6
    order = torch.randperm(60, generator=torch.Generator().manual_seed(0))
    shuffled = mean_of(values[order], 1000 - 3 * people[order])
    assert shuffled == pytest.approx(mean_of(values, people))


def test_people_without_a_score_do_not_count() -> None:
    values, people = normal(12), torch.arange(12) // 3
    gaps = values.clone()
    gaps[:4] = NAN  # all of the first person and a pair of the second
    assert mean_of(gaps, people) == pytest.approx(mean_of(values[4:], people[4:]))


@pytest.mark.parametrize("people", [None, torch.zeros(1, dtype=torch.int64)])
def test_a_single_pair_has_no_interval(people: torch.Tensor | None) -> None:
    mean, half_width = mean_of(torch.tensor([0.5]), people)
    assert mean == 0.5
    assert math.isnan(half_width)


def test_one_person_has_no_interval() -> None:
    mean, half_width = mean_of(torch.tensor([0.25, 0.75]), torch.tensor([4, 4]))
    assert mean == 0.5
    assert math.isnan(half_width), "nothing is known of how people differ"


@pytest.mark.parametrize("people", [None, torch.arange(3)])
def test_nothing_measured_is_no_score(people: torch.Tensor | None) -> None:
    assert all(map(math.isnan, mean_of(torch.full((3,), NAN), people)))
