"""A number and how far to trust it."""

from typing import NamedTuple

import numpy as np
from torch import Tensor


class Estimate(NamedTuple):
    """A score, and the width of its ± (NaN where there is none).

    For a mean over pairs that is half its 95 % confidence interval; for a score of a whole set of pictures
    the standard deviation over its splits or subsets.
    """

    mean: float
    half_width: float


def mean_of(values: Tensor, people: Tensor | None = None) -> Estimate:
    """Mean over the pairs with half its 95 % interval.

    Args:
        values: float [n], one a pair; NaN: not measured.
        people: whom each pair shows, int64 [n]: people are then taken as independent, the pairs of one person
            are not, and one person alone has no interval. None: pairs are taken as independent.
    """
    there = ~values.isnan()
    values = values[there]
    if people is None:
        spread = float(values.std()) if len(values) > 1 else float("nan")
        return Estimate(float(values.mean()), 1.96 * spread / max(len(values), 1) ** 0.5)
    found, numbers = np.unique(people[there].cpu().numpy(), return_inverse=True)
    count = len(found)
    if count < 2:
        return Estimate(float(values.mean()), float("nan"))
    scores = values.cpu().numpy()
    # What the pairs of a person have in common does not average out: summed before it is squared.
    sums = np.bincount(numbers, scores - scores.mean())
    half_width = 1.96 * (sums**2).sum() ** 0.5 * (count / (count - 1)) ** 0.5 / len(scores)
    return Estimate(float(values.mean()), float(half_width))
