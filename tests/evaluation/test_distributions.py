"""Scores of whole sets: against torchmetrics on shared random features, and by what they must do."""

import math

import pytest
import torch
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from pg2.evaluation.distributions import frechet_distance, gaussian, inception_score, kernel_distance

# torchmetrics says on every start that it keeps all features, which is what is wanted.
pytestmark = pytest.mark.filterwarnings("ignore:Metric :UserWarning")


class Same(nn.Module):
    """Takes features for pictures."""

    num_features = 24

    def forward(self, features: Tensor) -> Tensor:
        return features


@pytest.fixture
def sets() -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    a = torch.randn(90, 24, generator=random)
    return a, torch.randn(70, 24, generator=random) * 1.3 + 0.4


@pytest.mark.parametrize("splits", [2, 9, 10])
def test_inception_score_is_that_of_torchmetrics(sets: tuple[Tensor, Tensor], splits: int) -> None:
    logits = sets[0] * 2
    metric = InceptionScore(feature=Same(), splits=splits)
    metric.update(logits)
    torch.manual_seed(3)
    mean, spread = metric.compute()
    # torchmetrics shuffles first, and takes the sample's standard deviation; the field's first code does not.
    torch.manual_seed(3)
    found = inception_score(logits[torch.randperm(len(logits))].softmax(1), splits)
    assert found.mean == pytest.approx(float(mean), rel=1e-5)
    assert found.half_width == pytest.approx(float(spread) * (1 - 1 / splits) ** 0.5, rel=1e-3)


def test_frechet_distance_is_that_of_torchmetrics(sets: tuple[Tensor, Tensor]) -> None:
    metric = FrechetInceptionDistance(feature=Same()).set_dtype(torch.float64)
    for features, real in zip(sets, (True, False), strict=True):
        metric.update(features, real=real)
    assert frechet_distance(*sets) == pytest.approx(float(metric.compute()), rel=1e-6)
    assert frechet_distance(gaussian(sets[0]), sets[1]) == frechet_distance(*sets)


def test_kernel_distance_is_that_of_torchmetrics(sets: tuple[Tensor, Tensor]) -> None:
    # With subsets as large as both sets nothing is random.
    a, b = sets[0][:70], sets[1]
    metric = KernelInceptionDistance(feature=Same(), subsets=2, subset_size=70)
    metric.update(a, real=True)
    metric.update(b, real=False)
    mean, spread = metric.compute()
    found = kernel_distance(a, b, subsets=2, size=70)
    assert found.mean == pytest.approx(float(mean), rel=1e-4)
    assert math.isnan(found.half_width), "a spread of nothing would look like certainty"
    assert float(spread) == pytest.approx(0.0, abs=1e-5)


def test_inception_score_spans_one_to_the_number_of_classes() -> None:
    assert inception_score(torch.eye(5).repeat(8, 1), 4).mean == pytest.approx(5.0)
    assert inception_score(torch.full((40, 5), 0.2), 4).mean == pytest.approx(1.0)
    with pytest.raises(ValueError, match="9 pictures are fewer than the 10 splits"):
        inception_score(torch.full((9, 5), 0.2))


def test_inception_score_is_cut_as_in_its_first_code() -> None:
    """13 pictures in 3 parts: 4, 4 and 5, where torch.tensor_split has 5, 4 and 4."""
    probabilities = torch.rand(13, 7, generator=torch.Generator().manual_seed(2)).softmax(1)
    parts = [inception_score(part, 1).mean for part in probabilities.split([4, 4, 5])]
    found = inception_score(probabilities, 3)
    assert found.mean == pytest.approx(sum(parts) / 3)
    assert found.half_width == pytest.approx(float(torch.tensor(parts).std(correction=0)), rel=1e-4)


def test_frechet_distance_of_gaussians_known_in_closed_form() -> None:
    random = torch.Generator().manual_seed(1)
    a = torch.randn(4000, 3, generator=random, dtype=torch.float64)
    assert frechet_distance(a, a) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(a, a + 2.0) == pytest.approx(12.0)
    # Scaled by s about its mean, the distance is (s - 1)^2 trace(C).
    scaled = (a - a.mean(0)) * 1.5 + a.mean(0)
    assert frechet_distance(a, scaled) == pytest.approx(0.25 * float(a.var(0).sum()))
    few = frechet_distance(a[:2], a[2:4])
    assert few >= 0


def test_kernel_distance_orders_and_repeats(sets: tuple[Tensor, Tensor]) -> None:
    a, b = sets
    near = kernel_distance(a[:45], a[45:], subsets=20, size=30)
    far = kernel_distance(a, b, subsets=20, size=30)
    assert abs(near.mean) < 0.3 * far.mean
    assert far == kernel_distance(a, b, subsets=20, size=30)
    assert far != kernel_distance(a, b, subsets=20, size=30, seed=1)
