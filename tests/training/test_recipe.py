"""Recipes: the shipped ones, typos, overrides, and going on under another one."""

from pathlib import Path

import pytest
import yaml

from pg2.errors import Pg2Error
from pg2.training.recipe import check_same, load_recipe, shipped_recipes


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid(name: str) -> None:
    load_recipe(name)


def test_the_papers_numbers() -> None:
    """Section 4.2, and the released lambda."""
    market, fashion = load_recipe("paper/market1501"), load_recipe("paper/deepfashion")
    assert market.refined is not None
    assert fashion.refined is not None
    assert (market.coarse.steps, market.refined.steps, market.coarse.batch) == (22_000, 14_000, 16)
    assert (fashion.coarse.steps, fashion.refined.steps, fashion.coarse.batch) == (30_000, 20_000, 8)
    assert (market.refined.l1_weight, fashion.refined.l1_weight) == (10, 50)
    for stage in (market.coarse, market.refined, fashion.coarse, fashion.refined):
        assert (stage.lr, stage.betas, stage.mask_weight, stage.ssim_weight) == (2e-5, (0.5, 0.999), 1, 0)
    assert (market.model.coarse.blocks, fashion.model.coarse.blocks) == (5, 6)


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("coarse.stepz=3", 'unknown setting "coarse.stepz"; did you mean "steps"?'),
        ("coars.steps=3", 'unknown setting "coars"; did you mean "coarse"?'),
        ("model.coarse.widht=3", 'did you mean "width"?'),
        ("refined.adversarial.discriminator.nrom=batch", 'did you mean "norm"?'),
        ("coarse.steps=-1", "coarse.steps: Input should be greater than or equal to 0"),
        ("coarse.steps=many", "coarse.steps: Input should be a valid integer"),
        ("refined.adversarial.loss=wgan", "refined.adversarial.loss: Input should be"),
        ("refined=null", '"refined" and "model.refine" belong together'),
        ("model.frame=[100, 64]", "must divide by"),
        ("model.pose.shrink=3", "pose.shrink = 3 must divide coarse.unshuffle = 2"),
        ("refined.adversarial={region: body}", 'region: body needs discriminator.head "patch"'),
        ("refined.steps=0", "refined.steps = 0: set refined and model.refine to null"),
        ("coarse.lr=.inf", "coarse.lr: Input should be a finite number"),
        ("coarse.betas=[2, 0.9]", "coarse.betas.0: Input should be less than 1"),
        ("refined.adversarial.discriminator.unshuffle=3", "discriminator's unshuffle = 3"),
        ("coarse.steps", "--set takes NAME=VALUE"),
        ("seed.x=1", '"seed" is a value'),
        ("seed=[", "not valid YAML"),
    ],
)
def test_wrong_settings_are_named(override: str, said: str) -> None:
    with pytest.raises(Pg2Error) as caught:
        load_recipe("fast/market1501", ["seed=1", override])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_overrides_reach_nested_settings() -> None:
    recipe = load_recipe("debug", ["coarse.lr=0.5", "model.refine=null", "refined=null"])
    assert recipe.coarse.lr == 0.5
    assert recipe.model.refine is None


def test_no_such_recipe() -> None:
    with pytest.raises(Pg2Error, match='did you mean "fast/market1501"'):
        load_recipe("fast/market1510")


@pytest.mark.parametrize("text", ["", "- 1", "a: [", "coarse: {steps: 1}\nlearning_rate: 3", "\x00"])
def test_files_that_are_no_recipe(tmp_path: Path, text: str) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(text)
    with pytest.raises(Pg2Error, match=r"r\.yaml"):
        load_recipe(file)


def test_only_reporting_and_length_may_change(tmp_path: Path) -> None:
    before = load_recipe("debug")
    check_same(load_recipe("debug", ["coarse.steps=99", "refined.log_every=1"]), before, tmp_path)
    with pytest.raises(Pg2Error, match=r"begun with coarse\.lr = 0\.001, now it is 0\.5"):
        check_same(load_recipe("debug", ["coarse.lr=0.5"]), before, tmp_path)
    with pytest.raises(Pg2Error, match=r"refined\.adversarial"):
        check_same(load_recipe("debug", ["refined.adversarial=null"]), before, tmp_path)


def test_a_recipe_survives_yaml() -> None:
    recipe = load_recipe("fast/market1501")
    assert (
        type(recipe).model_validate(yaml.safe_load(yaml.safe_dump(recipe.model_dump(mode="json")))) == recipe
    )


def test_a_recipe_may_extend_another(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("extends: debug\ncoarse: {lr: 0.5}\nrefined: null\nmodel: {refine: null}\n")
    found, base = load_recipe(file, ["coarse.steps=7"]), load_recipe("debug")
    assert (found.coarse.lr, found.coarse.steps, found.coarse.batch) == (0.5, 7, base.coarse.batch)
    assert found.refined is None
    other = tmp_path / "other.yaml"
    other.write_text(f"extends: {file}\nseed: 3\n")
    assert (load_recipe(other).seed, load_recipe(other).coarse.lr) == (3, 0.5)


@pytest.mark.parametrize("base", ["nothing", "[debug]", "{file}"])
def test_what_cannot_be_extended(tmp_path: Path, base: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: {base.format(file=file)}\n")
    with pytest.raises(Pg2Error, match=r"there is no recipe|takes the name of one other recipe"):
        load_recipe(file)
