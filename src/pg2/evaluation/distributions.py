"""How a whole set of pictures looks: Inception Score, Fréchet distance and KID, as functions of features.

They know nothing of networks: the same formulas serve every `Judge`, where its features are. torchmetrics,
which the tests hold them against, has them only as metrics that shuffle, keep states and bring a network.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from pg2.evaluation.interval import Estimate
from pg2.metrics import exact

SPLITS = 10
"""Parts that the Inception Score is computed on, one after the other, as the field does."""

SUBSETS, SUBSET_SIZE = 100, 1000
"""Of the kernel distance: how many random subsets, and of how many pictures each at most."""


def inception_score(probabilities: Tensor, splits: int = SPLITS) -> Estimate:
    """Inception Score (Salimans et al., 2016): exp of the mean KL divergence of p(y|x) from p(y).

    Args:
        probabilities: p(y|x), [N, classes], rows of sum 1, in the order of the pictures.
        splits: parts in that order, cut at i N // splits as in the first code, each with its own p(y). A
            part of n pictures scores n at most.

    Returns:
        Mean over the splits and its standard deviation over them (the field's "±"), from 1 to the number of
        classes; higher is better.

    Raises:
        ValueError: fewer pictures than splits.
    """
    if len(probabilities) < splits:
        raise ValueError(f"{len(probabilities)} pictures are fewer than the {splits} splits of the score")
    scores = []
    cuts = [number * len(probabilities) // splits for number in range(splits + 1)]
    for start, end in pairwise(cuts):
        part = exact(probabilities[start:end])
        mean = part.mean(0, keepdim=True)
        divergence = torch.xlogy(part, part) - torch.xlogy(part, mean)
        scores.append(divergence.sum(1).mean().exp())
    found = torch.stack(scores)
    spread = float(found.std(correction=0)) if splits > 1 else float("nan")
    return Estimate(float(found.mean()), spread)


class Gaussian(NamedTuple):
    """A set of features as a Gaussian: what the Fréchet distance takes of it, float64.

    Attributes:
        mean: [D].
        trace: of the sample covariance, [].
        factor: a matrix of at most D rows; its transpose times itself is the covariance.
    """

    mean: Tensor
    trace: Tensor
    factor: Tensor


def gaussian(features: Tensor) -> Gaussian:
    """The Gaussian of features [N, D] of two pictures at least."""
    x = exact(features)
    mean = x.mean(0)
    x = (x - mean) / (len(x) - 1) ** 0.5
    factor = x if len(x) <= x.shape[1] else torch.linalg.qr(x, mode="r").R
    return Gaussian(mean, x.square().sum(), factor)


def frechet_distance(a: Tensor | Gaussian, b: Tensor | Gaussian) -> float:
    """Fréchet distance (Heusel et al., 2017) of two sets of features, each taken as a Gaussian.

    |mean(a) - mean(b)|^2 + trace(Ca + Cb - 2 (Ca Cb)^(1/2)), with sample covariances. With fewer pictures
    than features it can be computed but is too high, and depends on how many there are.

    Args:
        a, b: features [N, D] and [M, D], two pictures each at least, or what `gaussian` made of them, which
            saves time where a set is compared with several.

    Returns:
        A number from 0 (the same moments) up.
    """
    one, other = (side if isinstance(side, Gaussian) else gaussian(side) for side in (a, b))
    # trace (Ca Cb)^(1/2) is the nuclear norm of the product of the centred features: no square root of a
    # near-singular matrix, and exact with few pictures.
    cross = torch.linalg.svdvals(one.factor @ other.factor.T).sum()
    square = (one.mean - other.mean).square().sum()
    return max(float(square + one.trace + other.trace - 2 * cross), 0.0)


def kernel_distance(
    a: Tensor, b: Tensor, subsets: int = SUBSETS, size: int = SUBSET_SIZE, seed: int = 0
) -> Estimate:
    """KID (Bińkowski et al., 2018): squared MMD with the kernel (x.y / D + 1)^3, unbiased.

    Args:
        a, b: features [N, D] and [M, D], two pictures each at least.
        subsets: random subsets of both that are compared.
        size: pictures in each; at most as many as the smaller set has.
        seed: of the subsets.

    Returns:
        Mean over the subsets, about 0 for the same distribution (a little below is possible), and its
        standard deviation over them; NaN where both sets are wholly in each subset.
    """
    size = min(size, len(a), len(b))
    whole = size == len(a) == len(b)
    if whole:
        subsets = 1
    random = torch.Generator().manual_seed(seed)
    found = []
    for _ in range(subsets):
        x, y = (part[torch.randperm(len(part), generator=random)[:size]].float() for part in (a, b))
        xx, yy, xy = (_kernel(one, other) for one, other in ((x, x), (y, y), (x, y)))
        within = (xx.sum() - xx.trace() + yy.sum() - yy.trace()) / (size * (size - 1))
        found.append(within - 2 * xy.mean())
    values = torch.stack(found)
    spread = float("nan") if whole else float(values.std(correction=0))
    return Estimate(float(values.mean()), spread)


def _kernel(a: Tensor, b: Tensor) -> Tensor:
    # Products in float32, which take a third of the time; sums, where errors would add up, in float64.
    return exact(a @ b.T / a.shape[1] + 1.0) ** 3
