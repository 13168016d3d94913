"""The folder of a run: what it was begun with, and that nothing else is gone on with in it."""

import itertools
import os
import subprocess
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.io.files import is_unfinished, read_object, remove_unfinished, write_json, write_text
from pg2.io.outputs import LOCK
from pg2.training.checkpoint import CHECKPOINT, read_progress
from pg2.training.recipe import check_same, load_recipe
from pg2.training.settings import Recipe

# Without optional locks git only reads: otherwise it may write its index anew.
_QUIET: dict[str, Any] = {
    "capture_output": True,
    "stdin": subprocess.DEVNULL,
    "timeout": 10,
    "env": {**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
}


def begin(
    recipe: Recipe,
    data: PreparedDataset,
    run: Path,
    start: str | None,
    flow_from: PreparedDataset | None,
    main: bool,
) -> None:
    """Write what a run is begun with into a new folder, or check it against what is there.

    What a killed run left half-written is removed.

    Args:
        recipe, data: of the run.
        run: its folder.
        start: the `digest` of the model to start from, if any.
        flow_from: the second data set, if any.
        main: whether this process is the one that writes; it is `exclusive` there.

    Raises:
        Pg2Error: it was begun with something else, or the folder holds no run.
    """
    written, about = run / "recipe.yaml", run / "data.json"
    records = _records(data)
    flow_records = None if flow_from is None else _records(flow_from)
    if written.exists():
        check_same(recipe, load_recipe(written), run)
        before = read_object(about, "what the run was begun with") if about.exists() else {}
        if before.get("records_sha256", records) != records:
            raise Pg2Error(f"{run} was begun on another data set than {data.path}; give another --out")
        if before.get("flow_records_sha256") != flow_records:
            raise Pg2Error(
                f"{run} was begun with another --flow-from, or without; give the same, or another --out"
            )
        began = before.get("start_sha256", start)
        if began != start:
            how = "without" if began is None else "with" if start is None else "with the weights of another"
            what = "leave it out" if began is None else "give the same"
            raise Pg2Error(f"{run} was begun {how} --init-from: {what}, or give another --out for a new run")
        _check_order(recipe, run)
    elif run.exists() and (not run.is_dir() or any(_is_strange(inside) for inside in run.iterdir())):
        raise Pg2Error(f"{run} exists and is not a training run (it has no recipe.yaml); give another --out")
    if main:
        remove_unfinished(run, below=True)
        write_text(written, yaml.safe_dump(recipe.model_dump(mode="json"), sort_keys=False))
        begun = {"path": str(data.path), "records_sha256": records, "start_sha256": start}
        if flow_from is not None:
            begun |= {"flow_path": str(flow_from.path), "flow_records_sha256": flow_records}
        write_json(about, begun | {"pg2": version("pg2"), "commit": _commit()})


def _commit() -> str | None:
    """The commit of the code that runs, "-dirty" where it was changed; None where it is in no repository."""
    here = Path(__file__).parent
    asked = ["git", "-C", str(here)]
    try:
        # An installed package may lie inside the repository of something else.
        subprocess.run([*asked, "ls-files", "--error-unmatch", Path(__file__).name], check=True, **_QUIET)
        found = subprocess.run(
            [*asked, "describe", "--always", "--dirty", "--exclude=*"], check=True, **_QUIET
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return str(found.stdout.decode().strip())


def _records(data: PreparedDataset) -> str:
    return str(data.manifest["parts"]["records.csv"]["sha256"])


def _is_strange(inside: Path) -> bool:
    return inside.name != LOCK and not is_unfinished(inside)


def _check_order(recipe: Recipe, run: Path) -> None:
    """Refuse to train a stage further that a later one stands on."""
    for (name, stage), (later, _) in itertools.pairwise(recipe.stages.items()):
        if not (run / later / CHECKPOINT).exists() or not (run / name / CHECKPOINT).exists():
            continue
        made = read_progress(run / name / CHECKPOINT)["step"]
        if made < stage.steps:
            raise Pg2Error(
                f"stage II of {run} was begun on a stage I of {made} steps; to train stage I for "
                f"{stage.steps}, give another --out"
            )
