"""`pg2 runs`."""

from pathlib import Path

import pytest
from rich.console import Console

from pg2.data.prepared import PreparedDataset
from pg2.training.loop import train
from pg2.training.recipe import load_recipe


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, tiny: PreparedDataset) -> Path:
    """Two runs of other seeds."""
    folder = tmp_path_factory.mktemp("runs")
    for seed in (0, 1):
        changes = [
            "coarse.steps=2",
            "coarse.validate_every=1",
            "refined=null",
            "model.refine=null",
            f"seed={seed}",
        ]
        train(load_recipe("debug", changes), tiny, folder / f"seed{seed}", Console(quiet=True))
    return folder


def test_runs_are_listed_and_two_compared(pg2, folder: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("runs", folder, "--page", tmp_path / "runs.html")
    assert ran.code == 0, ran.err
    for seed in (0, 1):
        assert str(folder / f"seed{seed}") in ran.out
    assert "2 of 2" in ran.out
    (line,) = (line for line in ran.out.splitlines() if line.split()[:1] == ["seed"])
    assert line.split() == ["seed", "0", "1"]
    page = (tmp_path / "runs.html").read_text()
    assert page.count("<polyline") >= 2 * 4, "four scores of both runs"
    assert "Settings that differ" in page

    alone = pg2("runs", folder / "seed0")
    assert alone.code == 0
    assert "differ" not in alone.out
    same = pg2("runs", folder / "seed0", folder / "seed0")
    assert same.out.count("seed0") == 1


def test_no_runs_are_one_sentence(pg2, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("runs", tmp_path)
    assert ran.code == 2
    assert ran.err.count("\n") == 1
    assert "holds no training run" in ran.err
