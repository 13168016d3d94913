"""Which recipe, and how many steps each model gets for the same minutes."""

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.io.files import read_object, write_json
from pg2.table1.models import FASHION, MARKET, MODELS, Model
from pg2.training.recipe import load_recipe
from pg2.training.settings import Recipe

PRESETS = ("fast", "paper", "debug")

# Tiny networks, and few steps, over the fast recipes: everything runs, nothing is learned.
_DEBUG = (
    "precision=fp32", "threads=1", "data.validation_people=1", "data.validation_pairs=4",
    "model.pose.shrink=1", "model.pose.radius=2", "model.coarse.width=4", "model.coarse.blocks=2",
    "model.coarse.unshuffle=1", "coarse.steps=3", "coarse.batch=2", "coarse.warmup=0", "coarse.ema=0",
)  # fmt: skip
_DEBUG_REFINE = ("model.refine.width=4", "model.refine.blocks=2", "model.refine.unshuffle=1")
_DEBUG_REFINED = ("refined.steps=2", "refined.batch=2", "refined.warmup=0", "refined.ema=0")
_DEBUG_JUDGE = "adversarial.discriminator={width: 4, layers: 2, norm: spectral, head: patch}"

# What an experiment decides itself.
_DECIDED = {
    "seed": "give --seed",
    "model.frame": "it is that of the data",
    "model.pose.embedding": "it is what the models differ in",
    "coarse.validate_every": "there are four validations",
    "refined.validate_every": "there are four validations",
}

_ALIKE = 1.25  # how much longer a step may take and still count as long as another; measuring wavers

Steps = dict[str, int]
"""Stage -> steps: "coarse" and perhaps "refined"."""


def seconds(budget: str) -> float:
    """A time such as 90s, 20m or 1.5h in seconds.

    Raises:
        Pg2Error: it is none, or not positive.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh])", budget.strip().lower())
    found = float(match[1]) * {"s": 1, "m": 60, "h": 3600}[match[2]] if match else 0.0
    if not found > 0:
        raise Pg2Error(f'a budget is a time for each model, such as 20m or 1.5h, not "{budget}"')
    return found


def family(data: PreparedDataset) -> str:
    """Which of the paper's data sets a prepared one is, or has the shape of.

    Raises:
        Pg2Error: it has the shape of neither.
    """
    height, width = data.frame
    if height == 2 * width:
        return MARKET
    if height == width:
        return FASHION
    raise Pg2Error(
        f"{data.path} holds pictures of {height}x{width}; Table 1 has recipes for pictures twice as high as "
        "wide (Market-1501) and for square ones (DeepFashion, prepared without --crop)"
    )


def check_settings(settings: Sequence[str], budget: str | None) -> None:
    """Refuse settings that the experiment itself decides.

    Raises:
        Pg2Error: one is among them.
    """
    for name in (change.partition("=")[0] for change in settings):
        if name in _DECIDED:
            raise Pg2Error(f"{name} is not to be set: {_DECIDED[name]}")
        if budget is not None and name.endswith(".steps"):
            raise Pg2Error(f"with a budget steps are not to be set: leave out --budget, or --set {name}")


def recipe_for(model: Model, data: PreparedDataset, preset: str, seed: int, *further: str) -> Recipe:
    """The recipe of a model on a data set, in the data's frame.

    `further`: settings to change in it, as NAME=VALUE.

    Raises:
        Pg2Error: no such preset or setting, or the networks do not fit the frame.
    """
    if preset not in PRESETS:
        raise Pg2Error(f'there is no preset "{preset}"; there are {", ".join(PRESETS)}')
    changes = [f"seed={seed}", f"model.frame=[{data.frame[0]}, {data.frame[1]}]"]
    base = "paper" if preset == "paper" else "fast"
    if preset == "debug":
        changes += _DEBUG
        if model.recipe == "g1-g2-d":
            changes += [*_DEBUG_REFINE, *_DEBUG_REFINED, f"refined.{_DEBUG_JUDGE}"]
        elif model.recipe == "g1-d":
            changes.append(f"coarse.{_DEBUG_JUDGE}")
    return load_recipe(f"{base}/{family(data)}/{model.recipe}", [*changes, *further])


def steps_for(
    budget: float | None, recipes: Mapping[str, Recipe], measured: Mapping[str, Mapping[str, float]]
) -> dict[str, Steps]:
    """How many steps each model is trained for.

    Each gets what fits into the time. Models of one stage without an adversary whose steps take about as long
    get one number, so that nothing but their setting differs; a model of two stages shares its time between
    them in the recipe's (the paper's) proportion of steps.

    Args:
        budget: seconds for each model; None takes the recipes' own steps.
        recipes: name -> recipe.
        measured: name -> stage -> seconds a step; not read without a budget.

    Raises:
        Pg2Error: the budget is too short for a single step.
    """
    found: dict[str, Steps] = {}
    for name, recipe in recipes.items():
        own = {stage: settings.steps for stage, settings in recipe.stages.items()}
        if budget is not None:
            # As many rounds of the recipe as fit into the budget.
            share = budget / sum(steps * measured[name][stage] for stage, steps in own.items())
            own = {stage: int(steps * share) for stage, steps in own.items()}
        found[name] = own
    plain = [name for name, recipe in recipes.items() if not (recipe.refined or recipe.coarse.adversarial)]
    most = max(found[name]["coarse"] for name in plain)
    alike = [name for name in plain if found[name]["coarse"] > most / _ALIKE]
    for name in alike:
        found[name]["coarse"] = min(found[other]["coarse"] for other in alike)
    for name, own in found.items():
        if min(own.values()) < 1:
            raise Pg2Error(f"the budget is too short for a single step of each stage of {name}; give more")
    return found


def take_plan(
    file: Path, wanted: Mapping[str, Any], measure: Callable[[], dict[str, Steps]]
) -> dict[str, Steps]:
    """The plan of an experiment: made once, then kept, so that going on later changes nothing.

    Args:
        file: where it is kept.
        wanted: what the experiment is begun with; the same again, or it is another experiment.
        measure: makes the plan: model -> steps.

    Raises:
        Pg2Error: the experiment there was begun with something else, or it is no plan.
    """
    if file.exists():
        kept = read_object(file, "the plan of an experiment")
        if not _is_plan(kept):
            raise Pg2Error(f"{file} is not the plan of this experiment; give another --out")
        for key, value in wanted.items():
            if kept["begun_with"].get(key) != value:
                raise Pg2Error(
                    f"{file.parent} was begun with {key} = {_said(kept['begun_with'].get(key))}, now it is "
                    f"{_said(value)}; "
                    "give the same, or another --out"
                )
    else:
        kept = {"begun_with": dict(wanted), "steps": measure()}
        write_json(file, kept)
    steps: dict[str, Steps] = kept["steps"]
    return steps


def _said(value: Any) -> Any:
    return "none" if value is None else value


def _is_plan(kept: Mapping[str, Any]) -> bool:
    begun, steps = kept.get("begun_with"), kept.get("steps")
    return (
        isinstance(begun, dict)
        and isinstance(steps, dict)
        and steps.keys() == {model.name for model in MODELS}
        and all(
            isinstance(own, dict)
            and own.keys() <= {"coarse", "refined"}
            and {*map(type, own.values())} == {int}
            for own in steps.values()
        )
    )
