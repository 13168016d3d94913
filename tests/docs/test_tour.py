"""The notebook runs from top to bottom, on what ships."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

NOTEBOOK = Path(__file__).parents[2] / "docs/tour.ipynb"


def _run(source: str, names: dict[str, Any]) -> Any:
    """Run a cell as a notebook does, and return what it shows: the value of its last expression."""
    body = ast.parse(source).body
    last = body.pop() if isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), str(NOTEBOOK), "exec"), names)
    if isinstance(last, ast.Expr):
        return eval(compile(ast.Expression(last.value), str(NOTEBOOK), "eval"), names)
    return None


def test_it_runs_and_every_cell_shows_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    # Outputs would grow the repository with every run, and could be older than the code above them.
    assert [cell["outputs"] for cell in cells] == [[]] * len(cells)
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = [_run("".join(cell["source"]), names) for cell in cells]
    assert len(shown) == 6
    for picture in shown:
        assert isinstance(picture, Image.Image)
        assert min(picture.size) >= 256
        assert picture.convert("L").getextrema()[0] < picture.convert("L").getextrema()[1]
    assert [path.name for path in tmp_path.iterdir()] == ["mirrored.json"]
