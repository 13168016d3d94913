"""Objectives: the terms by hand, and who gets gradients from which phase."""

import pytest
import torch
from model_samples import inputs

from pg2.data.loader import Batch
from pg2.io.pixels import to_unit
from pg2.models.config import ModelConfig
from pg2.models.inputs import Output
from pg2.models.pg2 import PG2
from pg2.pose.maps import pose_mask
from pg2.training.adversary import discriminator_loss, generator_loss
from pg2.training.losses import masked_l1
from pg2.training.objectives import Objective
from pg2.training.settings import StageConfig
from pg2.training.terms import Ready

MODEL = {
    "frame": (32, 16),
    "coarse": {"width": 8, "blocks": 2, "bottleneck": 8},
    "refine": {"width": 8, "blocks": 2},
}
ADVERSARY = {"discriminator": {"width": 8, "layers": 2}}


def made(stage: dict[str, object], refined: bool) -> tuple[Objective, PG2, Batch]:
    torch.manual_seed(0)
    model = PG2(ModelConfig.model_validate(MODEL))
    batch = Batch(inputs(4), inputs(4).source)
    settings = StageConfig.model_validate({"steps": 1, **stage})
    return Objective(model, "refined" if refined else "coarse", settings), model, batch


@pytest.mark.parametrize("refined", [False, True])
@pytest.mark.parametrize("pairing", [None, "pair", "triplet"])
@pytest.mark.parametrize(("norm", "reader"), [("batch", None), ("spectral", {"after": 0})])
def test_each_phase_gives_gradients_to_exactly_its_module(
    refined: bool, pairing: str | None, norm: str, reader: dict[str, object] | None
) -> None:
    adversary = pairing and {
        "pairing": pairing,
        "discriminator": {**ADVERSARY["discriminator"], "norm": norm},
    }
    objective, model, batch = made({"adversarial": adversary, "reader": reader}, refined)
    judges = (*(("reader",) if reader else ()), *(("discriminator",) if pairing else ()))
    assert objective.phases == (*judges, "generator")
    ready = objective.prepare(batch)
    output = objective.generate(ready)
    modules = {"coarse": model.coarse, "refine": model.refine, **objective.networks}
    for phase in objective.phases:
        frozen = [objective.networks[judge] for judge in judges if phase == "generator"]
        for judge in frozen:
            judge.requires_grad_(False)
        torch.stack(list(objective.terms(phase, ready, output, 0).values())).sum().backward()
        for judge in frozen:
            judge.requires_grad_(True)
        for name, module in modules.items():
            assert module is not None
            touched = [p.grad is not None and bool(p.grad.any()) for p in module.parameters()]
            if module is objective.networks[phase]:
                assert all(touched), (phase, name)
            else:
                assert not any(touched), (phase, name)
        for module in modules.values():
            assert module is not None
            module.zero_grad(set_to_none=True)


def test_r1_comes_every_few_steps_and_trains_the_discriminator_alone() -> None:
    adversary = {
        "r1_weight": 2.0,
        "r1_every": 4,
        "discriminator": {**ADVERSARY["discriminator"], "norm": "none"},
    }
    objective, model, batch = made({"adversarial": adversary}, refined=True)
    ready = objective.prepare(batch)
    output = objective.generate(ready)
    assert set(objective.terms("discriminator", ready, output, 3)) == {"d"}
    terms = objective.terms("discriminator", ready, output, 4)
    assert terms["r1"] > 0
    terms["r1"].backward()
    assert any(p.grad is not None and p.grad.any() for p in objective.networks["discriminator"].parameters())
    assert not any(p.grad is not None for p in model.parameters())


def test_stage_one_is_the_pose_mask_loss() -> None:
    objective, model, batch = made({"losses": {"l1": {"mask_weight": 1.0}}}, refined=False)
    ready = objective.prepare(batch)
    mask = pose_mask(batch.inputs.target_keypoints, (32, 16))
    expected = masked_l1(model.coarse(batch.inputs), to_unit(batch.target), mask)
    terms = objective.terms("generator", ready, objective.generate(ready), 0)
    assert set(terms) == {"l1"}
    torch.testing.assert_close(terms["l1"], expected)


def test_stage_two_judges_pairs_and_adds_lambda_times_l1() -> None:
    objective, model, batch = made({"losses": {"l1": {"weight": 10}}, "adversarial": ADVERSARY}, refined=True)
    ready = objective.prepare(batch)
    output = objective.generate(ready)
    d = objective.networks["discriminator"]
    source, target, image = ready.source, ready.target, output.image
    assert model.refine is not None
    assert ready.coarse is not None
    torch.testing.assert_close(image, model(batch.inputs).image)
    torch.testing.assert_close(image, ready.coarse + output.pictures["difference"])
    logits = d(torch.cat((torch.cat((source, image.detach()), 1), torch.cat((source, target), 1))))
    expected = discriminator_loss(logits[4:], logits[:4], "bce")
    torch.testing.assert_close(objective.terms("discriminator", ready, output, 0)["d"], expected)
    terms = objective.terms("generator", ready, output, 0)
    torch.testing.assert_close(terms["adversarial"], generator_loss(logits[:4], "bce"))
    torch.testing.assert_close(terms["l1"], 10 * masked_l1(image, target, ready.mask))


def test_triplets_count_the_source_as_a_fake() -> None:
    objective, _, batch = made({"adversarial": {**ADVERSARY, "pairing": "triplet"}}, refined=True)
    ready = objective.prepare(batch)
    output = objective.generate(ready)
    logits = objective.networks["discriminator"](
        torch.cat((output.image.detach(), ready.target, ready.source))
    )
    expected = discriminator_loss(logits[4:8], torch.cat((logits[:4], logits[8:])), "bce")
    torch.testing.assert_close(objective.terms("discriminator", ready, output, 0)["d"], expected)
    terms = objective.terms("generator", ready, output, 0)
    torch.testing.assert_close(terms["adversarial"], generator_loss(logits[:4], "bce"))


def test_the_ssim_term_joins_when_it_is_due() -> None:
    objective, _, batch = made({"losses": {"ssim": {"weight": 0.5, "after": 3}}}, refined=False)
    ready = objective.prepare(batch)
    output = objective.generate(ready)
    assert "ssim" not in objective.terms("generator", ready, output, 2)
    assert objective.terms("generator", ready, output, 3)["ssim"].item() > 0


def test_an_adversary_joins_when_it_is_due() -> None:
    objective, _, batch = made({"adversarial": {**ADVERSARY, "after": 3}}, True)
    assert objective.phases_at(2) == ("generator",)
    assert objective.phases_at(3) == objective.phases == ("discriminator", "generator")
    ready = objective.prepare(batch)
    output = objective.generate(ready)
    assert "adversarial" not in objective.terms("generator", ready, output, 2)
    assert "adversarial" in objective.terms("generator", ready, output, 3)


def test_d_may_have_a_learning_rate_of_its_own() -> None:
    objective, *_ = made({"lr": 0.1, "adversarial": {**ADVERSARY, "lr": 0.2}}, refined=True)
    assert objective.learning_rate("generator") == 0.1
    assert objective.learning_rate("discriminator") == 0.2


def test_an_adversary_of_the_body_counts_the_patches_that_the_body_reaches() -> None:
    discriminator = {"width": 8, "layers": 2, "norm": "none", "head": "patch"}
    adversary = {"region": "body", "loss": "hinge", "discriminator": discriminator}
    objective, _, _ = made({"losses": {"l1": {"weight": 0}}, "adversarial": adversary}, refined=True)
    # The last patch of the first picture, and nobody in the second.
    mask = torch.zeros(2, 1, 32, 16)
    mask[0, 0, 30, 14] = 1.0
    source, target, image = (torch.rand(2, 3, 32, 16) for _ in range(3))
    ready, output = Ready(Batch(inputs(), inputs().source), source, target, mask, image), Output(image, {})
    d = objective.networks["discriminator"]
    fake, real = (d(torch.cat((source, picture), 1)) for picture in (image, target))
    assert fake.shape == (2, 8 * 4)
    terms = objective.terms("discriminator", ready, output, 0)
    torch.testing.assert_close(terms["d"], (1 - real[0, -1]).relu() + (1 + fake[0, -1]).relu())
    adversarial = objective.terms("generator", ready, output, 0)["adversarial"]
    torch.testing.assert_close(adversarial, -fake[0, -1])


def test_feature_matching_vanishes_on_the_real_image() -> None:
    adversary = {"feature_weight": 10, "discriminator": {**ADVERSARY["discriminator"], "norm": "spectral"}}
    objective, _, batch = made({"adversarial": adversary}, refined=True)
    objective.networks["discriminator"].eval()
    ready = objective.prepare(batch)
    assert objective.terms("generator", ready, objective.generate(ready), 0)["features"].item() > 0.01
    assert objective.terms("generator", ready, Output(ready.target.clone(), {}), 0)["features"].item() < 1e-6


def test_what_the_released_code_does_otherwise_are_settings() -> None:
    """The generator steps first, and stage I's picture is a fake, too."""
    released = {**ADVERSARY, "pairing": "triplet", "coarse_fake": True, "first": "generator"}
    objective, _, batch = made({"adversarial": released}, refined=True)
    assert objective.phases == ("generator", "discriminator")
    ready = objective.prepare(batch)
    output = objective.generate(ready)
    assert ready.coarse is not None
    shown = torch.cat((output.image.detach(), ready.target, ready.source, ready.coarse))
    logits = objective.networks["discriminator"](shown)
    expected = discriminator_loss(logits[4:8], torch.cat((logits[:4], logits[8:])), "bce")
    torch.testing.assert_close(objective.terms("discriminator", ready, output, 0)["d"], expected)
