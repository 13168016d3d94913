"""A log over several sittings reads as that of one."""

import errno
import os
import threading
from pathlib import Path

import pytest

from pg2.training.log import tensorboard_log


def sit(folder: Path, begin: int, *steps: int) -> None:
    """A sitting that goes on after the step `begin`, and logs at some steps."""
    with tensorboard_log(folder, begin) as log:
        for step in steps:
            log.add_scalar("loss", step / 10, step)


def read(folder: Path) -> list[tuple[int, float]]:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    found = events.Scalars("loss") if "loss" in events.Tags()["scalars"] else []
    return [(event.step, round(event.value, 3)) for event in found]


@pytest.fixture(autouse=True)
def _ordered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of sittings within one second are read in the order of their making all the same."""
    seconds = iter(range(1_000, 2_000))
    monkeypatch.setattr("tensorboard.summary.writer.event_file_writer.time.time", lambda: next(seconds))


def test_what_was_logged_after_the_last_checkpoint_is_hidden(tmp_path: Path) -> None:
    sit(tmp_path, 0, 1, 2, 3)
    sit(tmp_path, 2, 3, 4)
    assert read(tmp_path) == [(1, 0.1), (2, 0.2), (3, 0.3), (4, 0.4)]
    assert len(list(tmp_path.iterdir())) == 2


def test_sittings_that_got_nowhere_leave_no_file(tmp_path: Path) -> None:
    for _ in range(3):
        sit(tmp_path, 0, 1)
    assert len(list(tmp_path.iterdir())) == 1
    assert read(tmp_path) == [(1, 0.1)]
    sit(tmp_path, 1, 2)
    for _ in range(3):
        sit(tmp_path, 2, 3)
        sit(tmp_path, 2)
    assert len(list(tmp_path.iterdir())) == 3
    assert read(tmp_path) == [(1, 0.1), (2, 0.2)]


def test_a_damaged_file_is_no_hindrance(tmp_path: Path) -> None:
    sit(tmp_path, 0, 1, 2)
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:-5])
    (tmp_path / "events.out.tfevents.1.empty").write_bytes(b"")
    sit(tmp_path, 2, 3)
    assert read(tmp_path) == [(1, 0.1), (3, 0.3)]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_full_disk_is_an_error_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def log_on() -> None:
        with tensorboard_log(tmp_path, 0) as log:
            monkeypatch.setattr("tensorboard.summary.writer.record_writer.RecordWriter.write", full)
            log.add_scalar("loss", 1.0, 1)
            log.flush()

    with pytest.raises(OSError, match="No space left"):
        log_on()
    assert capfd.readouterr().err == ""


def test_another_thread_that_fails_is_still_heard_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    heard: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", heard.append)
    with tensorboard_log(tmp_path, 0):
        thread = threading.Thread(target=lambda: 1 / 0)
        thread.start()
        thread.join()
    assert [failed.exc_type for failed in heard] == [ZeroDivisionError]
    assert threading.excepthook == heard.append
