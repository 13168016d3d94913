"""One command at a time writes an output, and a killed one is no hindrance to the next."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pg2.errors import Pg2Error
from pg2.io.outputs import check_own, exclusive


def test_an_output_is_for_one_at_a_time(tmp_path: Path) -> None:
    out = tmp_path / "new" / "run"
    with exclusive(out):
        assert not out.exists()
        (tmp_path / "link").symlink_to(out.parent)
        with pytest.raises(Pg2Error, match=r"another command is at work on .*run; wait"), exclusive(out):
            pytest.fail("let in twice")
        with pytest.raises(Pg2Error, match="another command"), exclusive(tmp_path / "link" / "run"):
            pytest.fail("let in by another name")
        with exclusive(tmp_path / "new" / "other"):
            pass
    with exclusive(out):
        out.mkdir()
    assert list(out.parent.iterdir()) == [out], "the lock is gone"


def test_folders_made_for_the_lock_alone_are_gone_again(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), exclusive(tmp_path / "a" / "b" / "out"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_killed_command_leaves_the_place_free_and_its_rests_go(tmp_path: Path) -> None:
    out = tmp_path / "out"
    code = f"""
import sys, time
from pg2.io.files import atomic_path
from pg2.io.outputs import exclusive
with exclusive({str(out)!r}), atomic_path({str(out)!r}) as new:
    new.mkdir()
    print("there", flush=True)
    time.sleep(60)
"""
    running = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert running.stdout is not None
    running.stdout.readline()
    with pytest.raises(Pg2Error, match="another command is at work"), exclusive(out):
        pytest.fail("let in beside another process")
    running.send_signal(signal.SIGKILL)
    running.communicate()
    assert sorted(path.name[:5] for path in tmp_path.iterdir()) == [".out.", ".out."]
    (tmp_path / ".other.abcdefgh").mkdir()
    with exclusive(out):
        pass
    assert [path.name for path in tmp_path.iterdir()] == [".other.abcdefgh"], "another output is another's"


def test_a_folder_in_a_place_that_cannot_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As a volume that is mounted into a container."""
    monkeypatch.setattr(os, "access", lambda path, _: path != tmp_path)
    out = tmp_path / "volume"
    out.mkdir()
    with exclusive(out):
        assert [path.name for path in tmp_path.iterdir()] == ["volume"]
        with pytest.raises(Pg2Error, match="another command"), exclusive(out):
            pytest.fail("let in twice")
    assert list(out.iterdir()) == []


def test_a_place_that_cannot_be_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Pg2Error, match=r"cannot write .*file/out: "), exclusive(tmp_path / "file" / "out"):
        pytest.fail("let in")


def test_a_report_replaces_nothing_but_a_report(tmp_path: Path) -> None:
    assert check_own(tmp_path / "new", ["a"]) == (tmp_path / "new").resolve()
    (tmp_path / "a").write_text("x")
    assert check_own(tmp_path, ["a", "b"]) == tmp_path.resolve()
    with pytest.raises(Pg2Error, match="is a file"):
        check_own(tmp_path / "a", ["a"])
    with pytest.raises(Pg2Error, match="holds a, which is no part"):
        check_own(tmp_path, ["b"])
