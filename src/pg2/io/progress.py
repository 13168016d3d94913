"""Progress bars: one look for all, and nothing when it is no terminal."""

from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_T = TypeVar("_T")


def progress_bar(console: Console, *fields: str) -> Progress:
    """A bar of counts and times on `console`; it shows nothing when that is not a terminal.

    Args:
        console: where it is shown.
        fields: names of texts at the end of the line, set by `add_task(..., name=text)` and
            `update(task, name=text)`.
    """
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f}/{task.total:,.0f}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        *(TextColumn(f"{{task.fields[{name}]}}") for name in fields),
        console=console,
        disable=not console.is_terminal,
    )


def tracked(items: Iterable[_T], what: str, shown: bool = True, *, total: int | None = None) -> Iterable[_T]:
    """Go through `items` under a bar on stderr, called `what`; `items` itself when none is to be seen.

    Args:
        items: what to go through.
        what: a word or two.
        shown: False: no bar even on a terminal.
        total: how many items; None: `items` has a length.
    """
    console = Console(stderr=True)
    if not (shown and console.is_terminal):
        return items
    if total is None:
        assert isinstance(items, Collection)
        total = len(items)
    return _under_bar(items, what, total, console)


def _under_bar(items: Iterable[_T], what: str, total: int, console: Console) -> Iterator[_T]:
    with progress_bar(console) as bar:
        yield from bar.track(items, total, description=what)
