"""The six models on both data sets, at both sizes: 24 recipes that build, step, and train what they name."""

import pytest
import torch

from pg2.data.loader import Batch
from pg2.models.inputs import Inputs
from pg2.models.pg2 import PG2
from pg2.table1.models import CLAIMS, FASHION, MARKET, MODELS, Claim
from pg2.training.objectives import Objective
from pg2.training.recipe import load_recipe
from pg2.training.settings import Recipe

RECIPES = [
    (f"{preset}/{data}/{model.recipe}", model.name)
    for preset in ("paper", "fast")
    for data in (MARKET, FASHION)
    for model in MODELS
]

# A real step at the paper's width takes half a minute here: the width alone is cut, everything else stays.
NARROW = ["model.coarse.width=4", "model.coarse.bottleneck=8", "precision=fp32"]


def narrowed(name: str) -> Recipe:
    changes = list(NARROW)
    whole = load_recipe(name)
    for stage, config in whole.stages.items():
        if config.adversarial is not None:
            changes.append(f"{stage}.adversarial.discriminator.width=4")
    if whole.model.refine is not None:
        changes.append("model.refine.width=4")
    return load_recipe(name, changes)


@pytest.mark.parametrize(("name", "model"), RECIPES)
def test_a_recipe_is_the_setting_that_the_table_names(name: str, model: str) -> None:
    recipe = load_recipe(name)
    embedding = {"G1-CE-L1": "coordinates", "G1-HME-L1": "heatmaps"}.get(model, "input")
    assert recipe.model.pose.embedding == embedding
    assert recipe.coarse.losses.l1.mask_weight == (0 if model.endswith("-L1") else 1)
    assert list(recipe.coarse.losses.terms) == ["l1"]
    assert (recipe.coarse.adversarial is not None) == (model == "G1+D")
    assert (recipe.refined is not None) == (model == "G1+G2+D")
    if recipe.refined is not None:
        assert recipe.refined.adversarial is not None
        assert recipe.refined.losses.l1.mask_weight == 1
        assert list(recipe.refined.losses.terms) == ["l1"]
    whole = load_recipe(name.rpartition("/")[0] + "/g1-g2-d")
    assert recipe.model.frame == whole.model.frame
    assert recipe.model.coarse == whole.model.coarse
    if model == "G1+D":
        assert whole.refined is not None
        assert recipe.coarse.adversarial == whole.refined.adversarial
        assert recipe.coarse.losses.l1.weight == whole.refined.losses.l1.weight


@pytest.mark.parametrize(("recipe_name", "model"), RECIPES)
def test_a_real_step_gives_gradients_to_exactly_what_it_trains(recipe_name: str, model: str) -> None:
    torch.manual_seed(0)
    recipe = narrowed(recipe_name)
    network = PG2(recipe.model)
    network.initialise()
    for weight in network.parameters():
        if not weight.any():  # behind a head that starts at zero nothing would move in the first step
            torch.nn.init.normal_(weight, std=0.02)
    height, width = recipe.model.frame
    pictures = torch.randint(0, 256, (2, 2, 3, height, width), dtype=torch.uint8)
    points = torch.rand(2, 2, 18, 2) * torch.tensor((width - 1, height - 1))
    batch = Batch(Inputs(pictures[0], points[0], points[1]), pictures[1])
    for name, stage in recipe.stages.items():
        objective = Objective(network, name, stage)
        modules = {"coarse": network.coarse, "refine": network.refine, **objective.networks}
        optimisers = {
            phase: torch.optim.Adam(module.parameters(), 1e-3) for phase, module in objective.networks.items()
        }
        ready = objective.prepare(batch)
        output = objective.generate(ready)
        for phase in objective.phases:
            judge = objective.networks.get("discriminator") if phase == "generator" else None
            if judge is not None:
                judge.requires_grad_(False)
            terms = objective.terms(phase, ready, output, 0)
            torch.stack(list(terms.values())).sum().backward()
            for key, module in modules.items():
                if module is None:
                    continue
                weights = dict(module.named_parameters())
                touched = {
                    place
                    for place, weight in weights.items()
                    if weight.grad is not None and weight.grad.any()
                }
                if module is not objective.networks[phase]:
                    assert not touched, (stage, phase, key)
                    continue
                silent = weights.keys() - touched
                # A hinge loss at the start pulls D's last bias up and down alike.
                last = [place for place in weights if place.endswith("bias")][-1]
                assert silent <= ({last} if phase == "discriminator" else set()), silent
            before = {k: v.clone() for k, v in objective.networks[phase].state_dict().items()}
            optimisers[phase].step()
            changed = [
                not torch.equal(v, before[k]) for k, v in objective.networks[phase].state_dict().items()
            ]
            assert any(changed)
            for module in modules.values():
                if module is not None:
                    module.zero_grad(set_to_none=True)
                    module.requires_grad_(True)
        network.coarse.requires_grad_(True)


def test_exact_sizes_of_the_embeddings() -> None:
    """The paper's width at 128x64: what the two embeddings add and take away."""
    counts = {}
    for model in MODELS[:3]:
        with torch.device("meta"):
            network = PG2(load_recipe(f"paper/{MARKET}/{model.recipe}").model)
        counts[model.name] = sum(parameter.numel() for parameter in network.parameters())
    assert counts["G1-L1"] == 70_795_075
    stem, expand = 18 * 9 * 128, 64 * 128 * 8 * 4
    assert counts["G1-CE-L1"] == counts["G1-L1"] - stem + expand + (54 * 64 + 64) + (64 * 64 + 64)
    assert counts["G1-HME-L1"] > counts["G1-CE-L1"]


def test_exact_sizes_at_256() -> None:
    """DeepFashion's networks have one level more; all six are built at the paper's width."""
    counts = {}
    for model in MODELS:
        with torch.device("meta"):
            network = PG2(load_recipe(f"paper/{FASHION}/{model.recipe}").model)
        counts[model.name] = sum(parameter.numel() for parameter in network.parameters())
    g1, g2 = 122_103_235, 12_696_067
    assert counts["G1-L1"] == counts["G1-poseMaskLoss"] == counts["G1+D"] == g1
    assert counts["G1+G2+D"] == g1 + g2
    assert counts["G1-HME-L1"] > counts["G1-CE-L1"]


def test_the_papers_numbers_are_in_the_papers_order() -> None:
    """The claims about scores are what the published table says."""
    by_name = {model.name: model for model in MODELS}
    for claim in CLAIMS:
        assert claim.made_for(MARKET)
        if claim.score == "sharpness":
            continue
        less, more = (getattr(by_name[n].published[MARKET], claim.score) for n in (claim.less, claim.more))
        assert less < more
    # On DeepFashion two of the models score the same, and there is no mask-SSIM.
    left_out = [claim for claim in CLAIMS if not claim.made_for(FASHION)]
    assert left_out == [
        Claim("ssim", "G1-HME-L1", "G1-L1"),
        Claim("mask_ssim", "G1-L1", "G1-poseMaskLoss"),
    ]
