"""The table of all benchmarks of speed."""

import json
from pathlib import Path

import bench
import pytest
from timing import Ratio, median_seconds


def test_a_table_and_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ratios = [Ratio("walking: shoes", 3.0, 2.0)]
    monkeypatch.setattr(bench, "BENCHMARKS", {"walk": lambda: iter(ratios), "swim": lambda: []})
    bench.main(["--threads", "2", "--out", str(tmp_path / "out/bench.json")])
    assert "| walking: shoes | 3 | 2 | 1.50 |" in capsys.readouterr().out
    document = json.loads((tmp_path / "out/bench.json").read_text())
    row = {"what": "walking: shoes", "without": 3.0, "seconds": 2.0, "times": 1.5}
    assert document["benchmarks"] == {"walk": [row], "swim": []}
    assert document["machine"]["threads"] == 2
    assert {"python", "torch", "pg2"} <= document["machine"]["versions"].keys()
    bench.main(["swim", "--threads", "2", "--out", str(tmp_path / "one.json")])
    assert json.loads((tmp_path / "one.json").read_text())["benchmarks"] == {"swim": []}
    with pytest.raises(SystemExit):
        bench.main(["fly", "--out", str(tmp_path / "two.json")])
    assert "there is no benchmark fly" in capsys.readouterr().err


def test_the_median_is_taken_after_a_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    moments = iter([0, 50, 100, 101, 200, 203, 300, 302])
    monkeypatch.setattr("time.perf_counter", lambda: next(moments))
    assert median_seconds(lambda: None, rounds=3, warm_up=1) == 2
