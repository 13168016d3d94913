"""Framing: pixels and keypoints go to the same place, and come back."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from pg2.errors import Pg2Error
from pg2.pose.framing import Framing
from pg2.pose.keypoints import Pose

FRAME = (128, 64)


def _pose(left: float, top: float, right: float, bottom: float, size: tuple[int, int]) -> Pose:
    """18 points on a diagonal grid that fills this box."""
    steps = np.linspace(0, 1, 18)
    x = left + (right - left) * ((steps * 5) % 1.0)
    return Pose(np.stack([x, top + (bottom - top) * steps], axis=1), size)


def _ramps(height: int, width: int) -> np.ndarray:
    """A picture whose red tells the x of every pixel and whose green its y."""
    picture = np.zeros((height, width, 3), np.uint8)
    picture[..., 0] = np.linspace(0, 255, width).round()[None]
    picture[..., 1] = np.linspace(0, 255, height).round()[:, None]
    return picture


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(st.integers(60, 700), st.integers(60, 700)),
    st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)),
    st.tuples(st.floats(0.2, 0.5), st.floats(0.2, 0.5)),
    st.sampled_from([(128, 64), (256, 256), (32, 64)]),
)
def test_keypoints_follow_the_pixels(
    size: tuple[int, int], start: tuple[float, float], extent: tuple[float, float], frame: tuple[int, int]
) -> None:
    height, width = size
    left, top = start[0] * (width - 1), start[1] * (height - 1)
    pose = _pose(left, top, left + extent[0] * (width - 1), top + extent[1] * (height - 1), size)
    framing = Framing.around(pose, size, frame)
    framed, picture = framing.pose(pose), framing.image(_ramps(height, width))
    assert picture.shape == (*frame, 3)
    assert framed.size == frame
    assert framed.present.all()
    for (x, y), (fx, fy) in zip(pose.points, framed.points, strict=True):
        red, green, _ = picture[round(float(fy)), round(float(fx))] / 255.0
        # Off by at most one pixel of the frame or of the picture, and two steps of colour.
        assert abs(red * (width - 1) - x) <= max(1.0, 1 / framing.scale[0]) + 2 * width / 255
        assert abs(green * (height - 1) - y) <= max(1.0, 1 / framing.scale[1]) + 2 * height / 255


def test_nothing_is_stretched_and_the_person_is_inside_with_room() -> None:
    pose = _pose(300, 100, 380, 400, (480, 640))
    framing = Framing.around(pose, (480, 640), FRAME)
    assert framing.scale[0] == pytest.approx(framing.scale[1])
    left, top, right, bottom = framing.pose(pose).box
    assert left > 3
    assert right < 60
    assert top > 8
    assert bottom < 124
    assert bottom - top > 100


@pytest.mark.parametrize("size", [(128, 64), (256, 128), (300, 149)])
def test_a_picture_of_the_frames_proportions_is_taken_whole(size: tuple[int, int]) -> None:
    framing = Framing.around(_pose(5, 5, 20, 0.6 * size[0], size), size, FRAME)
    assert (framing.left, framing.top, framing.right, framing.bottom) == (0, 0, size[1], size[0])


def test_a_small_person_in_such_a_picture_is_still_framed() -> None:
    framing = Framing.around(_pose(1000, 400, 1060, 520, (3000, 1500)), (3000, 1500), FRAME)
    assert framing.bottom - framing.top < 200
    assert framing.left < 1000 < 1060 < framing.right


def test_a_bare_pose_must_be_in_pixels() -> None:
    with pytest.raises(Pg2Error, match="in pixels"):
        Framing.around(_pose(0.1, 0.1, 0.5, 0.9, None), None, FRAME)


def test_only_what_lies_inside_is_enlarged() -> None:
    """A person lying in a panorama: the rectangle around it is many times the picture."""
    framing = Framing.around(_pose(10, 240, 19_990, 260, (500, 20_000)), (500, 20_000), FRAME)
    assert framing.bottom - framing.top > 30_000
    rows, columns = framing.inside
    assert rows == slice(0, 500)
    enlarged = framing.enlarge(np.full((*FRAME, 3), 200, np.uint8), Image.Resampling.LANCZOS)
    assert enlarged.shape == (500, columns.stop - columns.start, 3)


def test_a_picture_of_the_frames_size_is_untouched() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (*FRAME, 3), np.uint8)
    pose = _pose(5, 5, 20, 40, FRAME)
    framing = Framing.around(pose, FRAME, FRAME)
    np.testing.assert_array_equal(framing.image(picture), picture)
    np.testing.assert_array_equal(framing.enlarge(picture, Image.Resampling.LANCZOS), picture)
    np.testing.assert_allclose(framing.pose(pose).points, pose.points, atol=1e-5)


def test_beyond_the_picture_its_edge_continues() -> None:
    picture = np.full((100, 100, 3), 200, np.uint8)
    picture[:, :2] = (250, 0, 0)
    framing = Framing.around(_pose(0, 30, 20, 90, (100, 100)), (100, 100), FRAME)
    assert framing.left < 0
    assert np.abs(framing.image(picture)[64, 0].astype(int) - (250, 0, 0)).max() <= 2


def test_a_bare_pose_is_fitted_too() -> None:
    pose = _pose(1000, 1000, 1500, 3000, (1, 1))
    framed = Framing.around(Pose(pose.points), None, FRAME).pose(pose)
    assert framed.present.all()


def test_one_keypoint_is_enough_and_none_is_too_few() -> None:
    points = np.full((18, 2), np.nan)
    with pytest.raises(Pg2Error, match="no keypoint"):
        Framing.around(Pose(points), (100, 100), FRAME)
    points[0] = 50, 50
    assert Framing.around(Pose(points), (100, 100), FRAME).image(_ramps(100, 100)).shape == (*FRAME, 3)


def test_a_pose_outside_its_picture() -> None:
    with pytest.raises(Pg2Error, match="outside its picture"):
        Framing.around(_pose(5000, 5000, 5100, 5200, (300, 300)), (300, 300), FRAME)


@pytest.mark.parametrize("extent", [0.9, 0.01])
def test_memory_is_bounded_for_a_huge_picture(extent: float) -> None:
    """3.6 GB if it were ever copied: a view without memory of its own stands in for it."""
    height, width = 30_000, 40_000
    huge = np.broadcast_to(np.uint8(77), (height, width, 3))
    pose = _pose(0.05 * width, 0.05 * height, extent * width, extent * height, (height, width))
    picture = Framing.around(pose, (height, width), FRAME).image(huge)
    assert (picture == 77).all()
