"""What photographs of people show: checked by geometry, without looking."""

from collections.abc import Iterator

import numpy as np
import pytest

from pg2.pose.keypoints import KEYPOINTS
from pg2.rendering.folders import write_person
from pg2.rendering.options import RenderOptions
from pg2.rendering.photographs import _not_hidden, _open_surface
from pg2.rendering.pictures import Photographer
from pg2.rendering.scenes.scene import draw_scene
from pg2.rendering.viewpoint import draw_viewpoint

OPTIONS = RenderOptions(poses=3, size=(64, 64), seed=3, look="photo", geometry=True)


def drawn(index: int):
    """The viewpoint and the scene of a person, as `PhotoSession` draws them."""
    rng = np.random.default_rng([OPTIONS.seed, index, 1001])
    viewpoint = draw_viewpoint(OPTIONS.framing, rng)
    return viewpoint, draw_scene(rng, viewpoint.place, viewpoint.seen)


def first(wanted) -> int:
    return next(index for index in range(500) if wanted(*drawn(index)))


@pytest.fixture(scope="module")
def photographer(egl: None) -> Iterator[Photographer]:
    with Photographer(OPTIONS) as photographer:
        yield photographer


def test_a_fixed_camera_keeps_its_background(photographer):
    index = first(
        lambda viewpoint, scene: viewpoint.fixed and viewpoint.shot.name == "whole" and scene.place == "room"
    )
    record, pictures = photographer.photograph(index)
    shots = list(pictures)
    assert record["scene"]["place"] == "room"
    assert record["scene"]["camera"] == "fixed"
    assert {shot.record["framing"] for shot in shots} == {"whole"}
    images = np.stack([shot.image.astype(float) for shot in shots])
    nobody = np.max([shot.mask for shot in shots], 0) == 0
    apart = np.abs(images - images[0]).mean(-1)[1:, nobody].mean()
    other = next(photographer.photograph(index + 1)[1]).image.astype(float)
    # The camera moves by a pixel, the shadow with the person.
    assert apart < 0.4 * np.abs(other - images[0]).mean(-1)[nobody].mean()


def test_the_same_person_again_is_the_same(photographer):
    one, again = (next(photographer.photograph(2)[1]) for _ in range(2))
    for name in ("image", "mask", "points", "surface"):
        np.testing.assert_array_equal(getattr(one, name), getattr(again, name))


def test_the_geometry_shows_the_person_and_nothing_that_is_before(photographer):
    index = first(lambda viewpoint, scene: bool(scene.before) and viewpoint.shot.name in ("whole", "knees"))
    for number in (2, index):
        occluded = number == index
        for shot in photographer.photograph(number)[1]:
            assert shot.surface is not None
            seen = shot.surface[..., 3] > 0
            covered = shot.mask.reshape(32, 2, 32, 2).mean((1, 3))
            assert seen[covered > 0.99].all()
            assert not seen[covered < 0.01].any()
        assert photographer.photograph(number)[0]["scene"]["occluder"] == occluded


def test_what_hides_a_face_takes_its_keypoints_but_not_the_limbs():
    points = np.full((18, 2), 5.0, np.float32)
    open_ = np.ones((16, 16), np.float32)
    np.testing.assert_array_equal(_not_hidden(points, open_), points)
    open_[5, 5] = 0.2
    left = {
        name for name, (x, _) in zip(KEYPOINTS, _not_hidden(points, open_), strict=True) if np.isfinite(x)
    }
    assert left == set(KEYPOINTS) - {"nose", "left_eye", "right_eye", "left_ear", "right_ear"}
    surface = np.ones((8, 8, 4), np.float32)
    open_[:4] = 0
    hidden = _open_surface(surface, open_)
    assert not hidden[:2].any()
    assert hidden[3:].all()


def test_the_jpeg_has_the_quality_of_the_camera(photographer, tmp_path):
    record, pictures = photographer.photograph(0)
    shots = list(pictures)
    assert len({(shot.quality, shot.subsampling) for shot in shots}) == 1
    write_person(tmp_path, OPTIONS.seed, 0, record, shots)
    sizes = (tmp_path / "00000/00.jpg").stat().st_size
    assert sizes > 500
    assert (tmp_path / "00000/00.geometry.npz").is_file()
