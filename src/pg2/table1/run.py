"""The experiment: train the six models, score them on the same pairs, and write the table."""

import contextlib
import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from pydantic import TypeAdapter
from rich.console import Console

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.pair_lists import Pair, all_test_pairs, limited, pair_indices, people_of
from pg2.evaluation.protocol import STAGES, training_features
from pg2.evaluation.run import score_and_report
from pg2.evaluation.scores import COPY, REAL
from pg2.io.files import read_object, remove_unfinished
from pg2.io.outputs import exclusive
from pg2.pipeline import Pipeline
from pg2.table1.models import MODELS, Model
from pg2.table1.plan import Steps, check_settings, family, recipe_for, seconds, steps_for, take_plan
from pg2.training.checkpoint import CHECKPOINT, read_progress
from pg2.training.loop import step_seconds, train
from pg2.training.settings import Recipe

FILES = ("table1.md", "table1.json", "table1.csv", "table1.html")
"""The table's own files."""

_PLAN = "plan.json"
_ROUNDS = 3  # of measuring


@dataclass(frozen=True)
class Trained:
    """A trained and scored model.

    Attributes:
        model: which one.
        seed: of its training.
        folder: of the trained model.
        parameters: of its generators.
        steps: stage -> steps that it was trained for.
        minutes: of the training loop.
        scores: of its last picture: score -> mean and half_width, as in scores.json.
        pairs: score -> a value a pair, float64 [n]; for comparing models pair by pair.
    """

    model: Model
    seed: int
    folder: Path
    parameters: int
    steps: Steps
    minutes: float
    scores: Mapping[str, Mapping[str, float | None]]
    pairs: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True)
class Experiment:
    """The results on one data set.

    Attributes:
        data: the data set.
        family: which of the paper's it is, or has the shape of.
        pairs: (source, target) names that were scored.
        people: whom each pair shows, int64 [n]: pairs of one person are not independent.
        by_seed: the six models as trained with the first seed, then with each further one.
        copy, real: scores of the copied sources and of the real targets.
        about: score -> its heading and words.
        preset, budget, seed, settings: what the experiment was begun with; `seed` is the first one.
    """

    data: PreparedDataset
    family: str
    pairs: Sequence[Pair]
    people: npt.NDArray[np.int64]
    by_seed: Sequence[Sequence[Trained]]
    copy: Mapping[str, Mapping[str, float | None]]
    real: Mapping[str, Mapping[str, float | None]]
    about: Mapping[str, str]
    preset: str
    budget: str | None
    seed: int
    settings: Sequence[str]

    @property
    def trained(self) -> Sequence[Trained]:
        """The six models with the first seed."""
        return self.by_seed[0]


@contextlib.contextmanager
def at_work(out: Path) -> Iterator[None]:
    """Keep other commands away from the folder of a table, and remove what a killed one left in it.

    Args:
        out: holds `FILES`, and the folder of an experiment for each data set.

    Raises:
        Pg2Error: another command is at work there, or `out` holds something else.
    """
    if out.exists() and not out.is_dir():
        raise Pg2Error(f"{out} is a file; give a folder for the table")
    with exclusive(out):
        for inside in out.glob("*"):
            known = inside.name in FILES or inside.name.startswith(".") or _is_experiment(inside)
            if not known:
                raise Pg2Error(f"{out} holds {inside.name}, which is no part of a table; give another --out")
        for folder in (out, *(inside for inside in out.glob("*") if inside.is_dir())):
            remove_unfinished(folder)
        yield


def _is_experiment(folder: Path) -> bool:
    """Whether a folder was begun by `run_experiment`, or has nothing in it yet."""
    if not folder.is_dir():
        return False
    return (folder / _PLAN).is_file() or all(inside.name.startswith(".") for inside in folder.iterdir())


def check_experiment(
    data: PreparedDataset,
    *,
    preset: str = "fast",
    budget: str | None = None,
    seed: int = 0,
    seeds: int = 1,
    pairs: Sequence[Pair] | None = None,
    limit: int | None = None,
    settings: Sequence[str] = (),
) -> tuple[list[Pair], dict[str, Recipe], float | None]:
    """What `run_experiment` would refuse, before any training.

    Returns:
        The pairs that are scored, model -> recipe, and the budget in seconds.

    Raises:
        Pg2Error: pictures of no size that there are recipes for, pairs of other pictures, no such preset, ...
    """
    check_settings(settings, budget)
    recipes = {model.name: recipe_for(model, data, preset, seed, *settings) for model in MODELS}
    if seeds < 1:
        raise Pg2Error(f"each model is trained with at least 1 seed, not {seeds}")
    recipe_for(MODELS[0], data, preset, seed + seeds - 1, *settings)  # not after hours
    chosen = limited(all_test_pairs(data) if pairs is None else pairs, limit)
    pair_indices(data, chosen)
    return chosen, recipes, None if budget is None else seconds(budget)


def run_experiment(
    data: PreparedDataset,
    out: Path,
    *,
    preset: str = "fast",
    budget: str | None = None,
    seed: int = 0,
    seeds: int = 1,
    pairs: Sequence[Pair] | None = None,
    limit: int | None = None,
    settings: Sequence[str] = (),
    instruments: Instruments | None = None,
    dtype: torch.dtype = torch.float32,
    console: Console | None = None,
) -> Experiment:
    """Train and score the six models on one data set; called again, go on where it stopped.

    Args:
        data: prepared.
        out: folder of the experiment: plan.json, and a folder a model with its run and its scores; of seeds
            after the first one in a folder each, such as "seed1".
        preset: "fast" (compact networks), "paper" (the paper's sizes) or "debug" (runs, learns nothing).
        budget: time for the training of each model, such as "20m"; None trains the recipes' own steps.
        seed: of all six.
        seeds: how often each is trained, with `seed`, `seed` + 1, ...; more may be asked for later. The steps
            and the scored pairs are those of the first.
        pairs: that are scored; None: all of the test split.
        limit: score this many of them, evenly spread.
        settings: of all six recipes, to be changed, as NAME=VALUE, such as "precision=bf16".
        instruments: for scores that need networks; the models are scored on their device.
        dtype: that the models compute in when they are scored, see `Pipeline.from_pretrained`.
        console: where progress is shown; None: standard error.

    Raises:
        Pg2Error: see `pg2.training.loop.train`; or the experiment was begun with something else.
    """
    console = console or Console(stderr=True)
    instruments = instruments or Instruments()
    chosen, recipes, time = check_experiment(
        data,
        preset=preset,
        budget=budget,
        seed=seed,
        seeds=seeds,
        pairs=pairs,
        limit=limit,
        settings=settings,
    )

    def measure() -> dict[str, Steps]:
        if time is None:
            return steps_for(None, recipes, {})
        console.print("measuring how long a step of each model takes")
        # In turns: a machine that is shared has slow moments, in which a single model would be measured.
        rounds = [
            {name: step_seconds(recipe, data) for name, recipe in recipes.items()} for _ in range(_ROUNDS)
        ]
        quickest = {
            name: {stage: min(found[name][stage] for found in rounds) for stage in recipe.stages}
            for name, recipe in recipes.items()
        }
        for name, found in quickest.items():
            stages = ", ".join(f"{stage} {1000 * taken:.0f} ms" for stage, taken in found.items())
            console.print(f"{name}: a step takes {stages}")
        return steps_for(time, recipes, quickest)

    records = data.manifest["parts"]["records.csv"]["sha256"]
    begun = {"preset": preset, "budget": budget, "seed": seed, "records_sha256": records}
    # None without: so it is in folders from before there were any.
    begun["settings"] = ", ".join(sorted(settings)) or None
    begun["precision_of_scores"] = None if dtype == torch.float32 else str(dtype).removeprefix("torch.")
    plan = take_plan(out / _PLAN, begun, measure)
    known = None
    by_seed: list[list[Trained]] = []
    others: dict[str, Any] = {}
    about: dict[str, str] = {}
    for own, model in ((own, model) for own in range(seed, seed + seeds) for model in MODELS):
        steps, place = plan[model.name], (out if own == seed else out / f"seed{own}") / model.recipe
        console.print(
            f"{model.name}, seed {own}: "
            f"{', '.join(f'{count:,} steps {stage}' for stage, count in steps.items())}"
        )
        recipe = recipe_for(model, data, preset, own, *settings, *_lengths(steps))
        folder = train(recipe, data, place / "run", console)
        scores = place / "scores"
        if not _scored(scores, chosen, instruments):
            pipeline = Pipeline.from_pretrained(folder, device=instruments.device, dtype=dtype)
            known = training_features(data, instruments) if known is None else known
            score_and_report(
                scores,
                pipeline,
                data,
                chosen,
                name=model.name,
                data_name=data.source,
                instruments=instruments,
                training=known,
                seed=own,
            )
        found = _read_scores(scores, STAGES[list(recipe.stages)[-1]])
        others, about = found.rows, found.headings
        if model is MODELS[0]:
            by_seed.append([])
        by_seed[-1].append(_result(model, own, folder, steps, place, found))
    return Experiment(
        data,
        family(data),
        chosen,
        people_of(data, chosen).numpy(),
        by_seed,
        others[COPY],
        others.get(REAL, {}),
        about,
        preset,
        budget,
        seed,
        settings,
    )


def _lengths(steps: Steps) -> list[str]:
    # Four looks on the way are enough, and cost little of the time.
    return [
        f"{stage}.{name}={value}"
        for stage, count in steps.items()
        for name, value in (("steps", count), ("validate_every", max(count // 4, 1)))
    ]


class _Scored(NamedTuple):
    """What the report on a model says.

    Attributes:
        row: of the model's last picture.
        rows: row -> score -> mean and half_width.
        headings: of the scores.
        pairs: score -> a value a pair of `row`.
    """

    row: str
    rows: dict[str, dict[str, dict[str, float | None]]]
    headings: dict[str, str]
    pairs: dict[str, npt.NDArray[np.float64]]


_ROWS, _HEADINGS = TypeAdapter(dict[str, dict[str, dict[str, float | None]]]), TypeAdapter(dict[str, str])


def _scored(folder: Path, pairs: Sequence[Pair], instruments: Instruments) -> bool:
    """Whether scores of just these pairs, taken with these instruments, are there."""
    if not (folder / "scores.json").exists() or not (folder / "pairs.csv").exists():
        return False
    document = read_object(folder / "scores.json", "the scores of a model")
    if document.get("instruments") != instruments.names:
        return False
    with _damaged(folder):
        return [(line["from"], line["to"]) for line in _lines(folder, COPY)] == list(pairs)


def _lines(folder: Path, row: str) -> list[dict[str, str]]:
    with (folder / "pairs.csv").open(newline="", encoding="utf-8") as lines:
        return [line for line in csv.DictReader(lines) if line["row"] == row]


@contextlib.contextmanager
def _damaged(folder: Path) -> Iterator[None]:
    """Say of a report that is not as it was written what to do about it."""
    try:
        yield
    except (LookupError, ValueError, TypeError, csv.Error) as error:
        raise Pg2Error(
            f"the scores in {folder} are damaged; remove that folder and run the same command again"
        ) from error


def _read_scores(folder: Path, row: str) -> _Scored:
    document = read_object(folder / "scores.json", "the scores of a model")
    with _damaged(folder):
        rows, headings = (
            _ROWS.validate_python(document["rows"]),
            _HEADINGS.validate_python(document["headings"]),
        )
        if not {row, COPY} <= rows.keys() or any(
            score.keys() != {"mean", "half_width"} for scores in rows.values() for score in scores.values()
        ):
            raise ValueError("a row or a number is missing")
        mine = _lines(folder, row)
        pairs = {
            score: np.array([float(line[score] or "nan") for line in mine])
            for score in mine[0]
            if score not in ("from", "to", "row")
        }
        return _Scored(row, rows, headings, pairs)


def _result(model: Model, seed: int, folder: Path, steps: Steps, place: Path, found: _Scored) -> Trained:
    spent = sum(read_progress(place / "run" / stage / CHECKPOINT)["seconds"] for stage in steps)
    parameters = Pipeline.from_pretrained(folder).parameters
    return Trained(model, seed, folder, parameters, steps, spent / 60, found.rows[found.row], found.pairs)
