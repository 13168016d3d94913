"""A file or folder holds its old content or the whole new one, whatever happens."""

import contextlib
import errno
import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pg2.errors import Pg2Error
from pg2.io import files
from pg2.io.files import (
    atomic_files,
    atomic_path,
    exists,
    read_json,
    read_object,
    read_text,
    remove_unfinished,
    write_json,
    write_text,
)


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond 4 KB: the system itself breaks a write off half-way.

    Around single calls only: pytest's own output may go to a file that is longer already.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_file_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.txt"
    for text in ("one", "two"):
        with atomic_path(path) as new:
            assert new.suffix == ".txt"
            new.write_text(text)
            assert not path.exists() or path.read_text() == "one"
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_folder_is_written_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "set"
    for name in ("old", "new"):
        with atomic_path(path) as new:
            new.mkdir()
            (new / name).write_text(name)
    assert [file.name for file in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_every_file_of_a_folder_is_on_the_disk_before_the_folder_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "set"
    flushed: list[str] = []

    def flush(file: Path) -> None:
        assert path.exists() == (file == tmp_path)
        flushed.append(file.name)
        if (file / "broken").exists():
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(files, "_fsync", flush)

    def write(*names: str) -> None:
        with atomic_path(path) as new:
            (new / "deep").mkdir(parents=True)
            for name in names:
                (new / name).write_text(name)

    with pytest.raises(Pg2Error, match=r"cannot write .*set: input/output error"):
        write("broken")
    assert list(tmp_path.iterdir()) == []
    flushed.clear()
    write("a", "deep/b")
    assert sorted(flushed[:-1]) == ["a", "b", "deep", "set"]
    assert flushed[-1] == tmp_path.name


@pytest.mark.parametrize("error", [RuntimeError("mine"), KeyboardInterrupt()])
def test_an_exception_inside_leaves_the_old_content(tmp_path: Path, error: BaseException) -> None:
    file, folder = tmp_path / "a.txt", tmp_path / "set"
    write_text(file, "old")
    folder.mkdir()
    (folder / "old").write_text("old")

    def write_half(path: Path, inside: str) -> None:
        with atomic_path(path) as new:
            (new / inside).parent.mkdir(exist_ok=True)
            (new / inside).write_text("half")
            raise error

    with pytest.raises(type(error)):
        write_half(file, "")
    with pytest.raises(type(error)):
        write_half(folder, "half")
    assert file.read_text() == "old"
    assert [inside.name for inside in folder.iterdir()] == ["old"]
    assert sorted(tmp_path.iterdir()) == [file, folder]


def test_interrupted_between_the_two_renames_of_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "old").write_text("old")
    rename = Path.replace

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "set" and target == folder:
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), atomic_path(folder) as new:
        new.mkdir()
    assert (folder / "old").read_text() == "old"
    assert list(tmp_path.iterdir()) == [folder]


def test_many_files_at_once(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/a").write_text("old")
    (tmp_path / "out/c").write_text("other")
    with atomic_files(tmp_path / "out") as new:
        (new / "a").write_text("new")
        (new / "b").write_text("new")
        assert (tmp_path / "out/a").read_text() == "old"
    assert {file.name: file.read_text() for file in (tmp_path / "out").iterdir()} == {
        "a": "new", "b": "new", "c": "other"
    }  # fmt: skip
    with (
        pytest.raises(Pg2Error, match="cannot write into"),
        atomic_files(tmp_path / "out") as new,
        full_disk(),
    ):
        (new / "a").write_text("half" * 10_000)
    assert (tmp_path / "out/a").read_text() == "new"
    assert len(list((tmp_path / "out").iterdir())) == 3
    # As a kill leaves it.
    (tmp_path / "out/.files.ab12cd34/files").mkdir(parents=True)
    (tmp_path / "out/.files.ab12cd34/files/a").write_text("half")
    remove_unfinished(tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 3


def test_disk_full(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"small": 1})
    with pytest.raises(Pg2Error, match=r"cannot write .*a\.json: .*untouched"), full_disk():
        write_json(path, list(range(10_000)))
    assert json.loads(path.read_text()) == {"small": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_disk_full_at_the_last_moment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some file systems report a full disk only when the data is forced out."""

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(Pg2Error, match="no space left"):
        write_text(tmp_path / "a.txt", "text")
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_to(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Pg2Error, match="cannot write"):
        write_text(tmp_path / "file" / "a.txt", "text")


def test_json_goes_round_and_nan_is_refused(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "ä", "values": [1, 2.5, None]})
    assert read_json(tmp_path / "a.json", "a test") == {"name": "ä", "values": [1, 2.5, None]}
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", float("nan"))
    assert read_json(tmp_path / "a.json", "a test")["name"] == "ä"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot read"),
        (b"{", "not valid JSON"),
        (b"\xff\xfe", "not a text file"),
        (b"9" * 5000, "not valid JSON"),
        (b"[" * 33 + b"]" * 33, "nests deeper than 32 levels"),
        (b'{"a":' * 100_000, "nests deeper than 32 levels"),
        (b'"' + b"\\" * 100_001, "not valid JSON"),
        (b'"' * 100_001, "not valid JSON"),
    ],
)
def test_json_that_cannot_be_read(tmp_path: Path, content: bytes | None, words: str) -> None:
    path = tmp_path / "a.json"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Pg2Error, match=rf"{words}.*an example"):
        read_json(path, "an example")


def test_an_object_is_an_object(tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    file.write_text('{"a": 1}')
    assert read_object(file, "a plan") == {"a": 1}
    for text in ("[]", "1", "null", '"a"'):
        file.write_text(text)
        with pytest.raises(Pg2Error, match=r"a\.json is not a plan"):
            read_object(file, "a plan")


def test_brackets_in_text_do_not_nest(tmp_path: Path) -> None:
    values = {"[" * 50: ["]]" + '"{' * 50, "\\", "[" * 50]}
    write_json(tmp_path / "a.json", values)
    assert read_json(tmp_path / "a.json", "a test") == values


def test_no_more_is_read_than_can_be_meant(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("ä" * 50)
    assert read_text(tmp_path / "a.txt", "a test", 100) == "ä" * 50
    for path in (tmp_path / "a.txt", Path("/dev/zero")):
        with pytest.raises(Pg2Error, match=f"{path} is larger than 9.9e-05 MB, too large for a test"):
            read_text(path, "a test", 99)


def test_a_name_that_no_file_can_have(tmp_path: Path) -> None:
    for name in ("a\0b", "n" * 5000):
        assert not exists(tmp_path / name)
        with pytest.raises(Pg2Error, match="cannot read"):
            read_text(tmp_path / name, "a test", 99)


def kill_inside(place: Path, when: str) -> None:
    """A process that replaces the folder `place` and is killed, before or between its two renames."""
    code = f"""
import os, signal
from pathlib import Path
from pg2.io.files import atomic_path
rename = Path.replace
def killed(self, target):
    if "{when}" == "before" or Path(target) == place:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(self, target)
Path.replace = killed
place = Path({str(place)!r})
with atomic_path(place) as new:
    new.mkdir()
    (new / "new").write_text("new")
"""
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize("when", ["before", "between"])
def test_what_a_kill_left_is_removed_and_old_content_goes_back(tmp_path: Path, when: str) -> None:
    place = tmp_path / "run" / "deep" / "set"
    place.mkdir(parents=True)
    (place / "old").write_text("old")
    kill_inside(place, when)
    assert [path.name[:5] for path in place.parent.iterdir() if path != place] == [".set."]
    assert place.exists() == (when == "before")
    remove_unfinished(tmp_path / "run")
    assert len(list(place.parent.glob(".*"))) == 1, "only where it is asked to look"
    remove_unfinished(place.parent, of="other")
    assert len(list(place.parent.glob(".*"))) == 1, "only what it is asked for"
    remove_unfinished(tmp_path / "run", below=True)
    assert list(place.parent.iterdir()) == [place]
    assert [file.name for file in place.iterdir()] == ["old"]


def test_what_only_looks_unfinished_stays(tmp_path: Path) -> None:
    (tmp_path / ".mine.abcdefgh").mkdir()
    (tmp_path / ".mine.abcdefgh" / "thesis.txt").write_text("mine")
    (tmp_path / ".file.abcdefgh").write_text("mine")
    (tmp_path / ".git").mkdir()
    (tmp_path / "visible.abcdefgh").mkdir()
    before = sorted(tmp_path.rglob("*"))
    remove_unfinished(tmp_path, below=True)
    remove_unfinished(tmp_path / "nowhere", below=True)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("moment", ["mkdir", "rmdir"])
@pytest.mark.parametrize("writing", [lambda folder: atomic_path(folder / "a"), atomic_files])
def test_a_signal_as_the_hidden_folder_comes_or_goes_leaves_none(
    writing: Callable[[Path], contextlib.AbstractContextManager[Path]],
    moment: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is heeded after the one is done, before the other is."""
    real, calls = getattr(os, moment), 0

    def stopped(*given: Any, **options: Any) -> None:
        nonlocal calls
        if moment == "mkdir":
            real(*given, **options)
        calls += 1
        if calls == 1:
            sys.exit(143)
        if moment == "rmdir":
            real(*given, **options)

    with monkeypatch.context() as patched:
        patched.setattr(os, moment, stopped)
        with pytest.raises(SystemExit), writing(tmp_path) as new:
            (new if new.name == "a" else new / "a").write_text("whole")
    assert calls
    assert [file.name for file in tmp_path.iterdir()] == (["a"] if moment == "rmdir" else [])
