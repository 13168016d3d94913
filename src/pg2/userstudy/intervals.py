"""Confidence intervals of a share: how far it could lie from what was counted."""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np

Interval = tuple[float, float]

CONFIDENCE = 0.95


def wilson(hits: int, total: int) -> Interval:
    """The 95 % Wilson score interval of a share, all answers taken as independent.

    With p = hits / total and z = 1.96: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n).

    Args:
        hits: 0 to `total`.
        total: 1 or more.

    Returns:
        Lower and upper bound within [0, 1].

    Raises:
        ValueError: not such numbers.
    """
    if not 0 <= hits <= total or total < 1:
        raise ValueError(f"{hits} of {total} is no share")
    z = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)
    share = hits / total
    middle = share + z * z / (2 * total)
    half = z * float(np.sqrt(share * (1 - share) / total + z * z / (4 * total * total)))
    scale = 1 + z * z / total
    # Rounding must not push 0 and 1 out of their own intervals.
    low = 0.0 if hits == 0 else (middle - half) / scale
    high = 1.0 if hits == total else (middle + half) / scale
    return low, high


def cluster_bootstrap(
    hits: Sequence[int], totals: Sequence[int], *, resamples: int = 10_000, seed: int = 0
) -> Interval:
    """The 95 % percentile interval of sum(hits) / sum(totals) when whole clusters are drawn anew.

    Answers of one person resemble each other, so people are resampled with replacement, not answers.

    Args:
        hits, totals: one a person; totals of 1 or more.
        resamples: how often the people are drawn.
        seed: the same interval for the same number.

    Returns:
        Lower and upper bound within [0, 1].

    Raises:
        ValueError: fewer than two people (nothing is known of how people differ), or a total under 1.
    """
    if len(hits) != len(totals) or len(hits) < 2 or min(totals) < 1:
        raise ValueError("a bootstrap over people needs two or more of them, each with answers")
    people = len(hits)
    drawn = np.random.default_rng(seed).integers(0, people, (resamples, people))
    shares = np.asarray(hits)[drawn].sum(1) / np.asarray(totals)[drawn].sum(1)
    low, high = np.quantile(shares, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)
