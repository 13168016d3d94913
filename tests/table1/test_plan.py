"""Budgets, recipes for any data set, and a plan that is kept."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from pg2.errors import Pg2Error
from pg2.table1.models import MODELS
from pg2.table1.plan import family, recipe_for, seconds, steps_for, take_plan
from pg2.training.recipe import load_recipe


def data(source: str, frame: tuple[int, int]) -> Any:
    return SimpleNamespace(source=source, frame=frame, path="here")


@pytest.mark.parametrize(("text", "wanted"), [("90s", 90), ("20m", 1200), ("1.5h", 5400), (" 2 M ", 120)])
def test_budgets(text: str, wanted: float) -> None:
    assert seconds(text) == wanted


@pytest.mark.parametrize("text", ["", "20", "m", "-1m", "0m", "1d", "twenty minutes"])
def test_budgets_that_are_none(text: str) -> None:
    with pytest.raises(Pg2Error, match="a budget is a time for each model, such as 20m"):
        seconds(text)


def test_which_recipes_a_data_set_takes() -> None:
    assert family(data("market1501", (128, 64))) == "market1501"
    assert family(data("deepfashion", (256, 256))) == "deepfashion"
    with pytest.raises(Pg2Error, match="prepared without --crop"):
        family(data("deepfashion", (256, 176)))
    assert family(data("folder", (64, 32))) == "market1501"
    assert family(data("folder", (64, 64))) == "deepfashion"
    with pytest.raises(Pg2Error, match="twice as high as wide"):
        family(data("folder", (64, 48)))
    recipe = recipe_for(MODELS[0], data("folder", (128, 128)), "fast", 3)
    assert (recipe.model.frame, recipe.seed) == ((128, 128), 3)
    with pytest.raises(Pg2Error, match='no preset "quick"'):
        recipe_for(MODELS[0], data("folder", (128, 128)), "quick", 0)
    for model in MODELS:
        assert recipe_for(model, data("folder", (32, 16)), "debug", 0).coarse.steps == 3


def test_the_same_time_for_each_model() -> None:
    recipes = {model.name: load_recipe(f"fast/market1501/{model.recipe}") for model in MODELS}
    measured = {name: {"coarse": 0.1, "refined": 0.3} for name in recipes}
    measured["G1-HME-L1"]["coarse"] = 0.2
    measured["G1-L1"]["coarse"] = 0.12
    measured["G1+D"]["coarse"] = 0.25
    steps = steps_for(60.0, recipes, measured)
    # Models that take about as long, and differ in one setting alone, get the steps of the slowest of them.
    for name in ("G1-CE-L1", "G1-L1", "G1-poseMaskLoss"):
        assert steps[name] == {"coarse": 500}
    assert steps["G1-HME-L1"] == {"coarse": 300}
    assert steps["G1+D"] == {"coarse": 240}
    both = steps["G1+G2+D"]
    assert both["coarse"] * 0.1 + both["refined"] * 0.3 == pytest.approx(60.0, rel=0.02)
    assert both["coarse"] / both["refined"] == pytest.approx(6000 / 2000, rel=0.02)
    assert steps_for(None, recipes, {})["G1-L1"] == {"coarse": recipes["G1-L1"].coarse.steps}
    with pytest.raises(Pg2Error, match="too short for a single step"):
        steps_for(0.01, recipes, measured)


def test_a_plan_is_made_once(tmp_path: Path) -> None:
    steps = {model.name: {"coarse": 5} for model in MODELS}
    file = tmp_path / "new" / "plan.json"
    assert take_plan(file, {"budget": "1m"}, lambda: steps) == steps
    assert take_plan(file, {"budget": "1m"}, lambda: pytest.fail("measured again")) == steps
    with pytest.raises(Pg2Error, match="begun with budget = 1m, now it is 2m"):
        take_plan(file, {"budget": "2m"}, lambda: steps)
    others = [[], {"coarse": "5"}, {"coarse": None}, {"coarse": True}, {"other": 5}, {}]
    for broken in (
        "{}",
        '{"begun_with": {"budget": "1m"}, "steps": {"G1-L1": {"coarse": 5}}}',
        json.dumps({"begun_with": ["1m"], "steps": steps}),
        *(json.dumps({"begun_with": {}, "steps": dict.fromkeys(steps, other)}) for other in others),
    ):
        file.write_text(broken)
        with pytest.raises(Pg2Error, match=r"plan\.json is not the plan of this experiment"):
            take_plan(file, {"budget": "1m"}, lambda: steps)
    file.write_text("[1]")
    with pytest.raises(Pg2Error, match="is not the plan of an experiment"):
        take_plan(file, {"budget": "1m"}, lambda: steps)
