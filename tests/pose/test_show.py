"""Overlays, and many photos to pose files: all the good ones are written, all the bad ones named."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pg2.errors import Pg2Error
from pg2.io.pictures import load_image
from pg2.io.pixels import Image8
from pg2.pose import show
from pg2.pose.estimator import PoseEstimator
from pg2.pose.keypoints import Pose
from pg2.pose.named import named_pose
from pg2.pose.show import overlay, pose_photos


class Estimator(PoseEstimator):
    """Sees the named pose "front" so many times, each a pixel further right; nobody in a black picture."""

    def __init__(self, people: int = 1) -> None:
        self.people = people

    def estimate_all(self, image: Image8) -> list[Pose]:
        pose = named_pose("front").resize(image.shape[:2])
        seen = self.people if image.any() else 0
        return [Pose(pose.points + np.float32([number, 0]), pose.size) for number in range(seen)]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    grey = Image.new("RGB", (64, 128), (120, 120, 120))
    for name in ("a.png", "b.jpg", "more/a.png", "a.webp"):
        grey.save(folder / name)
    Image.new("RGB", (64, 128)).save(folder / "nobody.png")
    (folder / "letter.jpg").write_text("hello")
    return folder


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_overlay_draws_on_the_photo_and_leaves_it_alone() -> None:
    photo = np.full((128, 64, 3), 120, np.uint8)
    shown = overlay(photo, [named_pose("front")])
    assert shown.shape == photo.shape
    assert (photo == 120).all()
    changed = (shown != photo).any(axis=2)
    assert 200 < changed.sum() < 2000
    neck = named_pose("front").points[1].round().astype(int)
    assert changed[neck[1], neck[0]]
    assert not changed[:5].any()
    np.testing.assert_array_equal(shown[~changed], photo[~changed])


def test_overlay_of_a_huge_photo_is_small_and_in_place() -> None:
    """3.6 GB if it were ever copied: a view without memory of its own stands in for it."""
    photo = np.broadcast_to(np.uint8(120), (40_000, 30_000, 3))
    points = np.full((18, 2), np.nan)
    points[2], points[3] = (7_500, 10_000), (7_500, 30_000)
    shown = overlay(photo, [Pose(points)])
    assert shown.shape == (1600, 1200, 3)
    changed = (shown != 120).any(axis=2)
    assert changed[800, 300]
    assert not changed[:, 400:].any()
    assert not changed[:350].any()


def test_lines_and_dots_are_scaled_to_the_person() -> None:
    """Somebody small on a large photo is not covered by dots of the photo's size."""
    photo = np.full((1280, 640, 3), 120, np.uint8)
    front = named_pose("front")
    large = (overlay(photo, [front.resize((1280, 640))]) != 120).any(axis=2).sum()
    small = (overlay(photo, [Pose(front.points, (1280, 640))]) != 120).any(axis=2)
    assert small.sum() < large / 50
    rows = np.flatnonzero(small.any(axis=1))
    assert abs((rows[-1] - rows[0]) - np.ptp(front.points[:, 1])) < 10


def test_everybody_is_drawn_and_numbered_and_who_is_meant_is_brightest() -> None:
    photo = np.full((300, 400, 3), 120, np.uint8)
    left, right = (
        Pose(named_pose("front").scale(1.5).points + np.float32([x, 60]), (300, 400)) for x in (20, 220)
    )
    one, first, second = (
        overlay(photo, poses, person)
        for poses, person in (([left], 0), ([left, right], 0), ([left, right], 1))
    )
    assert (one[:, 200:] == 120).all()
    top = round(left.box[1]) - 6
    assert (one[:top] == 120).all(), "somebody alone needs no number"
    for shown in (first, second):
        for side in (shown[:, :200], shown[:, 200:]):
            number = (side[:top] != 120).any(axis=2)
            assert 20 < number.sum() < 600
            assert (side[:top] > 240).any(), "white"
            assert (side[:top] < 40).any(), "edged in black"
    np.testing.assert_array_equal(first[top + 6 :, :200], one[top + 6 :, :200])
    body = slice(top, None)
    strength = [[np.abs(shown[body, half].astype(int) - 120).sum() for half in (slice(200), slice(200, 400))]
                for shown in (first, second)]  # fmt: skip
    assert strength[0][0] > 2 * strength[0][1]
    assert strength[1][1] > 2 * strength[1][0]
    assert strength[0][0] == pytest.approx(strength[1][1], rel=0.05)


def test_a_number_stays_in_the_picture() -> None:
    """Also above a head at the very top, in a picture that is hardly larger than the number."""
    photo = np.full((40, 16, 3), 120, np.uint8)
    poses = [named_pose("front").resize((40, 16)), named_pose("back").resize((40, 16))]
    shown = overlay(photo, poses)
    assert (shown[:20] > 240).any()


def test_files_are_written(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out" / "poses"
    written = pose_photos([photos / "a.png", photos / "b.jpg"], out, estimator=Estimator())
    assert written == [
        (out / "a.json", out / "a_overlay.png", 1),
        (out / "b.json", out / "b_overlay.png", 1),
    ]
    assert _names(out) == ["a.json", "a_overlay.png", "b.json", "b_overlay.png"]
    np.testing.assert_allclose(Pose.load(out / "a.json").points, named_pose("front").points, atol=1e-3)
    assert Pose.load(out / "a.json").size == (128, 64)
    assert load_image(out / "a_overlay.png").shape == (128, 64, 3)


def test_a_large_photo_is_shrunk_and_its_pose_is_not(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Image.new("RGB", (256, 512), (120, 120, 120)).save(photos / "large.jpg")
    monkeypatch.setattr(show, "ENOUGH", 128)
    written = pose_photos([photos / "large.jpg"], tmp_path, estimator=Estimator())
    assert written == [(tmp_path / "large.json", tmp_path / "large_overlay.png", 1)]
    pose, wanted = Pose.load(tmp_path / "large.json"), named_pose("front").resize((512, 256))
    assert pose.size == (512, 256)
    np.testing.assert_allclose(pose.points, wanted.points, atol=1e-2)
    drawn = load_image(tmp_path / "large_overlay.png")
    assert drawn.shape == (128, 64, 3)
    np.testing.assert_array_equal(drawn, overlay(np.full((128, 64, 3), 120, np.uint8), [named_pose("front")]))


def test_the_person_asked_for(photos: Path, tmp_path: Path) -> None:
    ((file, _, people),) = pose_photos([photos / "a.png"], tmp_path / "out", 3, Estimator(5))
    assert people == 5
    assert Pose.load(file).points[0, 0] == named_pose("front").points[0, 0] + 3


def test_photos_of_one_stem_do_not_overwrite_each_other(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = pose_photos(
        [photos / "a.png", photos / "more" / "a.png", photos / "a.webp"], out, estimator=Estimator()
    )
    assert [file.name for file, *_ in written] == ["a.json", "a_2.json", "a_3.json"]
    assert len(_names(out)) == 6


def test_a_second_run_writes_the_same_files(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = pose_photos([photos / "a.png", photos / "a.webp"], out, estimator=Estimator())
    assert pose_photos([photos / "a.png", photos / "a.webp"], out, estimator=Estimator()) == first
    assert len(_names(out)) == 4


def test_no_photo_is_overwritten_by_an_overlay(photos: Path) -> None:
    Image.new("RGB", (64, 128), "red").save(photos / "a_overlay.png")
    before = (photos / "a_overlay.png").read_bytes()
    written = pose_photos([photos / "a.png", photos / "a_overlay.png"], photos, estimator=Estimator())
    assert (photos / "a_overlay.png").read_bytes() == before
    assert [file.name for file, *_ in written] == ["a_2.json", "a_overlay.json"]


def test_bad_photos_are_all_named_after_the_good_ones_are_written(photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    bad = [photos / "letter.jpg", photos / "nobody.png", photos / "nowhere.png"]
    with pytest.raises(Pg2Error) as caught:
        pose_photos([*bad, photos / "a.png", photos / "b.jpg"], out, estimator=Estimator())
    assert str(caught.value).startswith("3 of 5 photos gave no pose:\n")
    assert all(str(path) in str(caught.value) for path in bad)
    assert "no person is seen" in str(caught.value)
    assert _names(out) == ["a.json", "a_overlay.png", "b.json", "b_overlay.png"]


def test_one_photo_without_a_person(photos: Path, tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match=r"^\S*nobody\.png: no person is seen"):
        pose_photos([photos / "nobody.png"], tmp_path / "out", estimator=Estimator())
    assert not (tmp_path / "out").exists()


def test_a_disk_error_leaves_nothing_half_written(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> Image8:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(show, "overlay", broken)
    with pytest.raises(Pg2Error, match="no space left"):
        pose_photos([photos / "a.png"], tmp_path / "out", estimator=Estimator())
    assert _names(tmp_path / "out") == []
