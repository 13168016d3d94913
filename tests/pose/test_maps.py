"""Heat maps, mask and skeleton: against counts by hand and a slow implementation of another kind."""

import numpy as np
import pytest
import torch
from skimage.morphology import closing, footprint_rectangle

from pg2.pose.keypoints import KEYPOINTS
from pg2.pose.maps import FILLING, LIMBS, coordinates, heatmaps, pose_input, pose_mask
from pg2.pose.named import NAMES, named_pose
from pg2.pose.skeleton import draw_skeleton

SIZE = (128, 64)

# The paper's released limbs, counted from 1 as in the specification.
PUBLISHED = "2-3 2-6 3-4 4-5 6-7 7-8 2-9 9-10 10-11 2-12 12-13 13-14 2-1 1-15 15-17 1-16 16-18"
PUBLISHED_FILLING = "2-17 2-18 9-12 12-6 9-3 17-18"


def _people() -> torch.Tensor:
    """The named poses, the last with some keypoints missing: [7, 18, 2]."""
    points = np.stack([named_pose(name).points for name in NAMES])
    points[-1, [3, 8, 17]] = np.nan
    return torch.from_numpy(points)


def _one(index: int, x: float, y: float) -> torch.Tensor:
    points = torch.full((1, 18, 2), torch.nan)
    points[0, index] = torch.tensor([x, y])
    return points


def _slow_mask(points: np.ndarray, size: tuple[int, int], radius: int) -> np.ndarray:
    """The released mask in words: discs stamped at whole pixels along each limb, then a closing."""
    body = np.zeros(size, bool)

    def stamp(x: float, y: float) -> None:
        for i in range(-radius, radius + 1):
            for j in range(-radius, radius + 1):
                row, column = int(y) + i, int(x) + j
                if i * i + j * j <= radius**2 and 0 <= row < size[0] and 0 <= column < size[1]:
                    body[row, column] = True

    for pair in (PUBLISHED + " " + PUBLISHED_FILLING).split():
        (x0, y0), (x1, y1) = (points[int(number) - 1].tolist() for number in pair.split("-"))
        if np.isnan([x0, y0, x1, y1]).any():
            continue
        stamp(x0, y0)
        stamp(x1, y1)
        parts = int(np.hypot(x1 - x0, y1 - y0) / radius)
        for part in range(1, parts):
            stamp(x0 + (x1 - x0) * part / parts, y0 + (y1 - y0) * part / parts)
    return closing(body, footprint_rectangle((5, 5)))


def test_limbs_are_the_published_ones() -> None:
    def pairs(text: str) -> set[frozenset[int]]:
        return {frozenset(int(number) - 1 for number in pair.split("-")) for pair in text.split()}

    assert {frozenset(limb) for limb in LIMBS} == pairs(PUBLISHED)
    assert {frozenset(limb) for limb in FILLING} == pairs(PUBLISHED_FILLING)


def test_a_disc_of_radius_4_has_49_pixels() -> None:
    maps = heatmaps(_one(4, 30, 60), SIZE)
    assert maps.shape == (1, 18, *SIZE)
    assert maps.dtype == torch.float32
    assert set(maps.unique().tolist()) == {-1.0, 1.0}
    assert (maps[0, 4] == 1).sum() == 49
    assert maps[0, 4, 60, 34] == maps[0, 4, 56, 30] == 1
    assert maps[0, 4, 60, 35] == maps[0, 4, 57, 33] == -1
    # Every other channel is of a missing keypoint: empty.
    assert (maps == 1).sum() == 49


@pytest.mark.parametrize(("radius", "pixels"), [(0, 1), (1, 5), (2, 13), (8, 197)])
def test_other_radii(radius: float, pixels: int) -> None:
    assert (heatmaps(_one(0, 30, 60), SIZE, radius) == 1).sum() == pixels


def test_maps_drawn_smaller_are_near_the_means_of_those_drawn_at_full_size() -> None:
    generator = torch.Generator().manual_seed(0)
    points = torch.rand(4, 18, 2, generator=generator) * torch.tensor([64.0, 128.0])
    points[0, 3] = torch.nan
    small, full = heatmaps(points, (128, 64), 12, 4), heatmaps(points, (128, 64), 12)
    assert small.shape == (4, 18, 32, 16)
    assert (small[0, 3] == -1).all()
    difference = (small - torch.nn.functional.avg_pool2d(full, 4)).abs()
    assert difference.mean() < 0.01
    assert difference.max() < 0.35
    # A keypoint that moves by one pixel, a quarter of the small maps' pixel, shows.
    moved = heatmaps(points + torch.tensor([1.0, 0.0]), (128, 64), 12, 4)
    assert (moved - small).abs().sum() > 10


def test_a_disc_at_the_corner_is_cut() -> None:
    assert (heatmaps(_one(0, 0, 0), SIZE) == 1).sum() == 17


def test_batched_equals_one_by_one() -> None:
    people = _people()
    for draw in (heatmaps, pose_mask, draw_skeleton):
        together = draw(people, SIZE)
        for index in range(len(people)):
            torch.testing.assert_close(together[index : index + 1], draw(people[index : index + 1], SIZE))


@pytest.mark.parametrize("whole", [True, False])
def test_mask_agrees_with_a_slow_independent_one(whole: bool) -> None:
    people = _people().round()
    if not whole:
        people += torch.rand(7, 18, 2, generator=torch.Generator().manual_seed(0)) * 0.9 + 0.05
    masks = pose_mask(people, SIZE)
    assert masks.shape == (len(people), 1, *SIZE)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    for name, points, mask in zip(NAMES, people.numpy(), masks[:, 0].bool().numpy(), strict=True):
        slow = _slow_mask(points, SIZE, 4)
        assert 500 < slow.sum() < 5000, name
        np.testing.assert_array_equal(mask, slow, err_msg=name)


def test_a_limb_that_leaves_the_picture_still_shows() -> None:
    points = torch.full((1, 18, 2), torch.nan)
    points[0, 3], points[0, 4] = torch.tensor([10.0, 60.0]), torch.tensor([-30.0, 60.0])
    mask = pose_mask(points, SIZE)[0, 0]
    assert mask[60, 0] == 1
    assert mask[:, 20:].sum() == 0
    points[0, :, 0] += 3000
    assert pose_mask(points, SIZE).sum() == 0


def test_mask_is_closed_and_holds_its_keypoints() -> None:
    people = _people()[:-1]
    masks = pose_mask(people, SIZE)
    for mask in masks[:, 0].numpy():
        np.testing.assert_array_equal(closing(mask, footprint_rectangle((5, 5))), mask)
    drawn = sorted({end for limb in LIMBS + FILLING for end in limb})
    assert drawn == list(range(len(KEYPOINTS)))
    complete = people[NAMES.index("front")][None].round()
    discs = (heatmaps(complete, SIZE) == 1).any(1)
    assert (pose_mask(complete, SIZE)[0] >= discs.float()).all()


def test_a_limb_with_a_missing_end_is_skipped() -> None:
    assert pose_mask(_one(3, 30, 60), SIZE).sum() == 0
    points = _one(3, 30, 60)
    points[0, 4] = torch.tensor([30.0, 80.0])
    np.testing.assert_array_equal(pose_mask(points, SIZE)[0, 0], _slow_mask(points[0].numpy(), SIZE, 4))


def test_nobody() -> None:
    nobody = torch.full((2, 18, 2), torch.nan)
    assert (heatmaps(nobody, SIZE) == -1).all()
    assert (pose_mask(nobody, SIZE) == 0).all()
    assert (draw_skeleton(nobody, SIZE) == -1).all()


def test_skeleton_is_drawn_in_place_on_the_picture() -> None:
    background = torch.full((1, 3, *SIZE), 0.25)
    points = _one(2, 20, 40)
    points[0, 3] = torch.tensor([20.0, 80.0])
    before = background.clone()
    drawn = draw_skeleton(points, SIZE, background)
    assert torch.equal(background, before)
    changed = (drawn != background).any(1)[0]
    assert changed[60, 20]
    assert not changed[60, 26]
    assert not changed[:, 30:].any()
    assert drawn.min() >= -1
    assert drawn.max() <= 1


def test_sides_have_their_own_colours() -> None:
    """The right side is warm (more red than blue), the left cool, whatever the view."""
    for name in ("front", "back"):
        points = torch.from_numpy(named_pose(name).points.copy())
        picture = draw_skeleton(points[None], SIZE)[0]
        for side, sign in (("right", 1), ("left", -1)):
            shoulder, elbow = (KEYPOINTS.index(f"{side}_{joint}") for joint in ("shoulder", "elbow"))
            x, y = ((points[shoulder] + points[elbow]) / 2).round().int().tolist()
            assert sign * (picture[0, y, x] - picture[2, y, x]) > 0.3


def test_coordinates_span_the_frame_and_mark_what_is_missing() -> None:
    keypoints = torch.full((1, 18, 2), float("nan"))
    keypoints[0, 0] = torch.tensor((0.0, 0.0))
    keypoints[0, 1] = torch.tensor((15.0, 31.0))
    keypoints[0, 2] = torch.tensor((7.5, 15.5))
    found = coordinates(keypoints, (32, 16))
    assert found.shape == (1, 18, 3)
    assert found[0, :3].tolist() == [[-1, -1, 1], [1, 1, 1], [0, 0, 1]]
    assert not found[0, 3:].any()
    drawn = pose_input(keypoints, (32, 16), embedding="heatmaps", radius=2.0, shrink=2)
    assert torch.equal(drawn, heatmaps(keypoints, (32, 16), 2.0, 2))
    assert torch.equal(pose_input(keypoints, (32, 16), embedding="coordinates", radius=2.0, shrink=1), found)


def test_the_mask_of_an_accelerator_takes_as_many_steps_as_a_picture_can_need() -> None:
    """There the longest limb is not asked for; the mask is the same."""
    torch.manual_seed(0)
    keypoints = torch.rand(4, 18, 2) * torch.tensor((63.0, 127.0))
    keypoints[0, 3] = torch.nan
    wanted = pose_mask(keypoints, (128, 64))
    assert pose_mask(keypoints.to("meta"), (128, 64)).shape == wanted.shape

    assert torch.equal(mask_by_bound(keypoints, (128, 64)), wanted)


def mask_by_bound(keypoints: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """`pose_mask` with one long limb more, outside of the others: as many steps as the picture's diagonal."""
    longest = keypoints.new_full((1, 18, 2), torch.nan)
    longest[0, 2], longest[0, 3] = torch.tensor((0.0, 0.0)), torch.tensor((63.0, 127.0))
    return pose_mask(torch.cat((keypoints, longest)), size)[:-1]
