"""A person of a photo moves, by command: what it writes, says and refuses."""

import json
import re
from pathlib import Path

import numpy as np
from cli_samples import PHOTO, assert_refused
from PIL import Image

from pg2.pose.named import named_pose


def test_a_motion_by_name(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    out = tmp_path / "wave.gif"
    ran = pg2("animate", PHOTO, "--motion", "wave", "--fps", 5, "--model", model, "--out", out)
    assert ran.code == 0, ran.err
    assert ran.out.strip() == str(out)
    # Two rounds of a second: each pose is made once.
    assert re.search(
        r"^pg2: 10 frames \(2\.0 s at 5 a second\), 5 of them different, made in .* s \(.* frames/s\); "
        r"flicker \d+\.\d of 255 grey levels$",
        ran.err,
        re.MULTILINE,
    )
    with Image.open(out) as film:
        assert film.size == (16, 32)
        assert film.info["duration"] == 200
        pictures = []
        for number in range(film.n_frames):
            film.seek(number)
            pictures.append(np.asarray(film.convert("RGB")))
    assert len(pictures) == 10
    assert (pictures[0] == pictures[5]).all()
    assert (pictures[0] != pictures[1]).any()


def test_frames_without_a_person_are_said(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    here, nobody = named_pose("walking").to_openpose(), {"people": []}
    (tmp_path / "poses.json").write_text(json.dumps([here, nobody, here, named_pose("front").to_openpose()]))
    command = ["animate", PHOTO, "--motion", tmp_path / "poses.json", "--model", model]
    ran = pg2(*command, "--out", tmp_path / "a.png", "--seconds", 0.16)
    assert ran.code == 0, ran.err
    assert "pg2: 1 of 4 frames show nobody: the pose before is held\npg2: 4 frames" in ran.err
    ran = pg2(*command, "--out", tmp_path / "a.png", "--missing", "skip", "--seconds", 0.12)
    assert ran.code == 0, ran.err
    assert "is longer; its first 3 frames are taken" in ran.err
    assert "1 of 3 frames show nobody: they are left out\npg2: 2 frames" in ran.err


def test_many_poses_by_name(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    """Together they are longer than a file's name may be."""
    names = ",".join(["hands-on-hips", "front"] * 20)
    assert len(names) > 255
    ran = pg2("animate", PHOTO, "--motion", names, "--model", model, "--out", tmp_path / "a.png", "--fps", 1)
    assert ran.code == 0, ran.err


def test_what_is_refused(pg2, model: Path, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    photo = tmp_path / "photo.gif"
    photo.write_bytes(Path(PHOTO).read_bytes())
    for arguments, said in (
        ([PHOTO, "--motion", "walk", "--out", tmp_path / "a.jpg"], "must end in one of"),
        ([photo, "--motion", "walk", "--out", photo], "one of the given files"),
        ([PHOTO, "--motion", "fly", "--out", tmp_path / "a.gif"], "neither a motion (walk, wave, turn)"),
        ([tmp_path / "none.jpg", "--motion", "walk", "--out", tmp_path / "a.gif"], "there is no file"),
    ):
        assert_refused(pg2("animate", *arguments, "--model", model), said)
    assert [file.name for file in tmp_path.iterdir()] == ["photo.gif"]
