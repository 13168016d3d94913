"""Progress bars: what they show, and that nothing is shown where nobody watches."""

import io
import sys

import pytest
from rich.console import Console

from pg2.io.progress import progress_bar, tracked


class Terminal(io.StringIO):
    """Catches what is written to a terminal."""

    def isatty(self) -> bool:
        return True


def on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Not a fixture: pytest sets stderr anew between those and the test."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")
    return terminal


def test_a_bar_shows_counts_and_its_fields_on_a_terminal_only() -> None:
    for file in (Terminal(), io.StringIO()):
        with progress_bar(Console(file=file, width=150), "speed", "losses") as bar:
            task = bar.add_task("stage coarse", total=1200, completed=1000, speed="", losses="")
            bar.update(task, advance=100, speed="70 images/s", losses="l1 0.1")
        shown = file.getvalue()
        if file.isatty():
            for text in ("stage coarse", "1,100/1,200", "70 images/s", "l1 0.1"):
                assert text in shown
        else:
            assert not shown.strip()


def test_items_pass_under_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    assert list(tracked(range(1200), "Photos")) == list(range(1200))
    assert "Photos" in terminal.getvalue()
    assert "1,200/1,200" in terminal.getvalue()


def test_an_iterator_gets_a_bar_with_a_total(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    assert list(tracked(iter("abc"), "People", total=3)) == ["a", "b", "c"]
    assert "3/3" in terminal.getvalue()


def test_without_a_watcher_the_items_are_handed_back(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_a_terminal(monkeypatch)
    items = [1, 2]
    assert tracked(items, "Photos", shown=False) is items
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert tracked(items, "Photos") is items
    assert not terminal.getvalue()
