"""Recipes: the shipped ones, typos, overrides, and going on under another one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from pg2.errors import Pg2Error
from pg2.training.recipe import _subsettings, check_same, load_recipe, shipped_recipes
from pg2.training.settings import Recipe


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
    assert (market.refined.losses.l1.weight, fashion.refined.losses.l1.weight) == (10, 50)
    for stage in (market.coarse, market.refined, fashion.coarse, fashion.refined):
        assert (stage.lr, stage.betas, stage.losses.l1.mask_weight) == (2e-5, (0.5, 0.999), 1)
        assert set(stage.losses.terms) == {"l1"}
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
        ("coarse.losses.ssmi.weight=1", 'unknown setting "coarse.losses.ssmi"; did you mean "ssim"?'),
        ("coarse.losses={l1: {weight: 0}, ssim: {weight: 0}}", "every loss has the weight 0"),
        ("model.refine.widht=3", 'unknown setting "model.refine.widht"; did you mean "width"?'),
        ("model.refine={kind: transport, shade: 6}", "stride = 4 must divide shade = 6"),
        (
            "model.refine={kind: transport, widhts: [8, 8]}",
            'unknown setting "model.refine.widhts"; did you mean "widths"',
        ),
        ("model.refine.kind=warp", 'model.refine.kind is difference or transport, not "warp"'),
        (
            "coarse.losses.silhouette.weight=1",
            "coarse.losses.silhouette judges what is fetched from the source",
        ),
        ("refined.losses.warped.weight=1", "it needs model.refine.kind: transport"),
        ("refined.adversarial.coarse_fake=true", 'coarse_fake needs pairing "triplet"'),
        ("coarse.adversarial={pairing: triplet, coarse_fake: true}", "only stage II has a coarse picture"),
        ("coarse.steps", "--set takes NAME=VALUE"),
        ("seed.x=1", '"seed" is a value'),
        ("seed=[", "not valid YAML"),
        ("seed=4294967295", "seed: Input should be less than or equal to 4294967294"),
        ("threads=100000000000", "threads: Input should be less than or equal to 1024"),
        ("model.frame=[1000000, 1000000]", "model.frame.0: Input should be less than or equal to 1024"),
        ("model.frame=[8, 8]", "model.frame.0: Input should be greater than or equal to 16"),
        ("model.coarse.width=3000", "model.coarse.width: Input should be less than"),
        ("model.coarse.blocks=10000000000", "model.coarse.blocks: Input should be less than"),
        ("coarse.batch=1000000", "coarse.batch: Input should be less than"),
        ("coarse.lr=" + "9" * 400, "coarse.lr: Input should be a"),
        ("coarse.losses=3", "coarse.losses: Input should be a valid dictionary"),
        ("coarse={steps: 1, l1_weight: 2, losses: 3}", "coarse.losses: Input should be a valid dictionary"),
        ("coarse={steps: 1, l1_weight: 2, losses: {l1: 3}}", "coarse.losses.l1: Input should be a valid"),
        ("model.refine.kind=[1]", 'model.refine.kind is difference or transport, not "list"'),
        ("pose_start=he", "pose_start is for an encoder of the pose"),
        ("seed=2024-13-45", "not valid YAML: not a valid timestamp"),
        ("seed=0b_", "not valid YAML: not a valid int"),
        ("seed=!!bool x", "not valid YAML: not a valid bool"),
        ("seed=!!timestamp x", "not valid YAML: not a valid timestamp"),
        ("seed=" + "9" * 5000, "not valid YAML: not a valid int"),
        ("seed=" + "1:" * 300 + "1.5", "not valid YAML: not a valid float"),
        ("seed=" + "[" * 10_000, "nest deeper than 16 levels"),
        ("model=&a [*a]", "aliases (*name) are not taken"),
        ("model.kind={<<: [*a, *a]}", "aliases (*name) are not taken"),
        ("x" * 100_000 + "=1", "unknown setting"),
    ],
)
def test_wrong_settings_are_named(override: str, said: str) -> None:
    with pytest.raises(Pg2Error) as caught:
        load_recipe("fast/ablations/paper-market", ["seed=1", override])
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 2500


def test_overrides_reach_nested_settings() -> None:
    recipe = load_recipe("debug", ["coarse.lr=0.5", "model.refine=null", "refined=null"])
    assert recipe.coarse.lr == 0.5
    assert recipe.model.refine is None


def test_no_such_recipe() -> None:
    with pytest.raises(Pg2Error, match='did you mean "fast/market1501"'):
        load_recipe("fast/market1510")


NASTY = (
    "2024-13-45", "2024-01-01", "0b_", "0x", "!!bool x", "!!timestamp x", "!!int x", "!!float x",
    "!!binary x", "!!null x", "!!set {a}", "!!omap [a]", "!!pairs [[a]]", "!!python/object:os.system x",
    "!a x", "9" * 400, "-" + "9" * 400, "0b" + "1" * 5000, "1e400", ".inf", ".nan", "1:" * 300 + "1",
    "[" * 3000, "{a: " * 30, "- " * 40, "&a [*a]", "*x", "&a 1", "{<<: 1}", "{<<: {steps: 1}}", "{[a]: 1}",
    "{1: 2}", "{null: 1}", "{'\\ud800': 1}", '{"\\ud800": 1}', '"\\ud800"', "'\n'", '"a\\nb"', "--- 1\n--- 2",
    "%YAML 9.9\n---\n1", "", "null", "true", "[]", "{}", "[1, 2]", "a" * 5000, "-1", "3", "1.5", "\x00",
    "\udcff", "\ufeff1", "? ", "|",
)  # fmt: skip


def places(settings: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The names of all settings, as --set takes them."""
    for name, field in settings.model_fields.items():
        yield prefix + name
        for inner in _subsettings(field.annotation):
            yield from places(inner, f"{prefix}{name}.")


@settings(max_examples=80)
@given(
    st.sampled_from(sorted(set(places(Recipe)))),
    st.sampled_from(NASTY) | st.text(st.sampled_from("[]{}:,-&*!|>%@`'\"\\# \n\t01.e_ax"), max_size=12),
)
def test_any_value_of_any_setting_gives_a_recipe_or_one_sentence(place: str, value: str) -> None:
    said = ""
    try:
        load_recipe("debug", [f"{place}={value}"])
    except Pg2Error as error:
        said = str(error)
    assert len(said) < 2500
    assert "\n" not in said


def test_recipes_extend_one_another_only_so_often(tmp_path: Path) -> None:
    for number in range(40):
        (tmp_path / f"{number}.yaml").write_text(f"extends: {tmp_path}/{number + 1}.yaml\n")
    with pytest.raises(
        Pg2Error, match=r"15\.yaml: more than 16 recipes extend one another|16\.yaml: more than 16"
    ):
        load_recipe(tmp_path / "0.yaml")


def test_stage_twos_seed_is_one_that_numpy_takes() -> None:
    recipe = load_recipe("debug", ["seed=4294967294"])
    np.random.RandomState(recipe.seed + len(recipe.stages) - 1)


@pytest.mark.parametrize(
    "text", ["", "- 1", "a: [", "coarse: {steps: 1}\nlearning_rate: 3", "\x00", "a: " + "b" * 64_000]
)
def test_files_that_are_no_recipe(tmp_path: Path, text: str) -> None:
    file = tmp_path / "r.yaml"
    file.write_text(text)
    with pytest.raises(Pg2Error, match=r"r\.yaml"):
        load_recipe(file)


def test_only_reporting_and_length_may_change(tmp_path: Path) -> None:
    before = load_recipe("debug")
    check_same(load_recipe("debug", ["refined.steps=99", "refined.log_every=1"]), before, tmp_path)
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


@pytest.mark.parametrize("base", ["nothing", "[debug]", "{file}", '"a\\0b"', '"\\ud800"', "n" * 5000])
def test_what_cannot_be_extended(tmp_path: Path, base: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(f"extends: {base.format(file=file)}\n")
    with pytest.raises(Pg2Error, match=r"there is no recipe|takes the name of one other recipe"):
        load_recipe(file)


def test_another_length_is_refused_where_the_learning_rate_falls(tmp_path: Path) -> None:
    """Its fall is a share of the steps: the steps that were made would have been other ones."""
    before = load_recipe("debug")
    assert before.coarse.decay
    with pytest.raises(Pg2Error, match=r"coarse\.steps = 12, now it is 99: the learning rate falls"):
        check_same(load_recipe("debug", ["coarse.steps=99"]), before, tmp_path)


def test_the_names_of_the_losses_settings_in_earlier_recipes() -> None:
    former = ["coarse.l1_weight=2", "coarse.mask_weight=0", "coarse.ssim_weight=3", "coarse.ssim_stride=2"]
    losses = load_recipe("debug", former).coarse.losses
    assert (losses.l1.weight, losses.l1.mask_weight) == (2, 0)
    assert (losses.ssim.weight, losses.ssim.stride) == (3, 2)
    # Laid over a recipe that has them by their present names.
    kept = load_recipe("fast/market1501", ["coarse.ssim_weight=3"]).coarse.losses.ssim
    assert (kept.weight, kept.after) == (3, 4000)
