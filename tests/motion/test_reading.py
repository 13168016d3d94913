"""Where motions come from: names, poses, files, films; who is followed, and what is refused."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pg2 import Pg2Error, Pose
from pg2.io.movies import write_movie
from pg2.io.pixels import Image8
from pg2.motion.named import named_motion
from pg2.motion.reading import read_motion
from pg2.motion.sequence import MOST_FRAMES
from pg2.pose.named import named_pose

FRONT = named_pose("front")


def at(x: float, scale: float = 1.0) -> Pose:
    return Pose(FRONT.points * scale + np.array((x, 0)), (200, 400))


def document(*people: Pose) -> dict[str, Any]:
    found = [pose.to_openpose()["people"][0] for pose in people]
    return {"people": found, "canvas_height": 200, "canvas_width": 400}


class Seer:
    """Sees somebody at the place that the first pixel's red says; nobody where it is 0."""

    def estimate_all(self, image: Image8) -> list[Pose]:
        return (
            [Pose(FRONT.points + np.array((image[0, 0, 0], 0)), image.shape[:2])]
            if image[0, 0, 0] > 9
            else []
        )


PIPELINE: Any = SimpleNamespace(estimator=Seer(), target_pose=lambda name, person: named_pose(name))


def read(text: object, **options: Any) -> Any:
    return read_motion(str(text), PIPELINE, progress=False, **options)


def lefts(motion: Any) -> list[float | None]:
    return [None if pose is None else round(float(pose.points[1, 0]) - 32) for pose in motion.poses]


def test_names_and_poses() -> None:
    assert read("walk", fps=10, seconds=3).poses == named_motion("walk", 10, 3).poses
    motion = read("front, left", fps=10)
    assert (len(motion.poses), motion.poses[10]) == (20, named_pose("left"))


def test_a_folder_is_read_in_the_order_of_its_numbers(tmp_path: Path) -> None:
    for number in range(12):
        (tmp_path / f"walk_{number}_keypoints.json").write_text(json.dumps(document(at(number))))
    (tmp_path / "walk_5_keypoints.json").write_text(json.dumps(document()))
    (tmp_path / "notes.txt").write_text("no pose")
    motion = read(tmp_path)
    assert lefts(motion) == [0, 1, 2, 3, 4, None, 6, 7, 8, 9, 10, 11]
    assert (motion.fps, motion.cut, motion.empty) == (25, False, 1)
    motion = read(tmp_path, fps=10, seconds=0.4)
    assert (lefts(motion), motion.cut) == ([0, 1, 2, 3], True)


def test_one_file_of_all_poses(tmp_path: Path) -> None:
    frames = [document(at(0)), None, document(at(2))]
    for content in (frames, {"frames": frames}):
        (tmp_path / "all.json").write_text(json.dumps(content))
        assert lefts(read(tmp_path / "all.json")) == [0, None, 2]
    (tmp_path / "all.json").write_text(json.dumps([document(at(0))] * (MOST_FRAMES + 5)))
    motion = read(tmp_path / "all.json")
    assert (len(motion.poses), motion.cut) == (MOST_FRAMES, True)


def test_one_of_several_people_is_followed(tmp_path: Path) -> None:
    """Through a frame in which the other one is larger, and one in which they are not there."""
    mine, other = [at(4 * number, 0.8) for number in range(6)], at(250, 0.9)
    frames = [
        document(mine[0], at(250, 0.7)),
        *(document(other, pose) for pose in mine[1:4]),
        document(other),
    ]
    frames.append(document(other, mine[5]))
    (tmp_path / "all.json").write_text(json.dumps(frames))
    motion = read(tmp_path / "all.json")
    assert [pose is None for pose in motion.poses] == [False] * 4 + [True, False]
    assert motion.poses[5] == Pose.from_openpose(document(mine[5]))
    assert read(tmp_path / "all.json", person=1).poses[3] == Pose.from_openpose(document(other))


@pytest.mark.parametrize("ending", [".gif", ".mp4"])
def test_a_film(tmp_path: Path, ending: str) -> None:
    if ending == ".mp4":
        pytest.importorskip("av", reason="PyAV is not installed (extra video)")
    path = tmp_path / f"film{ending}"
    write_movie(
        path, [np.full((200, 400, 3), 0 if number == 3 else 100, np.uint8) for number in range(8)], 20
    )
    motion = read(path)
    assert [pose is None for pose in motion.poses] == [number == 3 for number in range(8)]
    assert (motion.fps, motion.cut) == (pytest.approx(20), False)
    motion = read(path, seconds=0.25)
    assert (len(motion.poses), motion.cut) == (5, True)
    assert len(read(path, fps=10).poses) == 4


def test_a_folder_of_pictures(tmp_path: Path) -> None:
    for number in range(3):
        Image.new("RGB", (400, 200), (60 + 10 * number, 0, 0)).save(tmp_path / f"{number}.png")
    assert lefts(read(tmp_path)) == [60, 70, 80]


def test_what_is_no_motion(tmp_path: Path) -> None:
    (tmp_path / "one.json").write_text(json.dumps(document(at(0))))
    (tmp_path / "bad.json").write_text(json.dumps([document(at(0)), {}]))
    (tmp_path / "nobody.json").write_text(json.dumps([document(), document()]))
    (tmp_path / "photo.jpg").write_bytes(b"")
    (tmp_path / "empty").mkdir()
    for text, said in (
        ("wlak", "neither a motion"),
        (tmp_path / "one.json", "holds one pose"),
        (tmp_path / "bad.json", "frame 1 is not an OpenPose document"),
        (tmp_path / "nobody.json", "no frame of the motion shows a person"),
        (tmp_path / "photo.jpg", "is no motion"),
        (tmp_path / "empty", "holds no motion"),
    ):
        with pytest.raises(Pg2Error, match=said):
            read(text)
    for options, said in (
        ({"fps": 0.0}, "--fps"),
        ({"fps": 500.0}, "--fps"),
        ({"seconds": -1.0}, "--seconds"),
    ):
        with pytest.raises(Pg2Error, match=said):
            read("walk", **options)
    with pytest.raises(Pg2Error, match="600 frames at up to 120"):
        read("walk", seconds=1000)
