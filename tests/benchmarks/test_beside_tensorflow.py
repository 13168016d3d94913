"""The comparison with TensorFlow: what it says of a Python without it, and the table."""

import importlib.util
import sys
from typing import Any

import beside_tensorflow
import pytest


def test_a_python_without_tensorflow_is_named() -> None:
    if importlib.util.find_spec("tensorflow"):
        pytest.skip("TensorFlow is installed here")
    with pytest.raises(SystemExit, match=r"does not run TensorFlow \(ModuleNotFoundError.*pip install"):
        beside_tensorflow.in_tensorflow(sys.executable, 1, 1)
    with pytest.raises(SystemExit, match="nowhere/python does not run TensorFlow"):
        beside_tensorflow.in_tensorflow("nowhere/python", 1, 1)


def seconds(train: float, draw: float, **others: Any) -> dict[str, Any]:
    return {"parameters": [7, 3], "train": train, "draw": draw, **others}


def test_each_is_told_as_a_ratio_to_tensorflow(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    turns = iter([seconds(8.0, 4.0, tensorflow="2"), seconds(12.0, 4.0, tensorflow="2")])
    monkeypatch.setattr(beside_tensorflow, "in_tensorflow", lambda *given: next(turns))
    monkeypatch.setattr(
        beside_tensorflow,
        "in_pg2",
        lambda way, rounds: seconds(2.0, 1.0) if way.bf16 else seconds(5.0, 4.0),
    )
    monkeypatch.setattr(sys, "argv", ["beside_tensorflow.py", "--tensorflow", "python"])
    beside_tensorflow.main()
    table = capsys.readouterr().out
    assert "| TensorFlow 2, fp32 | 10.00 (1.00 x) | 4.00 (1.00 x) |" in table
    assert "| pg2, fp32 | 5.00 (2.00 x) | 4.00 (1.00 x) |" in table
    assert "| pg2, bf16, channels_last | 2.00 (5.00 x) | 1.00 (4.00 x) |" in table


def test_networks_of_other_sizes_are_not_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(beside_tensorflow, "in_tensorflow", lambda *given: seconds(1, 1, tensorflow="2"))
    monkeypatch.setattr(beside_tensorflow, "in_pg2", lambda *given: {**seconds(1, 1), "parameters": [8, 3]})
    monkeypatch.setattr(sys, "argv", ["beside_tensorflow.py", "--tensorflow", "python", "--turns", "1"])
    with pytest.raises(SystemExit, match="not of the same size"):
        beside_tensorflow.main()
