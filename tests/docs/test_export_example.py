"""The example of docs/export.md runs as it stands there, where neither pg2 nor PyTorch can be imported."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from pg2 import Pipeline, Pose
from pg2.io.packaged import SAMPLES
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.named import named_pose

PAGE = Path(__file__).parents[2] / "docs/export.md"
_ALONE = "import sys; sys.modules |= dict.fromkeys(('torch', 'pg2', 'onnx', 'onnxscript')); exec(sys.argv[1])"


def example() -> str:
    """The first Python block of the page."""
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return found.group(1)


def test_it_is_short() -> None:
    code = [line for line in example().splitlines() if line.strip()]
    assert len(code) <= 20


def test_it_runs_alone(exported: Path, tmp_path: Path) -> None:
    """And gives what pg2 gives of the same picture and poses."""
    (tmp_path / "photo256.onnx").write_bytes(exported.read_bytes())
    with Image.open(SAMPLES / "00003/00.jpg") as opened:
        photo = opened.convert("RGB").crop((64, 0, 192, 256))
    photo.save(tmp_path / "photo.jpg", "PNG")
    points = read_keypoints_csv(SAMPLES / "keypoints.csv")["00003/00.jpg"] - (64, 0)
    points[4] = np.nan
    pose = Pose(points.astype(np.float32), (256, 128))
    (tmp_path / "poses").mkdir()
    pose.save(tmp_path / "poses/photo.json")
    pipe = Pipeline.from_pretrained(exported)
    target = pipe.target_pose(named_pose("walking"))
    target.save(tmp_path / "target.json")
    ran = subprocess.run(
        [sys.executable, "-c", _ALONE, example()], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    with Image.open(tmp_path / "result.png") as opened:
        made = np.asarray(opened).astype(int)
    frame = np.asarray(photo.resize((32, 64)))
    own = pose.resize((64, 32))
    (result,) = pipe.make([pipe.prepare(frame, source_pose=own)], [target])
    assert np.abs(made - np.asarray(result.image)).mean() <= 1
    assert made.std() > 0
