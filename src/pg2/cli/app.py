"""The command line: parses, calls, prints. Everything it does is one call away in Python."""

# Heavy imports stand inside the commands, so that `pg2 --help` answers at once.
import contextlib
import io
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Annotated, Any

import typer

from pg2.cli.animate import animate
from pg2.cli.augment import augment
from pg2.cli.evaluate import evaluate, score, table1
from pg2.cli.export import export
from pg2.cli.generate import generate, pose, views
from pg2.cli.prepare import prepare
from pg2.cli.render import render
from pg2.cli.runs import runs
from pg2.cli.serve import serve
from pg2.cli.shards import shards
from pg2.cli.train import train
from pg2.cli.userstudy import userstudy
from pg2.errors import Pg2Error
from pg2.io.memory import keep_freed_memory

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_COMMANDS = (
    pose, render, train, runs, generate, animate, views, augment, shards, serve, export, evaluate, score,
    table1,
)  # fmt: skip
for command in _COMMANDS:
    app.command()(command)
app.add_typer(prepare, name="prepare")
app.add_typer(userstudy, name="userstudy")


def _say_version(asked: bool) -> None:
    from importlib.metadata import version

    if asked:
        print(f"pg2 {version('pg2')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="print it and exit")
    ] = False,
) -> None:
    """A photo of a person and a target pose in, that person in that pose out (PG2, NIPS 2017).

    If the output exists: train, render, prepare, augment, shards, table1, userstudy make and generate --poses
    go on with what the same command began. evaluate, score and userstudy report replace their own earlier
    report or pictures. generate, animate, views, export and pose replace files of that name. A folder that
    holds anything else is refused and not changed. Two commands cannot write to the same output at the same
    time; only pose can share its folder.
    """


@contextlib.contextmanager
def _ending_at_sigterm() -> Iterator[None]:
    """End at SIGTERM as at Ctrl-C, with what is under way cleaned up; by itself the system cuts it off."""

    def end(number: int, _: FrameType | None) -> None:
        sys.exit(128 + number)

    heed = signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and threading.current_thread() is (
        threading.main_thread()
    )
    if heed:
        signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        if heed:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


_TOO_LITTLE = (
    "there is not enough memory; give fewer or smaller pictures, or --device cpu; in a training, a larger "
    "accumulate (--set coarse.accumulate=4 --set refined.accumulate=4)"
)


def main() -> None:
    """Run the command line: errors that are meant for a person are one line, and exit with code 2."""

    def warn(message: Warning | str, *_: Any, **__: Any) -> None:
        print(f"pg2: warning: {message}", file=sys.stderr)

    warnings.showwarning = warn
    # A file's name may be no valid text.
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    keep_freed_memory()
    try:
        with _ending_at_sigterm():
            app()
    except (Pg2Error, OSError) as error:
        print(f"pg2: {error}", file=sys.stderr)
        sys.exit(2)
    except (MemoryError, RuntimeError) as error:
        # PyTorch's are RuntimeErrors: of that name on an accelerator, with these words on a processor.
        known = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
        if not isinstance(error, MemoryError) and not known:
            raise
        print(f"pg2: {_TOO_LITTLE}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        # Typer sees to Ctrl-C, but for the moments before and after its own work.
        print("pg2: stopped; what was saved is kept", file=sys.stderr)
        sys.exit(128 + signal.SIGINT)
    except SystemExit as ended:
        # Ctrl-C, of which Typer says nothing, and SIGTERM.
        if ended.code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
            print("pg2: stopped; what was saved is kept", file=sys.stderr)
        raise
