"""Photos stay home: nothing is written beside what was asked for, and nobody is called."""

import subprocess
import sys
from pathlib import Path

import pytest

from pg2.io.packaged import SAMPLES

_ESTIMATOR = "from pg2.pose.estimator import PoseEstimator; PoseEstimator(threads=1)"

# All in one process, for the sake of time.
_COMMANDS = """
from pg2.cli.app import app
for line in (
    "pose PHOTO --out poses",
    "prepare folder real data --size 128x64 --keypoints auto",
    "generate PHOTO --pose walking --model fast/market1501 --out made.png",
    "generate PHOTO --poses walking,back --model fast/market1501 --out many",
    "animate PHOTO --motion wave --seconds 0.2 --model fast/market1501 --out moved.gif",
    "augment data more --limit 1",
    "shards many shards",
    "prepare webdataset shards again --size 128x64",
    "userstudy make generated real study --count 1 --practice 0",
):
    app([sys.argv[1] if word == "PHOTO" else word for word in line.split()], standalone_mode=False)
"""

_WATCHED = """
import sys
calls = []
def watch(event, arguments):
    if event.startswith(("socket.connect", "socket.getaddrinfo", "socket.sendto")):
        calls.append((event, arguments))
sys.addaudithook(watch)
"""


@pytest.mark.parametrize("code", [_ESTIMATOR, _COMMANDS], ids=["estimator", "commands"])
def test_nothing_is_written_elsewhere_and_nobody_is_called(tmp_path: Path, code: str) -> None:
    places = {name: tmp_path / name for name in ("home", "temporary", "work")}
    for place in places.values():
        place.mkdir()
    photo = SAMPLES / "00003/00.jpg"
    people = [f"real/{person}/{person}_c1_{number}.jpg" for person in ("0001", "0002") for number in (1, 2)]
    for name in (*people, "generated/1.jpg"):
        (places["work"] / name).parent.mkdir(parents=True, exist_ok=True)
        (places["work"] / name).write_bytes(photo.read_bytes())
    before = set(places["work"].iterdir())
    environment = {
        "HOME": str(places["home"]),
        "TMPDIR": str(places["temporary"]),
        "PYTHONPATH": str(SAMPLES.parents[1]),
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run(
        [sys.executable, "-c", f"{_WATCHED}\n{code}\nassert calls == [], calls", str(photo)],
        env=environment,
        cwd=places["work"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    assert [*places["home"].rglob("*"), *places["temporary"].rglob("*")] == []
    made = {path.name for path in set(places["work"].iterdir()) - before}
    written = {"poses", "data", "made.png", "many", "moved.gif", "more", "shards", "again", "study"}
    assert made == (set() if code == _ESTIMATOR else written)


def test_openvino_reports_nothing(exported: Path, tmp_path: Path) -> None:
    """With the package installed by which it would."""
    pytest.importorskip("openvino_telemetry")
    code = "from pg2.export.graph import Graph; Graph.open(sys.argv[1], 'openvino'); import openvino"
    subprocess.run(
        [sys.executable, "-c", f"{_WATCHED}\n{code}\nassert calls == [], calls", str(exported)],
        env={"HOME": str(tmp_path), "PYTHONPATH": str(SAMPLES.parents[1])},
        check=True,
    )
    assert list(tmp_path.rglob("*")) == []
