"""What the main jobs cost by counting stays what it is: FLOPs, operations, files opened, copies of a photo.

Nothing is timed, so a busy machine changes nothing. The numbers stand in tests/cost.json. A change that makes
a job dearer, or cheaper, by more than a few per cent fails here; where that is meant, write them anew by
`python tests/test_cost.py`, and say in the commit why.
"""

import sys
import tempfile
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any, Self

import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).parents[1]
if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "benchmarks"))

from cost_study.steps import OnPaper, drawing, training  # noqa: E402
from cost_study.work import Work, counted  # noqa: E402

from pg2 import cli  # noqa: E402
from pg2.io.files import read_json, write_json  # noqa: E402
from pg2.io.packaged import SAMPLES, WEIGHTS  # noqa: E402
from pg2.models.config import ModelConfig  # noqa: E402
from pg2.training.recipe import load_recipe  # noqa: E402

NUMBERS = Path(__file__).with_name("cost.json")
FEW = 0.03
"""By which share a number may differ from the stored one."""

MODELS = ("fast/market1501", "fast/people256", "fast/photo256")
TRAININGS = (
    ("paper/market1501", "coarse"),
    ("paper/market1501", "refined"),
    ("fast/market1501", "coarse"),
    ("fast/market1501", "refined"),
)
_BLOCK = 1 << 16

SIDES = (512, 2560)
"""Pixels to a side of two photos: what grows with the photo is told apart from what does not."""

AGAIN = "if that is meant, run `python tests/test_cost.py`, and say in the commit why"


def networks() -> dict[str, dict[str, float]]:
    """What one picture of each model that ships takes, and training steps of two pairs."""
    found = {}
    for name in MODELS:
        config = ModelConfig.model_validate(read_json(WEIGHTS / name / "config.json", "a model")["config"])
        found[f"{name}, drawing"] = counted(drawing(config, 1, torch.device("meta")))
    for name, stage in TRAININGS:
        step, trained = training(load_recipe(name), stage, 2, OnPaper(cpu=True))
        found[f"{name}, training {stage}"] = counted(step, trained)
    return {name: _numbers(work) for name, work in found.items()}


def _numbers(work: Work) -> dict[str, float]:
    return {
        "operations": round(work.operations),
        "GFLOP": round(work.flops / 1e9, 3),
        "MB moved": round(work.moved / 1e6, 1),
        "MB kept": round(work.kept / 1e6, 1),
    }


class Watched:
    """What is opened and allocated inside: it counts the same on every machine.

    Attributes:
        opened: how often each file below the folders was opened by Python, modules left out; by name.
        pillow: bytes of all pictures that Pillow ever made.
        arrays: bytes of arrays and objects of Python at their most, from the moment on when `photo` was
            opened, beyond those that were there then.
    """

    def __init__(self, *folders: Path, photo: Path) -> None:
        self.opened: Counter[str] = Counter()
        self.pillow = self.arrays = 0
        self._folders, self._photo, self._there = folders, photo, 0
        self._inside = False
        sys.addaudithook(self._hear)  # which stays until the process ends, silent

    def __enter__(self) -> Self:
        core = Image.core
        self._before = core.get_block_size()
        core.set_block_size(_BLOCK)  # so small that a picture's number of blocks tells its size
        core.reset_stats()
        tracemalloc.start()
        self._inside = True
        return self

    def __exit__(self, *_: object) -> None:
        self._inside = False
        self.arrays = tracemalloc.get_traced_memory()[1] - self._there
        tracemalloc.stop()
        stats = Image.core.get_stats()
        self.pillow = (stats["allocated_blocks"] + stats["reused_blocks"]) * _BLOCK
        Image.core.set_block_size(self._before)

    def _hear(self, event: str, arguments: Any) -> None:
        if not self._inside or event != "open" or not isinstance(arguments[0], str | Path):
            return
        path = Path(arguments[0])
        if path.suffix in (".py", ".pyc") or path.is_dir():
            return
        if any(folder in path.parents for folder in self._folders):
            self.opened[path.name] += 1
        if path == self._photo:
            tracemalloc.reset_peak()
            self._there, _ = tracemalloc.get_traced_memory()


def generating(folder: Path) -> dict[str, dict[str, float]]:
    """The files that `pg2 generate` opens, and how many copies of a large photo it makes.

    Pillow's copies are all that it ever made, of four bytes a pixel; arrays, of three, are those at one time.
    """
    found = []
    for side in SIDES:  # the first time also loads modules
        photo, out = folder / f"photo{side}.jpg", folder / "made.png"
        with Image.open(SAMPLES / "00003/00.jpg") as opened:
            opened.resize((side, side)).save(photo)
        with Watched(SAMPLES.parent, folder, photo=photo) as watched:
            _pg2("generate", photo, "--pose", "walking", "--model", MODELS[0], "--out", out)
        assert out.exists()
        found.append(watched)
    small, large = found
    pixels = SIDES[1] ** 2 - SIDES[0] ** 2
    return {
        "pg2 generate, copies of the photo": {
            "by Pillow": round((large.pillow - small.pillow) / (4 * pixels), 2),
            "as arrays at one time": round((large.arrays - small.arrays) / (3 * pixels), 2),
        },
        "pg2 generate, files opened": dict(sorted(large.opened.items())),
    }


def _pg2(*arguments: object) -> None:
    before, sys.argv = sys.argv, ["pg2", *map(str, arguments)]
    code: object = 0
    try:
        cli.main()
    except SystemExit as left:
        code = left.code
    finally:
        sys.argv = before
    assert not code


def compared(found: dict[str, dict[str, float]], stored: dict[str, dict[str, float]]) -> list[str]:
    """A sentence for each number that is not about the stored one."""
    said = []
    for job, numbers in found.items():
        known = stored.get(job, {})
        for name in [*numbers, *(known.keys() - numbers.keys())]:
            now, before = numbers.get(name, 0), known.get(name, 0)
            if abs(now - before) > FEW * before:
                change = f"{now / before - 1:+.0%}" if before else "new"
                said.append(f"{job}: {name}: {now:,}, stored is {before:,} ({change}); {AGAIN}")
    return said


def test_the_networks_cost_what_they_did() -> None:
    assert compared(networks(), _stored()) == []


def test_pg2_generate_opens_and_copies_what_it_did(tmp_path: Path) -> None:
    assert compared(generating(tmp_path), _stored()) == []


def test_nothing_is_stored_of_jobs_that_nobody_counts() -> None:
    jobs = [f"{name}, drawing" for name in MODELS]
    jobs += [f"{name}, training {stage}" for name, stage in TRAININGS]
    jobs += ["pg2 generate, copies of the photo", "pg2 generate, files opened"]
    assert list(_stored()) == jobs


def test_what_is_dearer_or_cheaper_is_said() -> None:
    stored = {"a job": {"operations": 100.0, "opened": 2.0}}
    assert compared({"a job": {"operations": 103.0, "opened": 2.0}}, stored) == []
    dearer = compared({"a job": {"operations": 104.0, "opened": 2.0}}, stored)
    assert dearer == [f"a job: operations: 104.0, stored is 100.0 (+4%); {AGAIN}"]
    assert len(compared({"a job": {"operations": 96.0, "opened": 3.0}}, stored)) == 2
    assert len(compared({"a job": {"operations": 100.0, "photo": 1.0}}, stored)) == 2


def test_a_further_copy_or_file_is_counted(tmp_path: Path) -> None:
    photo, picture = tmp_path / "photo.txt", Image.new("RGB", (1024, 1024))
    photo.write_text("a")
    with Watched(tmp_path, photo=photo) as watched:
        early = bytearray(9_000_000)
        assert photo.read_text() == photo.read_text() == "a"
        copies = [picture.copy() for _ in range(3)]
        array = np.zeros(5_000_000, np.uint8)
        (tmp_path / "a.py").write_text("")
    photo.read_text()
    assert len(copies) == 3
    assert watched.pillow == pytest.approx(3 * 4 * 1024**2, rel=0.01)
    assert len(early) > watched.arrays == pytest.approx(array.nbytes, rel=0.05)
    assert watched.opened == {"photo.txt": 2}


def _stored() -> dict[str, dict[str, float]]:
    stored: dict[str, dict[str, float]] = read_json(NUMBERS, "what the main jobs cost")
    return stored


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary:
        made = {**networks(), **generating(Path(temporary))}
    for sentence in compared(made, _stored() if NUMBERS.exists() else {}):
        print(sentence)
    write_json(NUMBERS, made)
