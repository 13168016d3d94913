"""Tables in Markdown."""

from collections.abc import Iterable, Sequence


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


def _line(cells: Iterable[str]) -> str:
    safe = (cell.replace("|", "\\|").replace("\n", " ") for cell in cells)
    return "|" + "".join(f" {cell} |" if cell else " |" for cell in safe)
