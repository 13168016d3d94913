"""A number and how far to trust it."""

from typing import NamedTuple

from torch import Tensor


class Estimate(NamedTuple):
    """A score, and the width of its ± (NaN where there is none).

    For a mean over pairs that is half its 95 % confidence interval; for a score of a whole set of pictures
    the standard deviation over its splits or subsets.
    """

    mean: float
    half_width: float


def mean_of(values: Tensor) -> Estimate:
    """Mean over the pairs, taken as independent, with half its 95 % interval; NaN: not measured."""
    values = values[~values.isnan()]
    spread = float(values.std()) if len(values) > 1 else float("nan")
    return Estimate(float(values.mean()), 1.96 * spread / max(len(values), 1) ** 0.5)
