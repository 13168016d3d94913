"""What training runs did: their settings, how far they came, how well, and where two of them differ."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pg2.errors import Pg2Error
from pg2.io.files import read_object
from pg2.io.picture_files import pictures_below
from pg2.training.checkpoint import CHECKPOINT, read_progress
from pg2.training.recipe import load_recipe
from pg2.training.settings import Recipe

_MOST_RUNS = 1_000  # that are listed together

Curve = list[tuple[int, float]]
"""(step, value), in order of the steps."""


@dataclass(frozen=True)
class StageHistory:
    """One stage of a run.

    Attributes:
        step: how far it has come.
        seconds: of the training loop so far.
        validation: score -> its curve.
    """

    step: int
    seconds: float
    validation: Mapping[str, Curve] = field(repr=False)


@dataclass(frozen=True)
class Run:
    """A training run.

    Attributes:
        folder: of the run.
        recipe: all its settings.
        begun: what it was begun with: the data set's path, pg2's version, its commit where it is known, ...
        stages: name -> what it did; a stage that has not begun is missing.
        scores: folder of a report of `pg2 evaluate` inside the run -> score -> mean, of the last picture.
    """

    folder: Path
    recipe: Recipe
    begun: Mapping[str, Any]
    stages: Mapping[str, StageHistory]
    scores: Mapping[str, Mapping[str, float]]


def find_runs(folders: Sequence[Path]) -> list[Run]:
    """All runs in folders and the folders below them, in order of their paths.

    Raises:
        Pg2Error: a folder is missing or holds no run, there are too many, or a run cannot be read.
    """
    found: list[Path] = []
    for folder in folders:
        if not folder.is_dir():
            raise Pg2Error(f"there is no folder {folder}; give the folder of a run, or one above")
        if (folder / "recipe.yaml").is_file():
            inside = [folder]
        else:
            inside = sorted(
                file.parent
                for file in pictures_below(folder, {".yaml"})
                if file.name == "recipe.yaml" and (file.parent / "data.json").is_file()
            )
        if not inside:
            raise Pg2Error(f"{folder} holds no training run (a folder with recipe.yaml and data.json)")
        found += inside
    if len(found) > _MOST_RUNS:
        raise Pg2Error(f"there are {len(found):,} runs, more than {_MOST_RUNS:,}; give fewer folders")
    return [read_run(folder) for folder in dict.fromkeys(found)]


def read_run(folder: Path) -> Run:
    """What is in the folder of a run.

    Raises:
        Pg2Error: it is no run, or a file of it is damaged.
    """
    recipe = load_recipe(folder / "recipe.yaml")
    stages = {}
    for name in recipe.stages:
        if not (folder / name / CHECKPOINT).is_file():
            continue
        progress = read_progress(folder / name / CHECKPOINT)
        stages[name] = StageHistory(
            progress["step"], progress["seconds"], _validation(folder / name / "log", name)
        )
    scores = {}
    for file in sorted(folder.glob("*/scores.json"))[:100]:
        document = read_object(file, "the scores of a model")
        try:
            *_, last = (row for name, row in document["rows"].items() if name != "real targets")
            means = {name: value["mean"] for name, value in last.items()}
            scores[file.parent.name] = {name: float(mean) for name, mean in means.items() if mean is not None}
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise Pg2Error(f"{file} is damaged; remove it, or evaluate the model again") from error
    return Run(folder, recipe, read_object(folder / "data.json", "what a run was begun with"), stages, scores)


def _validation(log: Path, stage: str) -> dict[str, Curve]:
    """The validations in a TensorBoard log, with what a killed training logged in vain left out."""
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise Pg2Error('reading a run\'s log needs the extra "train": pip install "pg2[train]"') from error
    if not log.is_dir():
        return {}
    events = EventAccumulator(str(log), {"scalars": 0, "images": 1, "tensors": 0})
    events.Reload()
    start = f"{stage}/validation/"
    curves: dict[str, Curve] = {}
    for kind, read in (("scalars", events.Scalars), ("tensors", events.Tensors)):
        for tag in events.Tags()[kind]:
            if not tag.startswith(start):
                continue
            values = {
                event.step: float(event.value if kind == "scalars" else event.tensor_proto.float_val[0])
                for event in read(tag)
            }
            curves[tag.removeprefix(start)] = sorted(
                (step, value) for step, value in values.items() if math.isfinite(value)
            )
    return curves


def settings(recipe: Recipe) -> dict[str, str]:
    """All settings of a recipe by their dotted names, such as coarse.lr, as JSON."""
    flat: dict[str, str] = {}

    def walk(value: Any, name: str) -> None:
        if isinstance(value, dict) and value:
            for key, inner in value.items():
                walk(inner, f"{name}.{key}" if name else str(key))
        else:
            flat[name] = json.dumps(value)

    walk(recipe.model_dump(mode="json"), "")
    return flat


def differences(runs: Sequence[Run]) -> dict[str, list[str]]:
    """The settings in which runs differ: name -> the value of each run as JSON, "–" where it has none."""
    each = [settings(run.recipe) for run in runs]
    names = dict.fromkeys(name for one in each for name in one)
    table = {name: [one.get(name, "–") for one in each] for name in names}
    return {name: values for name, values in table.items() if len(set(values)) > 1}
