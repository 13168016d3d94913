"""What is read back from the folders of runs."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.training import history
from pg2.training.history import differences, find_runs, read_run, settings
from pg2.training.loop import train
from pg2.training.recipe import load_recipe

STEPS = ["coarse.steps=4", "coarse.validate_every=2", "coarse.save_every=2"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny: PreparedDataset) -> Path:
    """Two runs of stage I that differ in their learning rate, one of them scored."""
    folder = tmp_path_factory.mktemp("runs")
    for name, rate in (("quick", 1e-3), ("slow", 1e-4)):
        recipe = load_recipe("debug", [*STEPS, f"coarse.lr={rate}", "refined=null", "model.refine=null"])
        train(recipe, tiny, folder / "deep" / name, Console(quiet=True))
    scores = folder / "deep" / "quick" / "scores"
    scores.mkdir()
    rows = {
        "copy source": {"ssim": {"mean": 0.1, "half_width": 0.0}},
        "stage I (coarse)": {"ssim": {"mean": 0.25, "half_width": None}, "pckh": {"mean": None}},
        "real targets": {"pckh": {"mean": 0.9, "half_width": 0.0}},
    }
    (scores / "scores.json").write_text(json.dumps({"rows": rows}))
    return folder


def test_runs_are_found_with_their_curves_and_scores(folder: Path, tiny: PreparedDataset) -> None:
    quick, slow = find_runs([folder])
    assert (quick.folder.name, slow.folder.name) == ("quick", "slow")
    assert find_runs([quick.folder, folder]) == [quick, slow]
    stage = quick.stages["coarse"]
    assert stage.step == 4
    assert stage.seconds > 0
    assert [step for step, _ in stage.validation["ssim"]] == [2, 4]
    assert all(-1 <= value <= 1 for _, value in stage.validation["ssim"])
    assert {"mask_ssim", "l1", "sharpness"} <= stage.validation.keys()
    assert quick.begun["path"] == str(tiny.path)
    assert quick.scores == {"scores": {"ssim": 0.25}}
    assert not slow.scores


def test_what_differs_is_named_and_nothing_else(folder: Path) -> None:
    assert differences(find_runs([folder])) == {"coarse.lr": ["0.001", "0.0001"]}
    assert differences(find_runs([folder])[:1]) == {}
    flat = settings(load_recipe("debug"))
    assert flat["coarse.steps"] == str(load_recipe("debug").coarse.steps)
    assert flat["model.frame"] == json.dumps(list(load_recipe("debug").model.frame))


def test_a_run_that_has_not_begun_a_stage(tmp_path: Path, tiny: PreparedDataset, folder: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in ("recipe.yaml", "data.json"):
        (run / name).write_bytes((folder / "deep" / "quick" / name).read_bytes())
    assert read_run(run).stages == {}


def test_what_is_no_run_is_refused(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Pg2Error, match="there is no folder"):
        find_runs([tmp_path / "nowhere"])
    with pytest.raises(Pg2Error, match="holds no training run"):
        find_runs([tmp_path])
    broken = tmp_path / "broken"
    (broken / "coarse").mkdir(parents=True)
    for name in ("recipe.yaml", "data.json"):
        (broken / name).write_bytes((folder / "deep" / "quick" / name).read_bytes())
    (broken / "coarse" / "checkpoint.safetensors").write_bytes(b"\0" * 100)
    with pytest.raises(Pg2Error, match=r"checkpoint\.safetensors"):
        find_runs([broken])
    monkeypatch.setattr(history, "_MOST_RUNS", 1)
    with pytest.raises(Pg2Error, match="there are 2 runs, more than 1"):
        find_runs([folder])
