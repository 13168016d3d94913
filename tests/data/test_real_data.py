"""Where the tests look for real data."""

from pathlib import Path

import pytest
from real_data import needs, place


def test_the_variable_says_where_and_the_neighbour_is_the_fallback(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    project = Path(__file__).parents[2]
    monkeypatch.delenv("PG2_TEST_DATA", raising=False)
    assert place("market1501", "shared/data") == project.parent / "shared/data/market1501"
    monkeypatch.setenv("PG2_TEST_DATA", "")
    assert place("market1501", "shared/data") == project.parent / "shared/data/market1501"
    monkeypatch.setenv("PG2_TEST_DATA", str(tmp_path))
    assert place("market1501", "shared/data") == tmp_path / "market1501"


def test_what_is_missing_is_named_with_the_way_to_give_it(tmp_path: Path) -> None:
    mark = needs(tmp_path / "market1501").mark
    assert mark.args == (True,)
    assert mark.kwargs["reason"] == "market1501 is not here; PG2_TEST_DATA says where"
    assert needs(tmp_path).mark.args == (False,)
