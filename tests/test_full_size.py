"""Results at the photo's scale."""

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from pg2 import full_size
from pg2.full_size import Fetched, at_full_size
from pg2.pose.framing import Framing
from pg2.pose.keypoints import Pose
from pg2.pose.parts import sample

FRAME = (64, 64)


def _noise(size: tuple[int, int], grain: int) -> npt.NDArray[np.uint8]:
    """Random colours, each over so many pixels."""
    small = np.random.default_rng(0).integers(60, 196, (size[0] // grain, size[1] // grain, 3), np.uint8)
    return np.asarray(Image.fromarray(small).resize((size[1], size[0]), Image.Resampling.BICUBIC))


def _framing(size: tuple[int, int], left: float, top: float, side: float) -> Framing:
    return Framing(left, top, left + side, top + side, size, FRAME)


def _identity() -> npt.NDArray[np.float32]:
    rows, columns = np.mgrid[: FRAME[0], : FRAME[1]].astype(np.float32)
    return np.stack((columns, rows), -1)


def _fetched(photo: npt.NDArray[np.uint8], framing: Framing, places: npt.NDArray[np.float32]) -> Fetched:
    """All of the result is what is fetched there."""
    source = torch.from_numpy(framing.image(photo).copy()).movedim(-1, 0)[None].float()
    warped = sample(source, torch.from_numpy(places)[None], "bicubic")[0].movedim(0, -1)
    return Fetched(places, warped.round().clamp(0, 255).byte().numpy(), np.full(FRAME, 255, np.uint8))


def _off(a: npt.NDArray[np.uint8], b: npt.NDArray[np.uint8]) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def test_pasted_back_in_place() -> None:
    photo = _noise((300, 400), 20)
    framing = _framing((300, 400), 90, 40, 200)
    back = at_full_size(photo, framing, framing.image(photo))
    inside = np.zeros((300, 400), bool)
    inside[40:240, 90:290] = True
    np.testing.assert_array_equal(back[~inside], photo[~inside])
    assert _off(back[inside], photo[inside]) < 2.0
    # Moved by three pixels it would not fit: the test can fail.
    assert _off(np.roll(back, 3, axis=1)[inside], photo[inside]) > 3


@pytest.mark.parametrize(("left", "top", "side"), [(90, 40, 240), (-60, -20, 320), (200.4, 99.7, 201.3)])
def test_what_was_copied_is_as_sharp_as_the_photo(left: float, top: float, side: float) -> None:
    photo = _noise((300, 400), 2)
    framing = _framing((300, 400), left, top, side)
    fetched = _fetched(photo, framing, _identity())
    rows, columns = framing.inside
    # At the frame's own edge it has no neighbours to tell how it goes on.
    inner = (slice(rows.start + 8, rows.stop - 8), slice(columns.start + 8, columns.stop - 8))
    dull, sharp = (at_full_size(photo, framing, fetched.warped, None, given) for given in (None, fetched))
    assert _off(dull[inner], photo[inner]) > 15
    assert _off(sharp[inner], photo[inner]) < 2.5


def test_a_place_aside_is_looked_up_there() -> None:
    photo = _noise((256, 256), 2)
    framing = _framing((256, 256), 0, 0, 256)
    places = _identity() + np.float32(3)  # of the frame: 12 pixels of the photo
    fetched = _fetched(photo, framing, places)
    sharp = at_full_size(photo, framing, fetched.warped, None, fetched)
    assert _off(sharp[20:200, 20:200], photo[32:212, 32:212]) < 2.5


def test_what_was_not_copied_stays_as_it_is() -> None:
    photo = _noise((256, 256), 2)
    framing = _framing((256, 256), 0, 0, 256)
    fetched = _fetched(photo, framing, _identity())
    painted = np.full((*FRAME, 3), 90, np.uint8)
    nothing = fetched._replace(share=np.zeros(FRAME, np.uint8))
    assert (at_full_size(photo, framing, painted, None, nothing) == 90).all()
    where = np.zeros(FRAME, np.uint8)
    where[:32] = 255
    half = at_full_size(photo, framing, painted, where, nothing)
    np.testing.assert_array_equal(half[140:], photo[140:])
    assert (half[:110] == 90).all()


def test_between_two_parts_nothing_is_looked_up() -> None:
    """Neighbours in the result that come from far apart: what lies between them is no part of either."""
    photo = np.zeros((256, 256, 3), np.uint8)
    photo[:, 96:160] = 255  # seen by neither half
    places = _identity()
    places[:, :32, 0] *= 0.6  # from the left of the photo
    places[:, 32:, 0] = 44 + 0.6 * (places[:, 32:, 0] - 32)
    framing = _framing((256, 256), 0, 0, 256)
    fetched = _fetched(photo, framing, places)
    assert fetched.warped.max() == 0
    assert at_full_size(photo, framing, fetched.warped, None, fetched).max() < 3


def test_a_huge_photo_is_looked_up_in_smaller(monkeypatch: pytest.MonkeyPatch) -> None:
    photo = _noise((512, 512), 8)
    framing = _framing((512, 512), 0, 0, 512)
    fetched = _fetched(photo, framing, _identity())
    monkeypatch.setattr(full_size, "_MOST_PIXELS", 128 * 128)
    dull = at_full_size(photo, framing, fetched.warped)
    sharp = at_full_size(photo, framing, fetched.warped, None, fetched)
    assert _off(sharp[20:-20, 20:-20], photo[20:-20, 20:-20]) < 0.7 * _off(
        dull[20:-20, 20:-20], photo[20:-20, 20:-20]
    )


def test_a_frame_outside_the_photo_or_larger_than_it_changes_nothing_it_should_not() -> None:
    photo = _noise((40, 40), 2)
    outside = _framing((40, 40), 100, 100, 50)
    np.testing.assert_array_equal(at_full_size(photo, outside, np.zeros((*FRAME, 3), np.uint8)), photo)
    small = _framing((40, 40), 0, 0, 40)
    fetched = _fetched(photo, small, _identity())
    assert _off(at_full_size(photo, small, fetched.warped, None, fetched), photo) < 3


def test_a_pose_frames_what_is_enlarged() -> None:
    photo = _noise((600, 500), 4)
    points = np.full((18, 2), np.nan, np.float32)
    points[:2] = (200, 150), (260, 450)
    framing = Framing.around(Pose(points, (600, 500)), (600, 500), FRAME)
    fetched = _fetched(photo, framing, _identity())
    sharp = at_full_size(photo, framing, fetched.warped, None, fetched)
    assert _off(sharp, photo) < 2.5
