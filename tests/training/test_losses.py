"""Loss terms against their equations."""

import pytest
import torch
from model_samples import inputs
from torch.nn import functional as F

from pg2.data.loader import Batch
from pg2.evaluation.classifier import Classifier, feature_distance
from pg2.io.pixels import to_levels
from pg2.metrics import ssim
from pg2.models.inputs import Inputs, Output
from pg2.pose.named import named_pose
from pg2.training.adversary import discriminator_loss, generator_loss, r1_penalty
from pg2.training.losses import PerceptualTerm, masked_l1, ssim_loss
from pg2.training.terms import Ready


def test_masked_l1_counts_the_body_twice() -> None:
    generated, target = torch.zeros(1, 3, 2, 2), torch.ones(1, 3, 2, 2)
    mask = torch.tensor([[1.0, 0.0], [0.0, 0.0]]).view(1, 1, 2, 2)
    assert masked_l1(generated, target, mask).item() == pytest.approx(5 / 4)
    assert masked_l1(generated, target, mask, 0.0).item() == pytest.approx(1.0)


def test_bce_is_the_papers() -> None:
    real, fake = torch.randn(8, 1), torch.randn(8, 1)
    bce = F.binary_cross_entropy_with_logits
    expected = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    torch.testing.assert_close(discriminator_loss(real, fake, "bce"), expected)
    torch.testing.assert_close(generator_loss(fake, "bce"), bce(fake, torch.ones_like(fake)))


def test_hinge_rests_when_d_is_sure() -> None:
    sure = torch.full((4, 1), 2.0)
    assert discriminator_loss(sure, -sure, "hinge").item() == 0.0
    assert discriminator_loss(-sure, sure, "hinge").item() == 6.0
    assert generator_loss(sure, "hinge").item() == -2.0


def test_r1_is_half_the_squared_gradient() -> None:
    images = torch.randn(3, 2, 4, 4, requires_grad=True)
    weight = torch.randn(2, 4, 4)
    penalty = r1_penalty((images * weight).sum((1, 2, 3)), images)
    torch.testing.assert_close(penalty, weight.square().sum() / 2)


def test_ssim_loss_is_one_minus_the_metric() -> None:
    torch.manual_seed(0)
    a = F.avg_pool2d(torch.rand(3, 3, 32, 24), 5, 1, 2)
    b = (a + 0.1 * torch.randn_like(a)).clamp(0, 1)
    loss = ssim_loss(a * 2 - 1, b * 2 - 1).item()
    assert loss == pytest.approx(1 - ssim(a * 255, b * 255).mean().item(), abs=1e-5)


def test_ssim_of_windows_apart_is_nearly_that_of_all_and_sees_every_pixel() -> None:
    torch.manual_seed(0)
    a, b = (F.avg_pool2d(torch.rand(4, 3, 71, 71), 8, 1) * 2 - 1 for _ in range(2))
    a.requires_grad_()
    apart = ssim_loss(a, b, 3)
    torch.testing.assert_close(apart, ssim_loss(a, b), atol=0.02, rtol=0)
    apart.backward()
    assert a.grad is not None
    assert a.grad[..., 0:64, 0:64].ne(0).float().mean() > 0.99


def test_the_perceptual_term_is_the_distance_that_is_scored_and_has_a_gradient() -> None:
    term = PerceptualTerm(weight=1)
    network = term.network()
    torch.manual_seed(0)
    target = torch.rand(2, 3, 64, 64) * 2 - 1
    made = (target + 0.1 * torch.randn_like(target)).requires_grad_()
    batch = Batch(inputs(2, (64, 64)), inputs(2, (64, 64)).source)
    ready = Ready(batch, target, target, torch.ones(2, 1, 64, 64))
    value = term.value(ready, Output(made, {}), network)
    classifier = Classifier()
    looks = [classifier.look(to_levels(picture)).layers or [] for picture in (made, target)]
    assert value.item() == pytest.approx(feature_distance(*looks).mean().item(), rel=1e-4)
    value.backward()
    assert made.grad is not None
    assert made.grad.abs().max() > 0
    assert term.value(ready, Output(target, {}), network).item() == pytest.approx(0.0, abs=1e-6)


def test_details_count_head_and_hands_once_more() -> None:
    torch.manual_seed(0)
    pose = torch.tensor(named_pose("front").resize((64, 64)).points)[None]
    target = torch.rand(1, 3, 64, 64) * 2 - 1
    plain, detailed = PerceptualTerm(weight=1), PerceptualTerm(weight=1, details=1)
    network = plain.network()

    def added(picture: torch.Tensor, keypoints: torch.Tensor) -> float:
        batch = Batch(Inputs(to_levels(target).byte(), keypoints, keypoints), to_levels(target).byte())
        ready = Ready(batch, target, target, torch.ones(1, 1, 64, 64))
        both = [term.value(ready, Output(picture, {}), network) for term in (detailed, plain)]
        return (both[0] - both[1]).item()

    head, feet = target.clone(), target.clone()
    x, y = (int(value) for value in pose[0, 0])  # the nose
    head[:, :, y - 3 : y + 4, x - 3 : x + 4] = 1
    feet[:, :, -7:, x - 3 : x + 4] = 1
    assert added(head, pose) > 0.01
    assert added(feet, pose) == pytest.approx(0, abs=1e-6)
    assert added(head, torch.full_like(pose, torch.nan)) == 0
