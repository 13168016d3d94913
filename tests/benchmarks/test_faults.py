"""The study of faults: it sees them, and finds none in a short run."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from fault_samples import harmful
from fault_study import watched
from fault_study.kills import half_written
from fault_study.mutations import mutated
from fault_study.watched import Watched

from pg2.io.packaged import SAMPLES

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it reads /proc")

COMMAND = [sys.executable, str(Path(__file__).parents[2] / "benchmarks" / "faults.py")]


def test_what_does_harm_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "DEADLINE", 0.5)
    monkeypatch.setattr(watched, "MEMORY", 100_000_000)
    for process, name, kind in (
        (Watched(harmful, deadline=1), "sleeps", "hang"),
        (Watched(harmful, deadline=100), "works", "hang"),
        (Watched(harmful, deadline=100), "dies", "death"),
        (Watched(harmful, deadline=100), "hoards", "memory"),
        (Watched(harmful, deadline=100), "fails", "the study itself"),
    ):
        try:
            outcome = process.do(name, 1)
            assert (outcome.kind, outcome.is_fault) == (kind, True)
            # It goes on, if need be in a new process.
            assert not process.do("harmless", 1).is_fault
        finally:
            process.close()


def test_the_same_number_gives_the_same_malformed_file() -> None:
    content = (SAMPLES / "00003/00.jpg").read_bytes()
    made = {mutated(random.Random(number), "a.jpg", content) for number in range(20) for _ in range(2)}
    assert 15 <= len(made) <= 20
    whole = b'{"people": [{"pose_keypoints_2d": [1, 2, 3]}]}'
    texts = [mutated(random.Random(number), "a.json", whole) for number in range(60)]
    assert len(set(texts)) > 40

    def is_json(text: bytes) -> bool:
        try:
            json.loads(text)
        except (ValueError, RecursionError):
            return False
        return True

    assert 10 < sum(map(is_json, texts)) < 60, "some are JSON of another structure, some are none"


def test_half_a_file_is_seen(tmp_path: Path) -> None:
    whole = (SAMPLES / "00003/00.jpg").read_bytes()
    (tmp_path / ".a.jpg.abcdefgh").mkdir()
    (tmp_path / ".a.jpg.abcdefgh" / "a.jpg").write_bytes(whole[:100])
    (tmp_path / "a.jpg").write_bytes(whole)
    assert half_written(tmp_path) == ""
    for name, content in (("b.jpg", whole[:100]), ("b.json", b'{"a'), ("b.zip", b"PK\3\4"), ("b.csv", b"a,")):
        (tmp_path / name).write_bytes(content)
        assert half_written(tmp_path).startswith(name)
        (tmp_path / name).unlink()


@pytest.mark.timeout(900)
def test_a_short_run_finds_nothing(tmp_path: Path) -> None:
    """Of all but crowds and attacks, which have tests of their own below tests/serving and tests/web."""
    few = {"--kills": 8, "--stops": 2, "--limits": 4, "--inputs": 250, "--deadline": 60}
    options = [str(word) for pair in few.items() for word in pair]
    parts = ["--only", "inputs", "--only", "kills", "--commands", "userstudy make,prepare"]
    out = tmp_path / "found.json"
    ran = subprocess.run([*COMMAND, *options, *parts, "--out", str(out)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout[-5000:] + ran.stderr[-2000:]
    found = json.loads(out.read_text())
    assert found["faults"] == []
    assert found["kills"]["all"]["kills"] >= 6
    assert found["kills"]["all"]["equal"] > 0
    assert found["inputs"]["all"]["inputs"] >= 240
    assert found["inputs"]["all"]["refused"] > 100
