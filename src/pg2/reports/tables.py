"""Tables in Markdown, and for the terminal."""

from collections.abc import Iterable, Sequence

import rich.box
from rich.console import Console
from rich.table import Table

_ENDLESS = 10_000  # characters of a line that nobody's screen cuts


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """A table as lines of Markdown: headings, the rule below them, the rows. A | in a cell is only a letter.

    Raises:
        ValueError: a row has more or fewer cells than there are headings.
    """
    lines = [_line(headings), "|---" * len(headings) + "|"]
    for row in rows:
        if len(row) != len(headings):
            raise ValueError(f"a row of {len(row)} cells below {len(headings)} headings")
        lines.append(_line(row))
    return lines


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table for people on stdout: the first column names the rows, numbers stand at the right.

    It folds where the terminal is too narrow; in a file or a pipe it never does.
    """
    table = Table(box=rich.box.SIMPLE_HEAD, pad_edge=False)
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number else "left")
    for row in rows:
        table.add_row(*row)
    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = _ENDLESS
    console.print(table)


def _line(cells: Iterable[str]) -> str:
    safe = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in safe)
