"""Many photos in many poses: names, failures, several people, and the way on after an interruption."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from pg2 import PG2, Pg2Error, Pipeline, Pose
from pg2.io.pixels import Image8
from pg2.manifest import FAILURES, MANIFEST, OPTIONS, Failure, Manifest
from pg2.many import Summary, find_poses, make_many
from pg2.models.config import CoarseConfig, ModelConfig
from pg2.pose.estimator import NoPersonError
from pg2.pose.formats import to_list
from pg2.pose.named import NAMES, named_pose

FRAME = (64, 32)


class Seer:
    """Sees as many people as the brightness of the corner says; keeps count of the photos."""

    def __init__(self) -> None:
        self.looks = 0

    def everybody(self, image: Image8) -> list[Pose]:
        self.looks += 1
        people = int(image[0, 0, 0]) // 20
        if not people:
            raise NoPersonError("no person is seen")
        size = (image.shape[0], image.shape[1])
        return [Pose(named_pose("front").points * (1 - 0.2 * number), size) for number in range(people)]

    def estimate(self, image: Image8, person: int | None = None) -> Pose:
        return self.everybody(image)[person or 0]


@pytest.fixture
def pipe() -> Pipeline:
    torch.manual_seed(0)
    pipeline = Pipeline(PG2(ModelConfig(frame=FRAME, coarse=CoarseConfig(width=8, blocks=2), refine=None)))
    pipeline.estimator = Seer()  # type: ignore[assignment]
    return pipeline


def photo(path: Path, people: int, colour: int = 120) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.full((128, 64, 3), colour, np.uint8)
    pixels[:8, :8] = 20 * people + 10
    Image.fromarray(pixels).save(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two good photos, one of three people, one of nobody, one that is broken, one of a telephone."""
    photos = tmp_path / "photos"
    photo(photos / "ann/1.png", 1)
    photo(photos / "bob/1.png", 1, 60)
    photo(photos / "bob/group.png", 3)
    photo(photos / "nobody.png", 0)
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff")
    (photos / "phone.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0")
    (photos / "notes.txt").write_text("not a picture")
    (photos / "._hidden.png").write_text("not a picture")
    return photos


def make(pipe: Pipeline, folder: Path, out: Path, poses: str = "front,back", **options: Any) -> Summary:
    return make_many(pipe, [folder], poses, out, model="small", progress=False, **options)


def lines(out: Path, name: str = MANIFEST) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / name).read_text().splitlines()]


def test_a_file_a_photo_and_pose(pipe: Pipeline, folder: Path, tmp_path: Path) -> None:
    out, told = tmp_path / "out", list[Failure]()
    done = make(pipe, folder, out, failed=told.append)
    assert (done.made, done.kept, done.photos) == (6, 0, 6)
    assert done.crowded == ["bob/group.png"]
    assert sorted(str(file.relative_to(out)) for file in out.rglob("*.png")) == [
        f"{person}_person0_{pose}.png"
        for person in ("ann/1", "bob/1", "bob/group")
        for pose in ("back", "front")
    ]
    entry = lines(out)[0]
    assert len(entry.pop("digest")) == 16
    assert len(entry.pop("photo_digest")) == 64
    assert entry == {
        "file": "ann/1_person0_back.png", "photo": "ann/1.png", "person": 0, "people": 1, "pose": "back",
        "model": "small", "copied": None,
        "doubts": ["the photo shows the person from the front, the pose from behind"],
        "keypoints": to_list(pipe.target_pose("back").points, 3),
    }  # fmt: skip
    with Image.open(out / entry["file"]) as made:
        expected = pipe(folder / "ann/1.png", "back").image
        assert np.abs(np.asarray(made).astype(int) - np.asarray(expected)).max() <= 1
    assert done.failures == told
    assert [failure.name for failure in told] == ["broken.jpg", "nobody.png", "phone.heic"]
    assert [entry["photo"] for entry in lines(out, FAILURES)] == ["broken.jpg", "nobody.png", "phone.heic"]
    assert "convert it to JPEG" in lines(out, FAILURES)[2]["error"]


def test_what_was_begun_goes_on(pipe: Pipeline, folder: Path, tmp_path: Path) -> None:
    """Killed in the middle of a line, with a picture lost: the end is the same, and no more is made anew."""
    make(pipe, folder, whole := tmp_path / "whole")
    out, real, runs = tmp_path / "out", pipe.make, 0

    def stopping(*given: Any) -> Any:
        nonlocal runs
        runs += 1
        if runs == 2:
            raise KeyboardInterrupt
        return real(*given)

    pipe.make = stopping  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        make(pipe, folder, out)
    assert len(lines(out)) == 2
    assert make(pipe, folder, out).kept == 2
    (out / "ann/1_person0_front.png").unlink()
    text = (out / MANIFEST).read_text()
    (out / MANIFEST).write_text(text[:-20])
    pipe.estimator.looks = 0  # type: ignore[attr-defined]
    done = make(pipe, folder, out)
    assert (done.made, done.kept) == (2, 4)
    # Only the two photos of which something was missing, and the one of nobody, were looked at.
    assert pipe.estimator.looks == 3  # type: ignore[attr-defined]
    for file in (MANIFEST, FAILURES, OPTIONS):
        assert (out / file).read_bytes() == (whole / file).read_bytes()
    assert sorted(file.name for file in out.rglob("*")) == sorted(file.name for file in whole.rglob("*"))


def test_a_photo_or_pose_that_became_another_is_made_anew(
    pipe: Pipeline, folder: Path, tmp_path: Path
) -> None:
    poses = tmp_path / "poses"
    poses.mkdir()
    named_pose("front").save(poses / "a.json")
    make(pipe, folder / "ann", tmp_path / "out", str(poses))
    first = (tmp_path / "out/1_person0_a.png").read_bytes()
    photo(folder / "ann/1.png", 1, 200)
    assert make(pipe, folder / "ann", tmp_path / "out", str(poses)).made == 1
    second = (tmp_path / "out/1_person0_a.png").read_bytes()
    named_pose("walking").save(poses / "a.json")
    assert make(pipe, folder / "ann", tmp_path / "out", str(poses)).made == 1
    assert len({first, second, (tmp_path / "out/1_person0_a.png").read_bytes()}) == 3
    assert len(lines(tmp_path / "out")) == 1
    # More poses are added to what is there.
    done = make(pipe, folder / "ann", tmp_path / "out", "left")
    assert (done.made, len(lines(tmp_path / "out"))) == (1, 2)


def test_people(pipe: Pipeline, folder: Path, tmp_path: Path) -> None:
    done = make(pipe, folder / "bob", tmp_path / "out", "front", everybody=True)
    assert (done.made, done.crowded) == (4, [])
    assert [entry["file"] for entry in lines(tmp_path / "out")] == [
        "1_person0_front.png", "group_person0_front.png", "group_person1_front.png", "group_person2_front.png"
    ]  # fmt: skip
    pipe.estimator.looks = 0  # type: ignore[attr-defined]
    assert make(pipe, folder / "bob", tmp_path / "out", "front", everybody=True).kept == 4
    assert pipe.estimator.looks == 0  # type: ignore[attr-defined]
    done = make(pipe, folder / "bob", tmp_path / "second", "front", person=1)
    assert [entry["file"] for entry in lines(tmp_path / "second")] == ["group_person1_front.png"]
    assert "1.png: one person is seen" in done.failures[0].error


def test_poses_of_a_folder(pipe: Pipeline, folder: Path, tmp_path: Path) -> None:
    """Whatever their canvas; those that are none are left out, and said once."""
    poses = tmp_path / "poses"
    (poses / "of").mkdir(parents=True)
    wide = Pose(named_pose("walking").points + np.array((400, 10)), (200, 1000))
    wide.save(poses / "of/wide.json")
    (poses / "bad.json").write_text("{}")
    Image.new("RGB", (64, 64)).save(poses / "of/wide_overlay.png")  # as `pg2 pose` leaves it
    done = make(pipe, folder, tmp_path / "out", str(poses))
    assert [failure.name for failure in done.failures if failure.kind == "pose"] == ["bad.json"]
    assert (tmp_path / "out/ann/1_person0_of-wide.png").exists()
    (poses / "of/wide.json").unlink()
    with pytest.raises(Pg2Error, match="none of the 6 photos could be used"):
        make(pipe, folder, tmp_path / "none", str(poses))
    assert not (tmp_path / "none").exists()
    with pytest.raises(Pg2Error, match="not an OpenPose document"):
        make(pipe, folder, tmp_path / "none", str(poses), strict=True)


def test_random_poses_are_each_photos_own_and_stay() -> None:
    poses = find_poses("random:8", 1)
    names = [[pose.name for pose in poses(photo)] for photo in ("a.jpg", "b.jpg", "a.jpg")]
    assert names[0] == names[2] != names[1]
    assert len(set(names[0])) == 8
    assert [pose.name for pose in find_poses("random:8", 2)("a.jpg")] != names[0]
    assert [pose.name for pose in find_poses("named")("a.jpg")] == list(NAMES)


def test_names_that_would_be_one(pipe: Pipeline, tmp_path: Path) -> None:
    photo(tmp_path / "photos/a.png", 1)
    photo(tmp_path / "photos/a.bmp", 1, 30)
    photo(tmp_path / f"photos/{'x' * 230}.png", 1, 90)
    assert make(pipe, tmp_path / "photos", tmp_path / "out", "front").made == 3
    assert len({entry["file"] for entry in lines(tmp_path / "out")}) == 3
    assert all((tmp_path / "out" / entry["file"]).exists() for entry in lines(tmp_path / "out"))
    with pytest.raises(Pg2Error, match=r"two of the files given are called a\.png"):
        make_many(pipe, [tmp_path / "photos/a.png"] * 2, "front", tmp_path / "o", model="small")


def test_what_a_killed_run_left_is_removed(pipe: Pipeline, folder: Path, tmp_path: Path) -> None:
    """Before its settings were written, and in a folder below."""
    out = tmp_path / "out"
    for name in (".options.json.4lhtfu9b/options.json", "below/.a.png.4lhtfu9b/a.png"):
        left = out / name
        left.parent.mkdir(parents=True)
        left.write_text("half")
        make_many(pipe, [folder], "walking", out, model="m", progress=False)
        assert not list(out.rglob(".*"))


def test_a_folder_of_something_else_is_left_alone(pipe: Pipeline, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make(pipe, folder, out, "front")
    with pytest.raises(Pg2Error, match=r"other settings \(picture: image, now strip\)"):
        make(pipe, folder, out, "front", kind="strip")
    pipe.model.coarse.initialise()
    with pytest.raises(Pg2Error, match=r"other settings \(weights"):
        make(pipe, folder, out, "front")
    (tmp_path / "own").mkdir()
    (tmp_path / "own/thesis.doc").write_text("mine")
    with pytest.raises(Pg2Error, match=r"holds thesis\.doc"):
        make(pipe, folder, tmp_path / "own", "front")
    with pytest.raises(Pg2Error, match="is a file"):
        make(pipe, folder, tmp_path / "own/thesis.doc", "front")
    assert [file.name for file in (tmp_path / "own").iterdir()] == ["thesis.doc"]
    with pytest.raises(Pg2Error, match="holds no pictures"):
        make(pipe, tmp_path / "own", tmp_path / "new", "front")


def test_a_full_disk_ends_it(
    pipe: Pipeline, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is no fault of the photo: the others would fare no better."""

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(Pg2Error, match="no space left on device"):
        make(pipe, folder, tmp_path / "out", "front")
    assert (tmp_path / "out" / MANIFEST).read_text() == ""


def test_damaged_lines_of_the_manifest_are_work_to_do_again(
    pipe: Pipeline, folder: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    make(pipe, folder, out)
    before = (out / MANIFEST).read_text()
    entries = lines(out)
    for entry, name, value in zip(
        entries,
        ("file", "person", "people", "digest", "photo", "photo_digest"),
        (None, 1e400, "x", 5, [], {}),
        strict=True,
    ):
        entry[name] = value
    entries.append({"photo": "ann/1.png", "person": 0, "pose": "back"})
    broken = "".join(f"{json.dumps(entry)}\n" for entry in entries) + "[" * 5000 + "\nnull\n"
    (out / MANIFEST).write_text(broken)
    assert make(pipe, folder, out).made == 6
    assert (out / MANIFEST).read_text() == before
    # A line that a kill cut short does not spoil the one that is written after it.
    (out / MANIFEST).write_text(before[:-20])
    (out / json.loads(before.splitlines()[0])["file"]).unlink()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Manifest, "finish", lambda *_: None)
        assert make(pipe, folder, out).made == 2
    assert sorted((out / MANIFEST).read_text().splitlines()[-2:]) == sorted(
        (before.splitlines()[0], before.splitlines()[-1])
    )
    assert make(pipe, folder, out).made == 0
    assert (out / MANIFEST).read_text() == before
    # No system takes such a name.
    file = lines(out)[0]["file"]
    (out / MANIFEST).write_text(before.replace(file, "x" * 5000))
    assert make(pipe, folder, out).made == 1


def test_a_strip_has_no_keypoints(pipe: Pipeline, folder: Path, tmp_path: Path) -> None:
    """Those of the pose are none in its pixels."""
    make(pipe, folder / "ann", tmp_path / "out", "front", kind="strip")
    assert [line["keypoints"] for line in lines(tmp_path / "out")] == [None]
