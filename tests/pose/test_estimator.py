"""MoveNet: right on people of known pose, several of them, and silent about pictures without any."""

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageDraw
from real_data import MARKET, RENDERED, needs

from pg2.errors import Pg2Error
from pg2.io.packaged import SAMPLES
from pg2.io.pictures import load_image
from pg2.io.pixels import Image8
from pg2.pose.estimator import MOVENET, NoPersonError, PoseEstimator
from pg2.pose.formats import read_keypoints_csv
from pg2.pose.keypoints import KEYPOINTS, Pose
from pg2.pose.named import named_pose

RIGHT, LEFT = ([KEYPOINTS.index(f"{side}_{j}") for j in ("shoulder", "hip")] for side in ("right", "left"))


@pytest.fixture(scope="module")
def estimator() -> PoseEstimator:
    return PoseEstimator(threads=2)


def _sample(name: str) -> Image8:
    return load_image(SAMPLES / name)


def _beside(first: Image8, second: Image8, scale: float = 1.0, apart: int = 0) -> Image8:
    """Two pictures side by side, the second scaled, standing on one floor."""
    small = Image.fromarray(second).resize((round(second.shape[1] * scale), round(second.shape[0] * scale)))
    colour = tuple(int(v) for v in first[2, 2])
    both = Image.new("RGB", (first.shape[1] + apart + small.width, first.shape[0]), colour)
    both.paste(Image.fromarray(first), (0, 0))
    both.paste(small, (first.shape[1] + apart, first.shape[0] - small.height))
    return np.asarray(both)


def _agreement(pose: Pose, truth: np.ndarray) -> tuple[int, int]:
    """How many keypoints lie within 5 % of the person's height (PCK@0.05), and how many both have."""
    height = np.nanmax(truth[:, 1]) - np.nanmin(truth[:, 1])
    distance = np.linalg.norm(pose.points - truth, axis=1)
    return int((distance <= 0.05 * height).sum()), int((~np.isnan(distance)).sum())


def test_from_the_front(estimator: PoseEstimator) -> None:
    image = _sample("00003/00.jpg")
    pose = estimator.estimate(image)
    assert pose.size == image.shape[:2]
    assert pose.present.sum() >= 16
    assert (pose.points[RIGHT, 0] < pose.points[LEFT, 0]).all()
    np.testing.assert_allclose(pose.points[1], pose.points[[2, 5]].mean(axis=0), atol=0.01)
    left, top, right, bottom = pose.box
    assert left >= 0
    assert top >= 0
    assert right <= image.shape[1] - 1
    assert bottom <= image.shape[0] - 1


def test_from_behind_sides_are_swapped_and_there_is_no_face(estimator: PoseEstimator) -> None:
    pose = estimator.estimate(_sample("00012/03.jpg"))
    assert (pose.points[RIGHT, 0] > pose.points[LEFT, 0]).all()
    assert not pose.present[[0, 14, 15]].any()


def test_a_mirrored_picture_gives_the_mirrored_pose(estimator: PoseEstimator) -> None:
    image = _sample("00013/00.jpg")
    pose, mirrored = estimator.estimate(image), estimator.estimate(np.ascontiguousarray(image[:, ::-1]))
    right, both = _agreement(mirrored.mirror(), pose.points)
    assert both >= 15
    assert right >= both - 1


def test_a_large_photo_gives_the_same_pose_in_its_own_pixels(estimator: PoseEstimator) -> None:
    image = _sample("00008/00.jpg")
    large = np.repeat(np.repeat(image, 9, axis=0), 9, axis=1)
    pose = estimator.estimate(large)
    assert pose.size == large.shape[:2]
    right, both = _agreement(pose, estimator.estimate(image).scale(9).points)
    assert right == both
    assert both >= 15


def test_memory_is_bounded_for_a_huge_picture(estimator: PoseEstimator) -> None:
    """3.6 GB if it were ever copied: a view without memory of its own stands in for it."""
    assert estimator.estimate_all(np.broadcast_to(np.uint8(120), (40_000, 30_000, 3))) == []


@pytest.mark.parametrize(("scale", "apart"), [(1.0, 0), (0.6, 0), (0.8, 60)])
def test_two_people_largest_first(estimator: PoseEstimator, scale: float, apart: int) -> None:
    first, second = _sample("00003/00.jpg"), _sample("00008/01.jpg")
    both = _beside(first, second, scale, apart)
    people = estimator.estimate_all(both)
    assert len(people) == 2
    assert people[0].area >= people[1].area
    alone = estimator.estimate(first)
    there = min(people, key=lambda pose: pose.points[1, 0])
    right, shared = _agreement(there, alone.points)
    assert right >= shared - 1


def test_the_person_asked_for(monkeypatch: pytest.MonkeyPatch, estimator: PoseEstimator) -> None:
    people = [named_pose("front").scale(2), named_pose("front")]
    monkeypatch.setattr(estimator, "estimate_all", lambda image: people)
    image = np.zeros((300, 300, 3), np.uint8)
    assert estimator.estimate(image) == estimator.estimate(image, 0) == people[0]
    assert estimator.estimate(image, 1) == people[1]
    for person in (2, -1):
        with pytest.raises(NoPersonError, match=rf"2 people are seen.*no person {person}"):
            estimator.estimate(image, person)


def _small_person() -> Image8:
    """A person of 150 pixels at (650, 400) of a plain picture of 1000x700."""
    person = Image.fromarray(_sample("00003/00.jpg"))
    scene = Image.new("RGB", (1000, 700), person.getpixel((2, 2)))
    scene.paste(person.resize((person.width * 150 // person.height, 150)), (650, 400))
    return np.asarray(scene)


def test_a_small_person_in_a_large_picture(estimator: PoseEstimator) -> None:
    people = estimator.estimate_all(_small_person())
    assert len(people) == 1
    left, top, right, bottom = people[0].box
    assert 645 < left < right < 655 + 150
    assert 395 < top < bottom < 555


class _Counting(PoseEstimator):
    """Counts its looks."""

    looks = 0

    def _look(self, *arguments: Any) -> Any:
        self.looks += 1
        return super()._look(*arguments)


def test_a_photo_of_one_person_takes_one_look() -> None:
    image = _sample("00003/00.jpg")
    quick, thorough = (_Counting(threads=1, thorough=thorough) for thorough in (False, True))
    pose = quick.estimate(image)
    assert quick.looks == 1
    right, both = _agreement(pose, thorough.estimate(image).points)
    assert thorough.looks == 4, "the whole, the person, and what is left and right of it"
    assert right == both >= 15


def test_ground_that_is_not_plain_is_searched_for_others() -> None:
    image = _sample("00003/00.jpg").copy()
    for column in (8, image.shape[1] - 24):
        image[40:60, column : column + 16] = 255 - image[40:60, column : column + 16]
    counting = _Counting(threads=1)
    assert len(counting.estimate_all(image)) == 1
    assert counting.looks == 3


def test_a_small_person_is_looked_at_again() -> None:
    counting = _Counting(threads=1)
    assert len(counting.estimate_all(_small_person())) == 1
    assert counting.looks >= 2


def _nobody(kind: str) -> Image8:
    generator = np.random.default_rng(3)
    if kind == "noise":
        return generator.integers(0, 256, (200, 300, 3), np.uint8)
    if kind == "plain":
        return np.full((128, 64, 3), (90, 140, 60), np.uint8)
    if kind == "gradient":
        return np.broadcast_to(np.linspace(0, 255, 240).astype(np.uint8)[:, None, None], (240, 200, 3))
    if kind == "blobs":
        colours = Image.fromarray(generator.integers(0, 256, (6, 6, 3), np.uint8))
        return np.asarray(colours.resize((200, 300), Image.Resampling.BICUBIC))
    room = Image.new("RGB", (320, 240), (220, 210, 190))
    pen = ImageDraw.Draw(room)
    pen.rectangle((0, 180, 320, 240), fill=(130, 90, 60))
    pen.rectangle((20, 40, 90, 210), fill=(90, 60, 40))  # a wardrobe,
    pen.line((55, 40, 55, 210), fill=(0, 0, 0), width=2)
    pen.rectangle((120, 120, 210, 130), fill=(60, 40, 20))  # a table,
    for x in (122, 200):
        pen.rectangle((x, 120, x + 8, 215), fill=(60, 40, 20))
    pen.ellipse((245, 40, 285, 80), fill=(250, 230, 120))  # and a lamp
    pen.rectangle((262, 80, 268, 215), fill=(40, 40, 40))
    return np.asarray(room)


@pytest.mark.parametrize("kind", ["noise", "plain", "gradient", "blobs", "furniture"])
def test_nobody(estimator: PoseEstimator, kind: str) -> None:
    with pytest.raises(NoPersonError, match="no person is seen"):
        estimator.estimate(_nobody(kind))


def test_the_smallest_picture(estimator: PoseEstimator) -> None:
    assert estimator.estimate_all(np.zeros((16, 16, 3), np.uint8)) == []
    assert estimator.estimate_all(np.zeros((16, 1600, 3), np.uint8)) == []


def test_threads_are_honoured() -> None:
    image = _sample("00002/00.jpg")
    one, two = PoseEstimator(threads=1), PoseEstimator(threads=2)
    assert one._session.get_session_options().intra_op_num_threads == 1
    np.testing.assert_allclose(one.estimate(image).points, two.estimate(image).points, atol=0.1)


def test_another_process_gets_one_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """With as many threads as that process is to have."""
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    copy = pickle.loads(pickle.dumps(PoseEstimator(thorough=True)))
    assert copy._thorough
    assert copy._session.get_session_options().intra_op_num_threads == 3
    copy = pickle.loads(pickle.dumps(PoseEstimator(threads=1)))
    assert copy._session.get_session_options().intra_op_num_threads == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "2,1")  # OpenMP takes a list for nested parts
    assert PoseEstimator()._session.get_session_options().intra_op_num_threads == 0


def test_weights_missing_truncated_or_of_another_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(Pg2Error, match=r"nowhere\.onnx are missing"):
        PoseEstimator(tmp_path / "nowhere.onnx")
    for name, content in (
        ("truncated", MOVENET.read_bytes()[:6_000_000]),
        ("empty", b""),
        ("text", b"hello"),
    ):
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        with pytest.raises(Pg2Error, match=rf"{name}\.onnx is (damaged|another network)"):
            PoseEstimator(path)

    class Other(onnxruntime.InferenceSession):
        def get_outputs(self) -> list[object]:
            return []

    monkeypatch.setattr(onnxruntime, "InferenceSession", Other)
    with pytest.raises(Pg2Error, match="another network"):
        PoseEstimator()


@needs(RENDERED)
def test_accuracy_on_rendered_people(estimator: PoseEstimator) -> None:
    truth = read_keypoints_csv(RENDERED / "keypoints.csv")
    right = both = 0
    for path in sorted(RENDERED.rglob("*.jpg"))[::20]:
        near, shared = _agreement(estimator.estimate(load_image(path)), truth[path.name])
        right, both = right + near, both + shared
    assert both > 180
    assert right / both > 0.95


@needs(MARKET)
def test_agreement_with_the_published_keypoints(estimator: PoseEstimator) -> None:
    published = read_keypoints_csv(MARKET / "market-annotation-test.csv")
    right = both = found = 0
    paths = sorted((MARKET / "bounding_box_test").glob("*.jpg"))[::70]
    for path in paths:
        people = estimator.estimate_all(load_image(path))
        found += len(people) == 1
        if people and not np.isnan(published[path.name]).all():
            near, shared = _agreement(people[0], published[path.name])
            right, both = right + near, both + shared
    assert found >= 0.85 * len(paths)  # two of these are blurred beyond recognition
    assert right / both > 0.87
