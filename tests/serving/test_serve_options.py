"""Settings: refused at once where they cannot be served."""

from pathlib import Path

import pytest

from pg2.errors import Pg2Error
from pg2.serving.options import ServeOptions, read_api_key


def test_settings_that_cannot_be_served() -> None:
    for options in (
        {"batch": 0}, {"queue": 0}, {"timeout": 0.0}, {"max_body": -1}, {"threads": 0}, {"batch_wait": -1.0},
        {"batch_wait": float("nan")}, {"models": ("a", "a")}, {"cors_origins": ("*",)},
        {"cors_origins": ("https://a.example/",)}, {"precision": "fp16"},
        {"keep": float("inf")}, {"grace": float("inf")}, {"grace": -1.0}, {"max_held": 0},
        {"max_kept": 0}, {"keep": 0.0}, {"max_body": 300_000_000},
    ):  # fmt: skip
        with pytest.raises(Pg2Error):
            ServeOptions(**options)  # type: ignore[arg-type]


def test_browsers_run_exported_models_alone(tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    for models in ((), ("fast/photo256",), (str(file),), (str(tmp_path),)):
        with pytest.raises(Pg2Error, match=r"pg2 export MODEL --onnx FILE\.onnx"):
            ServeOptions(models=models, in_browser=True)
    file.touch()
    assert ServeOptions(models=(str(file),), in_browser=True).in_browser


def test_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PG2_API_KEY", raising=False)
    assert read_api_key(None) is None
    monkeypatch.setenv("PG2_API_KEY", "of-the-environment")
    assert read_api_key(None) == "of-the-environment"
    file = tmp_path / "key"
    file.write_text("of-the-file\n")
    assert read_api_key(file) == "of-the-file"
    for text in ("", "\n", "two words", "schlüssel"):
        file.write_text(text)
        with pytest.raises(Pg2Error, match="must be printable"):
            read_api_key(file)
    with pytest.raises(Pg2Error, match="cannot read"):
        read_api_key(tmp_path)
    with pytest.raises(Pg2Error, match="too large for the API key"):
        read_api_key(Path("/dev/zero"))
