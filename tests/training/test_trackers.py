"""Trackers beside TensorBoard's files: what they are given, where it stays, and what comes of failures."""

import getpass
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.training import trackers
from pg2.training.loop import train
from pg2.training.recipe import load_recipe

QUIET = Console(quiet=True)
SHORT = ["coarse.steps=4", "refined.steps=2", "coarse.decay=0"]

_WATCHED = """
import socket, sys
calls = []
def watch(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.sendto"):
        calls.append((event, arguments))
sys.addaudithook(watch)
socket.gethostname = lambda: "a-telling-name"
from pg2.cli.app import app
app(["train", "debug", *sys.argv[1:]], standalone_mode=False)
def near(event, arguments):
    # W&B talks to a helper process of its own.
    address = arguments[1] if event == "socket.connect" else arguments[0]
    return isinstance(address, (str, bytes)) or address[0] in ("127.0.0.1", "::1", "localhost")
assert all(near(*call) for call in calls), calls
"""


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a user's who has set nothing, and afterwards as before."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("WANDB_", "MLFLOW_")):
            monkeypatch.delenv(name)
    yield
    for name in os.environ.keys() - before.keys():
        del os.environ[name]


def begin(name: str, tiny: PreparedDataset, folder: Path) -> Path:
    """A short run by the command line, at a home of its own, that may only call this machine."""
    home, run = folder / "home", folder / "run"
    home.mkdir(exist_ok=True)
    settings = [part for setting in SHORT for part in ("--set", setting)]
    arguments = [str(tiny.path), "--out", str(run), "--log", name, *settings]
    ended = subprocess.run(
        [sys.executable, "-c", _WATCHED, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1", "HOME": str(home)},
        cwd=home,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return run


class Fake:
    """A tracker of accelerate's, that keeps what it is given."""

    name = "wandb"
    made: list["Fake"]

    def __init__(self, project: str, **settings: Any) -> None:
        self.project, self.settings, self.ended = project, settings, 0
        self.numbers: list[tuple[int, dict[str, float]]] = []
        self.made.append(self)

    def start(self) -> None:
        pass

    def store_init_configuration(self, values: dict[str, str]) -> None:
        self.configuration = values

    def log(self, values: dict[str, float], step: int) -> None:
        self.numbers.append((step, values))

    def finish(self) -> None:
        self.ended += 1

    requires_logging_directory = False


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    """In the place of W&B."""
    from accelerate.tracking import LOGGER_TYPE_TO_CLASS
    from accelerate.utils import LoggerType

    class Here(Fake):
        made: list[Fake] = []  # noqa: RUF012

    monkeypatch.setitem(LOGGER_TYPE_TO_CLASS, "wandb", Here)
    monkeypatch.setattr("accelerate.tracking._available_trackers", [LoggerType.WANDB])
    return Here


def test_a_tracker_gets_the_numbers_that_tensorboard_gets(
    tiny: PreparedDataset, tmp_path: Path, fake: type[Fake]
) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = tmp_path / "run"
    train(load_recipe("debug"), tiny, run, QUIET, log=["tensorboard", "wandb"])
    [tracker] = fake.made
    assert (tracker.project, tracker.settings["dir"], tracker.ended) == ("pg2", str(run), 1)
    assert tracker.configuration["coarse.steps"] == "12"
    assert str(tiny.path) not in str(tracker.configuration)
    for stage, before in (("coarse", 0), ("refined", 12)):
        events = EventAccumulator(str(run / stage / "log"))
        events.Reload()
        tags = events.Tags()["scalars"]
        assert f"{stage}/l1" in tags
        assert f"{stage}/validation/ssim" in tags
        for tag in tags:
            written = [(event.step + before, event.value) for event in events.Scalars(tag)]
            given = [(step, values[tag]) for step, values in tracker.numbers if tag in values]
            assert given == [(step, pytest.approx(value, rel=1e-5)) for step, value in written]
    steps = [step for step, _ in tracker.numbers]
    assert steps == sorted(steps), "W&B drops numbers of earlier steps"
    train(load_recipe("debug"), tiny, run, QUIET, log=["wandb"])
    assert len(fake.made) == 1, "there was nothing to do"


def test_a_tracker_is_ended_when_the_training_fails(
    tiny: PreparedDataset, tmp_path: Path, fake: type[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pg2.training.losses.masked_l1", lambda image, *rest: image.mean() * float("nan"))
    with pytest.raises(Pg2Error, match="not finite"):
        train(load_recipe("debug"), tiny, tmp_path / "run", QUIET, log=["wandb"])
    assert [tracker.ended for tracker in fake.made] == [1]


def test_a_tracker_that_fails_is_left_out(
    tiny: PreparedDataset, tmp_path: Path, fake: type[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Fake, values: dict[str, float], step: int) -> None:
        raise ConnectionError("the server\nis gone")

    monkeypatch.setattr(Fake, "log", fail)
    with pytest.warns(
        UserWarning, match="--log wandb failed at step 3 and is left out .*: the server is gone"
    ):
        model = train(load_recipe("debug", SHORT), tiny, tmp_path / "run", QUIET, log=["wandb"])
    assert model.is_dir()


def test_a_tracker_that_cannot_begin_is_said_before_the_first_step(
    tiny: PreparedDataset, tmp_path: Path, fake: type[Fake], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Fake) -> None:
        raise RuntimeError("no key; log in first")

    monkeypatch.setattr(Fake, "start", refuse)
    with pytest.raises(Pg2Error, match="--log wandb could not begin: no key; log in first"):
        train(load_recipe("debug"), tiny, tmp_path / "run", QUIET, log=["wandb"])
    assert not (tmp_path / "run/coarse/checkpoint.safetensors").exists()


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_missing_package_is_one_sentence_before_any_work(
    tiny: PreparedDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("accelerate.tracking._available_trackers", [])
    with pytest.raises(Pg2Error, match=rf'--log {name} needs .*: pip install "pg2\[train,{name}\]"'):
        train(load_recipe("debug"), tiny, tmp_path / "run", QUIET, log=[name])
    assert not (tmp_path / "run").exists()


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(Pg2Error, match='takes tensorboard, wandb or mlflow, not "aim"'):
        trackers.wanted(["aim"])


@pytest.mark.usefixtures("fake")
def test_what_the_user_has_set_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "online")
    assert trackers.wanted(["wandb", "tensorboard", "wandb"]) == ["wandb"]
    assert os.environ["WANDB_MODE"] == "online"
    assert os.environ["WANDB_DISABLE_GIT"] == "true"


def test_wandb_stays_offline_and_notes_nothing_of_the_machine(tiny: PreparedDataset, tmp_path: Path) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    run = begin("wandb", tiny, tmp_path)
    [folder] = run.glob("wandb/offline-run-*")
    [written] = folder.glob("*.wandb")
    noted = written.read_bytes()
    assert b"refined/l1" in noted
    for told in ("a-telling-name", sys.executable, str(run), str(tiny.path)):
        assert told.encode() not in noted, told
    assert not list(folder.glob("files/wandb-metadata.json"))
    assert not list(folder.glob("files/requirements.txt"))


def test_mlflow_stays_in_the_run(tiny: PreparedDataset, tmp_path: Path) -> None:
    for package in ("mlflow", "sqlalchemy", "alembic"):
        pytest.importorskip(package, reason="the extra mlflow is not installed")
    run = begin("mlflow", tiny, tmp_path)
    with sqlite3.connect(run / "mlflow.db") as store:
        steps = store.execute("select step, value from metrics where key = 'refined/l1'").fetchall()
        [(rate,)] = store.execute("select value from params where key = 'coarse.lr'").fetchall()
        tags = dict(store.execute("select key, value from tags").fetchall())
    assert [step for step, _ in steps] == [6]
    assert rate == "0.001"
    assert tags["mlflow.source.name"] == "pg2 train"
    assert getpass.getuser() not in (tags["mlflow.user"], *tags.values())
    assert {path.name for path in (tmp_path / "home").rglob("*")} == set()
