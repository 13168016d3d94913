"""Intervals against published values, their limits, and what they promise."""

import numpy as np
import pytest

from pg2.userstudy.intervals import cluster_bootstrap, wilson


@pytest.mark.parametrize(
    ("hits", "total", "low", "high"),
    [
        (10, 100, 0.0552, 0.1744),
        (81, 263, 0.2553, 0.3662),  # Newcombe (1998), table I
        (15, 148, 0.0624, 0.1605),
        (1, 29, 0.0061, 0.1718),
        (0, 20, 0.0000, 0.1611),
    ],
)
def test_wilson_gives_the_published_values(hits: int, total: int, low: float, high: float) -> None:
    assert wilson(hits, total) == pytest.approx((low, high), abs=6e-5)
    assert wilson(total - hits, total) == pytest.approx((1 - high, 1 - low), abs=6e-5)


def test_wilson_holds_its_share_and_stays_a_share() -> None:
    for total in (1, 2, 7, 3000):
        for hits in {0, 1, total // 2, total}:
            low, high = wilson(hits, total)
            assert 0.0 <= low <= hits / total <= high <= 1.0
            assert low < high


@pytest.mark.parametrize(("hits", "total"), [(1, 0), (-1, 5), (6, 5)])
def test_wilson_refuses_what_is_no_share(hits: int, total: int) -> None:
    with pytest.raises(ValueError, match="no share"):
        wilson(hits, total)


def test_the_bootstrap_of_one_answer_a_person_is_that_of_answers() -> None:
    """Known spread: 300 independent answers at 0.3 have a standard error of 0.0265."""
    hits = [1] * 90 + [0] * 210
    low, high = cluster_bootstrap(hits, [1] * 300)
    assert (low, high) == pytest.approx((0.3 - 1.96 * 0.02646, 0.3 + 1.96 * 0.02646), abs=0.006)


def test_the_bootstrap_sees_that_people_differ() -> None:
    """Ten people who are always wrong and ten who never are: 1,000 answers, but only 20 people."""
    low, high = cluster_bootstrap([50] * 10 + [0] * 10, [50] * 20)
    answers = wilson(500, 1000)
    assert high - low > 5 * (answers[1] - answers[0])
    assert (low, high) == pytest.approx((0.3, 0.7), abs=0.051)
    # And that they do not.
    assert cluster_bootstrap([5] * 20, [50] * 20) == (0.1, 0.1)


def test_the_bootstrap_is_a_share_of_sums() -> None:
    """People with more answers weigh more: 1 of 1 and 0 of 99 can give 0, 0.01 or 1."""
    low, high = cluster_bootstrap([1, 0], [1, 99])
    assert (low, high) == (0.0, 1.0)
    shares = cluster_bootstrap([1, 0] * 200, [1, 99] * 200)
    assert np.mean(shares) == pytest.approx(0.01, abs=0.001)


def test_the_bootstrap_is_seeded() -> None:
    hits, totals = [3, 1, 4, 1, 5, 9, 2, 6], [10, 11, 12, 10, 11, 12, 10, 11]
    assert cluster_bootstrap(hits, totals) == cluster_bootstrap(hits, totals)
    assert cluster_bootstrap(hits, totals, resamples=50) != cluster_bootstrap(
        hits, totals, resamples=50, seed=1
    )


@pytest.mark.parametrize(("hits", "totals"), [([1], [2]), ([], []), ([1, 0], [2, 0]), ([1, 2], [2, 2, 2])])
def test_the_bootstrap_refuses_too_little(hits: list[int], totals: list[int]) -> None:
    with pytest.raises(ValueError, match="two or more"):
        cluster_bootstrap(hits, totals)
