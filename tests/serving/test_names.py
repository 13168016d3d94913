"""Names of models for clients: of folders, their own alone."""

from pathlib import Path

import pytest

from pg2.serving.names import names_for_clients


def test_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = ["mine", "other/mine", "runs/quick/refined/model", "runs/quick/coarse/model", "model"]
    for folder in (*folders, "fast/market1501"):
        (tmp_path / folder).mkdir(parents=True)
    given = [str(tmp_path / folder) for folder in folders]
    names = names_for_clients([*given, "fast/market1501", "some/hub-id"], ["fast/market1501"])
    shown = ["mine", "mine-2", "quick/refined", "quick/coarse", "model", "fast/market1501", "some/hub-id"]
    assert list(names) == shown
    assert list(names.values()) == [*given, "fast/market1501", "some/hub-id"]

    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "photo.onnx").touch()
    files = [str(tmp_path / "one/photo.onnx"), str(tmp_path / "two/photo.onnx")]
    assert names_for_clients(files, []) == dict(zip(("photo", "photo-2"), files, strict=True))

    monkeypatch.chdir(tmp_path / "mine")
    assert names_for_clients([".", "../mine/", "/"], []) == {"mine": ".", "mine-2": "../mine/", "model": "/"}
    monkeypatch.chdir(tmp_path)
    assert list(names_for_clients(["fast/market1501"], ["fast/market1501"])) == ["fast/market1501"]
