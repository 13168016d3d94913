"""The place of a command's output: one command at a time, and nothing overwritten that is not its own."""

import contextlib
import os
from collections.abc import Collection, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from pg2.errors import Pg2Error
from pg2.io.files import remove_unfinished

LOCK = ".lock"
"""The lock's name inside an output folder, where it cannot lie beside it."""


@contextlib.contextmanager
def exclusive(out: str | Path) -> Iterator[None]:
    """Keep other commands away from an output, and remove what a killed one left beside it.

    The lock is a hidden file beside the output, which itself may not be there yet, or inside a folder whose
    surroundings cannot be written to. The system lets go of it when the process ends, in whatever way.

    Args:
        out: the file or folder that is going to be written.

    Raises:
        Pg2Error: another command is at work on it, or the place cannot be written to.
    """
    out = Path(out).resolve()
    made = [folder for folder in out.parents if not folder.exists()]
    file = out.with_name(f".{out.name}{LOCK}")
    if out.is_dir() and not os.access(out.parent, os.W_OK):
        file = out / LOCK
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(file, timeout=0)
        lock.acquire()
    except Timeout as error:
        raise Pg2Error(
            f"another command is at work on {out}; wait until it has ended, or give another place"
        ) from error
    except OSError as error:
        raise Pg2Error(f"cannot write {out}: {os.strerror(error.errno or 0).lower()}") from error
    try:
        # Whoever wrote there held the lock.
        remove_unfinished(out.parent, of=out.name)
        yield
    finally:
        # While it is still held: whoever opened it before finds that it is gone, and tries again.
        with contextlib.suppress(OSError):
            file.unlink()
        lock.release()
        for folder in made:
            with contextlib.suppress(OSError):
                folder.rmdir()


def check_own(folder: str | Path, names: Collection[str]) -> Path:
    """Refuse a place for a report that would overwrite anything but an earlier report.

    Args:
        folder: where the report is to go.
        names: the files that a report consists of.

    Returns:
        The place, as an absolute path.

    Raises:
        Pg2Error: `folder` is a file, or a folder with something else in it.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise Pg2Error(f"{folder} is a file; give a folder for the report")
    strangers = sorted(file.name for file in folder.glob("*") if file.name not in names)
    if strangers:
        raise Pg2Error(
            f"{folder} holds {strangers[0]}, which is no part of a report; give a new folder for the report"
        )
    return folder.resolve()
