"""The command line as a whole: its help, and errors as one line with exit code 2."""

import os
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch
from cli_samples import PHOTO, assert_refused

from pg2.io.files import atomic_path
from pg2.io.outputs import exclusive


def test_help_answers_without_loading_pytorch() -> None:
    code = "import sys, pg2.cli; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    shown = subprocess.run(
        [sys.executable, "-m", "pg2", "--help"], capture_output=True, text=True, check=True
    )
    listed = [line.split()[0] for line in shown.stdout.split("Commands:\n")[1].splitlines()]
    assert listed == [
        "pose", "render", "train", "runs", "generate", "animate", "views", "augment", "shards", "serve",
        "export", "evaluate", "score", "table1", "prepare", "userstudy",
    ]  # fmt: skip


def test_its_version(pg2) -> None:  # type: ignore[no-untyped-def]
    ran = pg2("--version")
    assert ran.code == 0
    assert ran.out == f"pg2 {version('pg2')}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["pose"], "give photos"),
        (["pose", "nowhere.jpg"], "nowhere.jpg"),
        (["train", "fast/market1510", "D", "--out", "R"], 'did you mean "fast/market1501"'),
        (["train", "debug", "D", "--out", "R", "--set", "sed=1"], 'did you mean "seed"'),
        (["train", "debug", "D", "--out", "R"], "no prepared data set"),
        (["prepare", "market1501", "nowhere", "O"], "nowhere"),
        (["prepare", "deepfashion", "nowhere", "O", "--crop"], "no folder nowhere"),
        (["prepare", "deepfashion", ".", "O", "--keypoints", "auto"], "missing: Img/img/WOMEN"),
        (["prepare", "folder", "nowhere", "O"], "nowhere"),
        (["prepare", "folder", ".", "O", "--size", "big"], "HEIGHTxWIDTH"),
        (["generate", "nowhere.jpg", "--pose", "front", "--model", "MODEL"], "nowhere.jpg"),
        (["generate", PHOTO, "--pose", "fornt", "--model", "MODEL"], "did you mean front"),
        (["generate", PHOTO, "--pose", "front", "--model", "nothing"], "there is no model nothing"),
        (["generate", PHOTO, "--pose", "front", "--model", "fast/people265"], "did you mean fast/people256"),
        (["generate", PHOTO, "--pose", "front", "--model", "MODEL", "--out", "a.xyz"], "picture format"),
        (["views", "MODEL", PHOTO, "--out", "a.xyz"], "picture format"),
        (["generate", PHOTO, "--pose", "front", "--pose", "back", "--strip", "--model", "MODEL"], "--strip"),
        (["evaluate", "MODEL", "D", "--pairs", "P", "--out", "O"], "no prepared data set"),
        (["evaluate", "MODEL", "D", "--lpips-linear", "F", "--out", "O"], "goes with --lpips FILE"),
        (
            ["userstudy", "make", "nowhere", ".", "O"],
            "nowhere is not there; give a folder of generated pictures",
        ),
        (["userstudy", "make", ".", ".", "O", "--count", "3", "--practice", "3"], "under the count of 3"),
        (["userstudy", "serve", "."], "holds no user study"),
        (["userstudy", "report", "."], "holds no user study"),
    ],
)
def test_errors_are_one_line_and_exit_2(  # type: ignore[no-untyped-def]
    pg2, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(pg2(*(str(model) if word == "MODEL" else word for word in arguments)), said)
    assert not list(tmp_path.iterdir()), "nothing half-written"


def test_help_says_what_becomes_of_what_is_there(pg2) -> None:  # type: ignore[no-untyped-def]
    said = " ".join(pg2("--help").out.split())
    assert "A folder that holds anything else is refused and not changed." in said


def test_sigterm_cleans_up(pg2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def terminated(_: Path, out: Path, *__: object, **___: object) -> None:
        with exclusive(out), atomic_path(out) as new:
            new.mkdir()
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr("pg2.data.sources.folder.prepare_folder", terminated)
    ran = pg2("prepare", "samples", tmp_path / "data")
    assert ran.code == 143
    assert ran.err.strip() == "pg2: stopped; what was saved is kept"
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_ctrl_c_says_that_work_is_kept(pg2, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pg2.data.sources.folder.prepare_folder", interrupted)
    ran = pg2("prepare", "samples", tmp_path / "data")
    assert ran.code == 130
    assert ran.err.strip() == "pg2: stopped; what was saved is kept"


def test_ctrl_c_before_typer_heeds_it(pg2, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pg2.cli.app.app", interrupted)
    ran = pg2("prepare", "samples", "data")
    assert ran.code == 130
    assert ran.err.strip() == "pg2: stopped; what was saved is kept"


def test_too_little_memory_is_one_line(pg2, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    class OutOfMemoryError(RuntimeError):
        """As PyTorch has it."""

    try:
        torch.empty(2**60)
    except RuntimeError as error:
        here = error
    for error in (MemoryError(), OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), here):

        def full(error: Exception = error) -> None:
            raise error

        monkeypatch.setattr("pg2.cli.app.app", full)
        assert_refused(pg2("pose"), "there is not enough memory")

    def broken() -> None:
        raise RuntimeError("something else")

    monkeypatch.setattr("pg2.cli.app.app", broken)
    with pytest.raises(RuntimeError, match="something else"):
        pg2("pose")


def test_a_name_that_is_no_text_is_printed(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "pg2", "pose", "--list", "--out", tmp_path / "x\udcff"],
        capture_output=True,
        env=os.environ | {"PYTHONIOENCODING": "utf-8:strict"},
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, b"")
    assert ran.stdout.endswith(b"x\\udcff/named.png\n")
    assert len(list(tmp_path.iterdir())) == 1
