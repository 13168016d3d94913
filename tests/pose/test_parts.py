"""Parts of the body between two poses: properties, and a slow implementation of another kind."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pg2.pose.keypoints import KEYPOINTS, MIRRORED
from pg2.pose.named import NAMES, named_pose
from pg2.pose.parts import (
    DESCRIBED,
    PARTS,
    PRIOR_RANGE,
    Parts,
    around_face,
    cell_centres,
    changed,
    described,
    landmarks,
    other_side,
    part_places,
    part_priors,
    part_transforms,
    sample,
    source_face,
)

SIZE = (128, 64)
OTHER_SIDE = [
    PARTS.index({"right": "left", "left": "right"}[name[: name.index("_")]] + name[name.index("_") :])
    if "_" in name
    else index
    for index, name in enumerate(PARTS)
]
INDEX = {name: index for index, name in enumerate(KEYPOINTS)}
ENDS = {
    "upper_arm": ("shoulder", "elbow", 0.0, 0.20, 0.54, 0.05),
    "forearm": ("elbow", "wrist", 0.45, 0.17, 0.49, 0.02),
    "thigh": ("hip", "knee", 0.0, 0.26, 0.78, 0.11),
    "shin": ("knee", "ankle", 0.30, 0.22, 0.79, 0.09),
}
"""Of each limb: where it starts and ends, how much longer it is drawn; radius, usual length, depth in S."""

HIPS, FACE = (8, 11), (0, 14, 15, 16, 17)
NOBODY, ONE_POINT = torch.full((1, 18, 2), torch.nan), torch.full((1, 18, 2), 3.0)

seeds = st.integers(0, 2**32 - 1)
quick = settings(deadline=None, max_examples=8)


def named(name: str) -> torch.Tensor:
    """[1, 18, 2]."""
    return torch.tensor(named_pose(name).points)[None]


def random_poses(seed: int, missing: float = 0.2, count: int = 12) -> torch.Tensor:
    """Named poses with all keypoints, disturbed, some of them then taken away; [count, 18, 2]."""
    generator = np.random.default_rng(seed)
    points = np.stack([named_pose(name).points for name in generator.choice(NAMES, count)])
    points = np.where(np.isnan(points), named_pose("front").points, points)
    points = points + generator.normal(0, 2, points.shape)
    points[generator.uniform(size=(count, 18)) < missing] = np.nan
    return torch.from_numpy(points.astype(np.float32))


def moved(points: torch.Tensor, scale: float, turn: float, shift: tuple[float, float]) -> torch.Tensor:
    """Points [..., 2] in a picture that is enlarged, turned and shifted."""
    cosine, sine = np.cos(turn) * scale, np.sin(turn) * scale
    matrix = torch.tensor([[cosine, -sine], [sine, cosine]], dtype=torch.float32)
    return points @ matrix.T + torch.tensor(shift)


def mirrored(pose: torch.Tensor) -> torch.Tensor:
    pose = pose[:, MIRRORED].clone()
    pose[..., 0] = SIZE[1] - 1 - pose[..., 0]
    return pose


def fetched(parts: Parts, points: torch.Tensor) -> torch.Tensor:
    """Where points of the target [N, 2] come from by each part, [B, 10, N, 2]."""
    matrices = parts.matrices
    return torch.einsum("bkij,nj->bkni", matrices[..., :2], points) + matrices[:, :, None, :, 2]


@quick
@given(seeds, st.floats(0, 0.6))
def test_equal_poses_give_the_identity(seed: int, missing: float) -> None:
    poses = random_poses(seed, missing)
    parts = part_transforms(poses, poses)
    here = cell_centres(SIZE, 4)
    torch.testing.assert_close(
        part_places(parts, SIZE, 4), here.expand(len(poses), 10, *here.shape), atol=2e-3, rtol=0
    )
    if missing == 0:
        assert parts.valid.all()


@quick
@given(seeds, seeds)
def test_mirroring_both_mirrors_the_result(first: int, second: int) -> None:
    source, target = random_poses(first), random_poses(second)
    straight = part_transforms(source, target)
    turned = part_transforms(mirrored(source), mirrored(target))
    assert torch.equal(turned.valid[:, OTHER_SIDE], straight.valid)
    torch.testing.assert_close(
        part_priors(turned, SIZE, 8)[:, OTHER_SIDE].flip(-1),
        part_priors(straight, SIZE, 8),
        atol=5e-3,
        rtol=0,
    )
    expected = part_places(straight, SIZE, 8)
    expected[..., 0] = SIZE[1] - 1 - expected[..., 0]
    found = part_places(turned, SIZE, 8)[:, OTHER_SIDE].flip(-2)
    # Places are cut at one picture outside; that is not quite mirrored.
    inside = (expected[..., 0] > -60) & (expected[..., 0] < 120)
    torch.testing.assert_close(found[inside], expected[inside], atol=2e-2, rtol=1e-3)


@quick
@given(seeds, seeds, st.floats(0.4, 4), st.floats(-3.1, 3.1), st.floats(0.4, 4), st.floats(-3.1, 3.1))
def test_a_similarity_of_either_picture_carries_through(
    first: int, second: int, scale: float, turn: float, other_scale: float, other_turn: float
) -> None:
    source, target = random_poses(first), random_poses(second)
    points = torch.tensor([[20.0, 30.0], [40.0, 60.0], [30.0, 100.0]])
    before = part_transforms(source, target)
    after = part_transforms(
        moved(source, scale, turn, (7.0, -4.0)), moved(target, other_scale, other_turn, (-9.0, 2.0))
    )
    assert torch.equal(after.valid, before.valid)
    found = fetched(after, moved(points, other_scale, other_turn, (-9.0, 2.0)))
    expected = moved(fetched(before, points), scale, turn, (7.0, -4.0))
    torch.testing.assert_close(found[before.valid], expected[before.valid], atol=5e-2, rtol=2e-3)


@quick
@given(seeds)
def test_a_picture_twice_as_large_has_the_same_priors(seed: int) -> None:
    source, target = random_poses(seed), random_poses(seed + 1)
    small = part_transforms(source, target)
    large = part_transforms(source, (target + 0.5) * 2 - 0.5)
    doubled = (2 * SIZE[0], 2 * SIZE[1])
    torch.testing.assert_close(
        part_priors(large, doubled, 16), part_priors(small, SIZE, 8), atol=1e-2, rtol=0
    )


@quick
@given(seeds)
def test_whatever_comes_is_answered_with_numbers(seed: int) -> None:
    odd = [0.0, 30.0, 30.0, np.nan, np.inf, -np.inf, 1e30, -1e30, 999_999.0, -999_999.0, 1e-30]
    generator = np.random.default_rng(seed)
    values = generator.choice(odd, (2, 50, 18, 2))
    values = np.where(generator.uniform(size=values.shape) < 0.4, generator.uniform(-500, 500), values)
    source, target = torch.from_numpy(values.astype(np.float32))
    parts = part_transforms(source, target)
    priors = part_priors(parts, SIZE, 16)
    assert parts.valid.any()
    assert parts.matrices.isfinite().all()
    assert part_places(parts, SIZE, 16).isfinite().all()
    assert ((priors >= PRIOR_RANGE[0]) & (priors <= PRIOR_RANGE[1])).all()


@pytest.mark.parametrize(
    ("source", "target"),
    [
        (NOBODY, NOBODY),
        (named("front"), NOBODY),
        (NOBODY, named("front")),
        (ONE_POINT, named("front")),
        (named("front"), ONE_POINT),
    ],
    ids=["nobody", "no target", "no source", "source of one point", "target of one point"],
)
def test_poses_without_a_common_part_leave_every_part_off(source: torch.Tensor, target: torch.Tensor) -> None:
    parts = part_transforms(source, target)
    assert not parts.valid.any()
    torch.testing.assert_close(parts.matrices, torch.eye(2, 3).expand(1, 10, 2, 3))
    assert (part_priors(parts, SIZE, 4) == PRIOR_RANGE[0]).all()


@pytest.mark.parametrize(("first", "second"), [("front", "arms-raised"), ("arms-raised", "hands-on-hips")])
def test_the_ends_of_limbs_lie_on_the_ends_of_limbs(first: str, second: str) -> None:
    source, target = (named(name) for name in (first, second))
    parts = part_transforms(source, target)
    places = fetched(parts, target[0])[0]
    for number, name in enumerate(PARTS[2:], start=2):
        side, _, limb = name.partition("_")
        for joint in ENDS[limb][:2]:
            end = INDEX[f"{side}_{joint}"]
            if not (source[0, end] + target[0, end]).isnan().any():
                torch.testing.assert_close(places[number, end], source[0, end], atol=1e-2, rtol=0)
    # The middle of the shoulders is the trunk's origin.
    torch.testing.assert_close(places[1, 1], source[0, [2, 5]].mean(0), atol=0.5, rtol=0)


def test_a_back_is_a_front_turned_over() -> None:
    front = named("front")
    back = mirrored(front)[:, MIRRORED]
    parts = part_transforms(front, back)
    places = fetched(parts, back[0])[0]
    for name in ("right_shoulder", "left_shoulder", "right_hip"):
        torch.testing.assert_close(places[1, INDEX[name]], front[0, INDEX[name]], atol=2.0, rtol=0)
    for name in ("right_ear", "left_eye", "nose"):
        torch.testing.assert_close(places[0, INDEX[name]], front[0, INDEX[name]], atol=1e-2, rtol=0)
    # The head stands upright, though its ears have changed places.
    above = fetched(parts, back[0, [INDEX["nose"]]] - torch.tensor([0.0, 5.0]))[0, 0, 0]
    assert above[1] < front[0, INDEX["nose"], 1] - 4


@pytest.mark.parametrize("yaw", [-60, -35, 35, 60])
@pytest.mark.parametrize("behind", [False, True])
def test_the_front_of_a_turned_body_has_moved_aside(yaw: float, behind: bool) -> None:
    """Places in the middle of chest and back, seen by a body with depth, turned about its upright axis."""
    size = 32.0
    # (to the left, down, forward) in S, 0 in the middle of the shoulders.
    body = {
        "nose": (0, -0.45, 0.25), "right_eye": (-0.06, -0.5, 0.22), "left_eye": (0.06, -0.5, 0.22),
        "right_ear": (-0.12, -0.47, 0), "left_ear": (0.12, -0.47, 0), "neck": (0, 0, 0),
        "right_shoulder": (-0.305, 0, 0), "left_shoulder": (0.305, 0, 0),
        "right_hip": (-0.218, 1, 0), "left_hip": (0.218, 1, 0),
    }  # fmt: skip
    middle = (0, 0.5, -0.16 if behind else 0.16)

    def seen(points: np.ndarray, degrees: float) -> torch.Tensor:
        turn = np.radians(degrees)
        x = points[:, 0] * np.cos(turn) + points[:, 2] * np.sin(turn)
        return torch.from_numpy(np.stack([x, points[:, 1]], 1) * size + (32, 40)).float()

    start = 180.0 if behind else 0.0
    poses, middles = torch.full((2, 18, 2), torch.nan), []
    for index, degrees in enumerate((start, start + yaw)):
        poses[index, [INDEX[name] for name in body]] = seen(np.array([*body.values()], float), degrees)
        middles.append(seen(np.array([middle], float), degrees)[0])
    straight, turned = poses[:1], poses[1:]
    for source, target, expected, place in (
        (straight, turned, middles[0], middles[1]),
        (turned, straight, middles[1], middles[0]),
    ):
        found = fetched(part_transforms(source, target), place[None])[0, 1, 0]
        torch.testing.assert_close(found, expected, atol=0.5, rtol=0)


def test_what_the_source_lacks_comes_from_the_other_side_or_the_neighbour() -> None:
    whole = named("front")
    straight = part_transforms(whole, whole)

    def without(*names: str) -> torch.Tensor:
        pose = whole.clone()
        pose[0, [INDEX[name] for name in names]] = torch.nan
        return pose

    right, left = PARTS.index("right_forearm"), PARTS.index("left_forearm")
    one = part_transforms(without("right_wrist"), whole)
    assert one.valid.all()
    elbow, wrist = (whole[0, INDEX[f"right_{joint}"]] for joint in ("elbow", "wrist"))
    ends = fetched(one, torch.stack((elbow, wrist)))[0, right]
    torch.testing.assert_close(ends, whole[0, [INDEX["left_elbow"], INDEX["left_wrist"]]], atol=1e-2, rtol=0)
    # Its outer side stays its outer side: right of the picture for a left arm.
    outside = fetched(one, wrist[None] - torch.tensor([3.0, 0.0]))[0, right, 0]
    assert outside[0] > whole[0, INDEX["left_wrist"], 0]

    both = part_transforms(without("right_wrist", "left_wrist"), whole)
    assert both.valid.all()
    torch.testing.assert_close(both.matrices[0, [right, left]], both.matrices[0, [right - 1, left - 1]])
    arms = [f"{side}_{joint}" for side in ("right", "left") for joint in ("elbow", "wrist")]
    none = part_transforms(without(*arms), whole)
    torch.testing.assert_close(none.matrices[0, 2:6], none.matrices[0, 1:2].expand(4, 2, 3))
    assert none.valid.all()
    faceless = part_transforms(without("nose", "right_eye", "left_eye", "right_ear", "left_ear"), whole)
    assert faceless.valid.all()
    # Both in the target and in the source it lacks: off.
    assert not part_transforms(whole, without("right_wrist")).valid[0, right]
    torch.testing.assert_close(straight.matrices, torch.eye(2, 3).expand(1, 10, 2, 3), atol=1e-4, rtol=0)


def test_priors_are_highest_on_the_part_itself() -> None:
    pose = named("hands-on-hips")
    priors = part_priors(part_transforms(pose, pose), SIZE)[0]
    for number, name in enumerate(PARTS[2:], start=2):
        side, _, limb = name.partition("_")
        ends = pose[0, [INDEX[f"{side}_{joint}"] for joint in ENDS[limb][:2]]]
        x, y = ends.mean(0).round().int().tolist()
        assert priors[number, y, x] > 2
    x, y = pose[0, [2, 5, 8, 11]].mean(0).round().int().tolist()
    assert priors[1, y, x] > 2
    x, y = pose[0, 0].round().int().tolist()
    assert priors[0, y, x] > 2
    assert (priors[:, 0, 0] < -8).all()
    inside = (priors > 0).float().mean((1, 2))
    assert ((inside > 0.005) & (inside < 0.25)).all()


class Slow:
    """The parts of one pair in plain words: 3x3 matrices, one part at a time, float64."""

    def __init__(self, source: np.ndarray, target: np.ndarray) -> None:
        self.source, self.target = source.astype(float), target.astype(float)

    @staticmethod
    def _has(*points: np.ndarray) -> bool:
        return not any(np.isnan(point).any() for point in points)

    def _neck(self, pose: np.ndarray) -> np.ndarray:
        right, left = pose[2], pose[5]
        if self._has(right, left):
            return (right + left) / 2
        return next((point for point in (pose[1], right, left) if self._has(point)), right)

    def _middle(self, pose: np.ndarray, names: tuple[int, ...]) -> np.ndarray:
        found = [pose[name] for name in names if self._has(pose[name])]
        return np.mean(found, axis=0) if found else np.full(2, np.nan)

    def _size(self, pose: np.ndarray) -> float:
        neck, hips, face = (
            self._neck(pose),
            self._middle(pose, HIPS),
            self._middle(pose, FACE),
        )
        head = 2.2 * np.linalg.norm(face - neck)
        if self._has(neck, hips):
            trunk = float(np.linalg.norm(hips - neck))
            return max(trunk, 0.8 * head) if self._has(face) else trunk
        if self._has(neck, face):
            return float(head)
        lengths = [1.0]
        for side in ("right", "left"):
            for start, end, _, _, usual, _ in ENDS.values():
                a, b = pose[INDEX[f"{side}_{start}"]], pose[INDEX[f"{side}_{end}"]]
                if self._has(a, b):
                    lengths.append(float(np.linalg.norm(a - b)) / usual)
        return max(lengths)

    def _down(self, pose: np.ndarray) -> np.ndarray:
        neck, hips, face = (
            self._neck(pose),
            self._middle(pose, HIPS),
            self._middle(pose, FACE),
        )
        down = hips - neck if self._has(neck, hips) else neck - face
        return down / np.linalg.norm(down)

    def _width(self, pose: np.ndarray) -> float | None:
        """Positive from the front: the left is then 90 degrees counter-clockwise (as seen) of down."""
        found = [
            factor * (pose[left] - pose[right])
            for right, left, factor in ((2, 5, 1.0), (8, 11, 1.4))
            if self._has(pose[left], pose[right])
        ]
        down = self._down(pose)
        if not found or not self._has(down):
            return None
        return float(np.mean(found, axis=0) @ [down[1], -down[0]]) / self._size(pose)

    def frame(self, pose: np.ndarray, other: np.ndarray, part: str) -> np.ndarray | None:
        """Columns: along, across, origin."""
        size, down = self._size(pose), self._down(pose)
        width = next((w for w in (self._width(pose), self._width(other)) if w is not None), 0.5)
        side = -1.0 if width < 0 else 1.0
        neck = self._neck(pose)
        if part == "trunk":
            if not self._has(neck, down):
                return None
            hips = self._middle(pose, HIPS)
            length = np.linalg.norm(hips - neck) if self._has(hips) else size
            return self._columns(neck, down, max(length, 0.25 * size), side * max(abs(width), 0.35) * size)
        if part == "head":
            face = self._middle(pose, FACE)
            length = size / 2.2
            origin = face + length * down if self._has(face, down) else neck
            if not self._has(origin, down):
                return None
            return self._columns(origin, -down, length, side * length)
        where, _, limb = part.partition("_")
        a, b = (pose[INDEX[f"{where}_{joint}"]] for joint in ENDS[limb][:2])
        if not self._has(a, b):
            return None
        length = np.linalg.norm(b - a)
        return self._columns(a, (b - a) / length, max(length, 0.2 * size), side * size)

    def aside(self, pose: np.ndarray, other: np.ndarray, part: str) -> np.ndarray:
        """The movement from the middle of a part to the middle of its surface that is seen, 3x3."""
        depths = {"head": 0.0, "trunk": 0.16} | {limb: values[-1] for limb, values in ENDS.items()}
        depth = depths[part.removeprefix("right_").removeprefix("left_")]
        width = next((w for w in (self._width(pose), self._width(other)) if w is not None), 0.5)
        neck, eyes = self._neck(pose), self._middle(pose, (0, 14, 15))
        movement, down = np.eye(3), self._down(pose)
        if self._has(neck, eyes, down):
            left = np.array([down[1], -down[0]])
            facing = np.clip((eyes - neck) @ left / (0.1 * self._size(pose)), -1, 1)
            turn = np.sqrt(max(1 - (width / 0.61) ** 2, 0)) * facing * (-1 if width < 0 else 1)
            movement[:2, 2] = left * turn * depth * self._size(pose)
        return movement

    @staticmethod
    def _columns(origin: np.ndarray, axis: np.ndarray, length: float, width: float) -> np.ndarray:
        across = np.array([axis[1], -axis[0]])
        return np.array([[*(axis * length), 0], [*(across * width), 0], [*origin, 1]]).T

    def head(self) -> np.ndarray | None:
        """The better of two similarities of least squares, straight and mirrored."""
        face = [n for n in FACE if self._has(self.source[n], self.target[n])]
        if len(face) < 2:
            return None
        here, there = self.target[face], self.source[face]
        weights = np.ones(len(face))
        below = [
            self._middle(pose, tuple(face)) + self._size(pose) / 2.2 * self._down(pose)
            for pose in (self.target, self.source)
        ]
        if self._has(*below):
            here, there = np.vstack([here, below[0]]), np.vstack([there, below[1]])
            weights = np.append(weights, 0.3)
        here_middle = np.average(here, axis=0, weights=weights)
        there_middle = np.average(there, axis=0, weights=weights)
        here, there = here - here_middle, there - there_middle
        fits = []
        for flip in (1, -1):
            # x' = a x - f b y and y' = b x + f a y, f = -1 in a mirror.
            (x, y), f = here.T, flip
            rows = np.concatenate([np.stack([x, -f * y], 1), np.stack([f * y, x], 1)])
            weight = np.sqrt(np.concatenate([weights, weights]))
            wanted = np.concatenate([there[:, 0], there[:, 1]])
            (a, b), *_ = np.linalg.lstsq(rows * weight[:, None], wanted * weight, rcond=None)
            fits.append((np.hypot(a, b), np.array([[a, -flip * b], [b, flip * a]])))
        linear = (fits[1] if fits[1][0] > 1.02 * fits[0][0] else fits[0])[1]
        return np.column_stack([linear, there_middle - linear @ here_middle])

    def matrices(self) -> list[np.ndarray | None]:
        found: dict[str, np.ndarray | None] = {}
        here = {part: self.frame(self.target, self.source, part) for part in PARTS}
        there = {part: self.frame(self.source, self.target, part) for part in PARTS}
        for part, opposite in zip(PARTS, OTHER_SIDE, strict=True):
            found[part] = None
            if part == "head":
                found[part] = self.head()
            if found[part] is None and here[part] is not None:
                other = there[PARTS[opposite]]
                if there[part] is not None:
                    source = there[part]
                elif other is not None and opposite != PARTS.index(part):
                    source = other @ np.diag([1, -1, 1])
                else:
                    continue
                source = self.aside(self.source, self.target, part) @ source
                target = self.aside(self.target, self.source, part) @ here[part]
                found[part] = (source @ np.linalg.inv(target))[:2]
        if found["trunk"] is None or found["head"] is None:
            found["trunk"] = found["head"] = found["trunk"] if found["head"] is None else found["head"]
        for part in PARTS[2:]:
            if found[part] is None:
                side, _, limb = part.partition("_")
                upper = {"forearm": f"{side}_upper_arm", "shin": f"{side}_thigh"}.get(limb, "trunk")
                found[part] = found[upper]
        return [found[part] if here[part] is not None else None for part in PARTS]

    def prior(self, part: str, x: float, y: float) -> float:
        frame = self.frame(self.target, self.source, part)
        size = self._size(self.target)
        u, v, _ = np.linalg.inv(frame) @ [x, y, 1]
        along, across = (np.linalg.norm(frame[:, column]) for column in (0, 1))
        if part == "head":
            distance, radius = np.hypot(u - 1, v) * along, 0.42
        elif part == "trunk":
            distance = np.hypot(max(-u, 0, u - 1) * along, max(abs(v) - 0.5, 0) * across)
            radius = 0.16
        else:
            _, _, longer, radius, _, _ = ENDS[part.partition("_")[2]]
            distance = np.hypot(max(-u, 0, u - 1 - longer) * along, v * across)
        return float(np.clip((radius * size - distance) / (0.06 * size), *PRIOR_RANGE))


@pytest.mark.parametrize("missing", [0.0, 0.1, 0.3, 0.6])
def test_agrees_with_a_slow_independent_one(missing: float) -> None:
    source, target = random_poses(1, missing), random_poses(2, missing)
    parts = part_transforms(source, target)
    priors = part_priors(parts, SIZE, 32).numpy()
    points = np.array([[10.0, 20.0], [50.0, 60.0], [30.0, 110.0]])
    places = fetched(parts, torch.from_numpy(points.astype(np.float32))).numpy()
    for pair in range(len(source)):
        slow = Slow(source[pair].numpy(), target[pair].numpy())
        for number, (part, matrix) in enumerate(zip(PARTS, slow.matrices(), strict=True)):
            assert parts.valid[pair, number] == (matrix is not None), part
            if matrix is None:
                continue
            expected = points @ matrix[:, :2].T + matrix[:, 2]
            np.testing.assert_allclose(places[pair, number], expected, atol=2e-2, rtol=1e-3, err_msg=part)
            for row, column in np.ndindex(4, 2):
                prior = slow.prior(part, column * 32 + 15.5, row * 32 + 15.5)
                assert priors[pair, number, row, column] == pytest.approx(prior, abs=1e-2), part


def test_batched_equals_one_by_one_whatever_precision_surrounds_it() -> None:
    source, target = random_poses(1), random_poses(2)
    together = part_transforms(source, target)
    with torch.autocast("cpu", torch.bfloat16):
        surrounded = part_transforms(source, target)
        places, priors = part_places(surrounded, SIZE, 4), part_priors(surrounded, SIZE, 4)
        face = source_face(source, named("back").expand_as(source))
    assert torch.equal(surrounded.matrices, together.matrices)
    assert torch.equal(places, part_places(together, SIZE, 4))
    assert torch.equal(priors, part_priors(together, SIZE, 4))
    exact = source_face(landmarks(source), landmarks(named("back").expand_as(source)))
    assert all(map(torch.equal, face, exact))
    assert face.hair.dtype == torch.float32
    assert places.dtype == priors.dtype == together.matrices.dtype == torch.float32
    assert part_transforms(source.double(), target.double()).matrices.dtype == torch.float32
    for index in range(len(source)):
        single = part_transforms(source[index : index + 1], target[index : index + 1])
        torch.testing.assert_close(single.matrices, together.matrices[index : index + 1])


def test_works_on_any_device_without_looking_at_data() -> None:
    # A tensor of the meta device has no values: a branch on them raises.
    pose = torch.empty(3, 18, 2, device="meta")
    parts = part_transforms(pose, pose)
    assert source_face(pose, pose).hair.device.type == "meta"
    assert around_face(pose, SIZE).shape == (3, 1, *SIZE)
    assert other_side(pose, parts.target, SIZE)[0].shape == (3, *SIZE, 2)
    assert parts.matrices.device.type == part_priors(parts, SIZE, 4).device.type == "meta"
    places = part_places(parts, SIZE, 4)
    assert places.shape == (3, 10, 32, 16, 2)
    assert sample(torch.empty(3, 3, *SIZE, device="meta"), places[:, 0]).shape == (3, 3, 32, 16)


def test_cells_are_where_the_pixels_below_them_are() -> None:
    pixels = cell_centres(SIZE, 1)
    assert pixels[5, 7].tolist() == [7.0, 5.0]
    means = torch.nn.functional.avg_pool2d(pixels.permute(2, 0, 1)[None], 4)[0].permute(1, 2, 0)
    torch.testing.assert_close(cell_centres(SIZE, 4), means)


def test_sampling() -> None:
    image = torch.rand(1, 3, 8, 6, generator=torch.Generator().manual_seed(0))
    pixels = cell_centres((8, 6), 1)[None]
    torch.testing.assert_close(sample(image, pixels), image)
    between = sample(image, pixels + torch.tensor([0.5, 0.0]))
    torch.testing.assert_close(between[..., :-1], (image[..., 1:] + image[..., :-1]) / 2)
    torch.testing.assert_close(between[..., -1], image[..., -1])
    torch.testing.assert_close(sample(image, pixels * 0 - 100)[0, :, 3, 3], image[0, :, 0, 0])
    with torch.autocast("cpu", torch.bfloat16):
        assert sample(image.bfloat16(), pixels).dtype == torch.float32


@quick
@given(seeds, st.floats(0.5, 2.0), st.floats(-40, 40))
def test_a_description_does_not_depend_on_place_and_size(seed: int, scale: float, shift: float) -> None:
    poses = random_poses(seed)
    numbers, others = described(poses), described(poses * scale + shift)
    assert numbers.shape == (len(poses), DESCRIBED)
    assert numbers.isfinite().all()
    size = DESCRIBED - 2  # the one number that says it
    known = numbers[:, :36].abs() < 8.9
    torch.testing.assert_close(numbers[:, :36][known], others[:, :36][known], atol=2e-3, rtol=0)
    assert torch.equal(numbers[:, 36:size], others[:, 36:size])
    for nobody in (NOBODY, ONE_POINT, ONE_POINT * 1e9):
        assert described(nobody).isfinite().all()


@quick
@given(seeds, seeds)
def test_a_change_is_added_in_the_parts_own_coordinates(first: int, second: int) -> None:
    parts = part_transforms(random_poses(first), random_poses(second))
    torch.manual_seed(0)
    change = torch.randn(len(parts.valid), len(PARTS), 2, 3) * 0.1
    places = part_places(changed(parts, change), SIZE, 8)
    torch.testing.assert_close(changed(parts, change * 0).matrices, parts.matrices)
    before, frames = part_places(parts, SIZE, 8), parts.target
    bounds = torch.tensor((SIZE[1], SIZE[0]))
    for pair, part in ((0, 1), (3, 0), (7, 5)):
        along, across = (axis[pair, part].double() for axis in (frames.along, frames.across))
        for cell in ((0, 0), (5, 3), (15, 7)):
            pixel = cell_centres(SIZE, 8)[cell].double() - (frames.origin + frames.shift)[pair, part]
            added = torch.zeros(2, dtype=torch.float64)
            if parts.valid[pair, part]:
                local = torch.stack((pixel @ along / (along @ along), pixel @ across / (across @ across)))
                if local.abs().max() > 5:  # so far from a short part float32 rounds by whole pixels
                    continue
                local = torch.cat((local, torch.ones(1, dtype=torch.float64)))
                added = parts.scale[pair] * (change[pair, part].double() @ local)
            wanted = before[(pair, part, *cell)] + added.float()
            # Places are kept within one picture around the source.
            ends = torch.stack((before[(pair, part, *cell)], wanted))
            if ((-bounds < ends) & (ends < 2 * bounds)).all():
                torch.testing.assert_close(places[(pair, part, *cell)], wanted, atol=0.05, rtol=1e-3)


def test_a_face_is_lost_where_the_target_turns_it_away() -> None:
    front, back = named("front"), named("back")
    for source, target in ((back, back), (back, front), (NOBODY, back)):
        for found in source_face(source, target):
            assert not found.any()
    for target in (front, NOBODY):
        assert source_face(front, target).there.all()
        assert not source_face(front, target).lost.any()
    found = source_face(front, back)
    nose, ear = front[:, INDEX["nose"]], front[:, INDEX["right_ear"]]
    reach = float(found.lost)
    assert float((found.middle - nose).norm()) < reach / 2
    assert (found.hair[..., 1] < front[:, None, [14, 15, 16, 17], 1].amin()).all()  # above the eyes
    assert ((found.cheeks[..., 0] - nose[:, None, 0]).abs() < (ear - nose).norm()).all()
    # Without an ear nobody knows where the target's head looks.
    alone = back.clone()
    alone[:, [INDEX["right_ear"], INDEX["left_ear"]]] = torch.nan
    assert not source_face(front, alone).lost.any()


@quick
@given(seeds, st.floats(0.5, 2), st.floats(-20, 20))
def test_a_face_goes_with_the_picture(seed: int, scale: float, shift: float) -> None:
    poses = random_poses(seed)
    back = named("back").expand_as(poses)
    here, there = source_face(poses, back), source_face(poses * scale + shift, back)
    assert torch.equal(here.there, there.there)
    seen = here.there[:, 0]
    torch.testing.assert_close(there.lost, here.lost * scale, rtol=1e-3, atol=1e-3)
    for name in ("middle", "cheeks", "hair"):
        moved_places = getattr(here, name)[seen] * scale + shift
        torch.testing.assert_close(getattr(there, name)[seen], moved_places, rtol=1e-3, atol=1e-2)
        assert not getattr(there, name)[~seen].any()


def test_hair_is_around_a_face_and_not_below_it() -> None:
    for pose in (named("back"), NOBODY):
        assert not around_face(pose, SIZE).any()
    pose = named("front")
    around = around_face(pose, SIZE)[0, 0]
    scale = float(landmarks(pose).scale)
    x, y = (round(float(value)) for value in pose[0, INDEX["nose"]])
    assert around[y, x] == 0
    assert around[round(y - 0.4 * scale), x] == around[round(y - 0.1 * scale), round(x + 0.4 * scale)] == 1
    assert not around[round(y + 0.25 * scale) :].any()
    # A head that looks aside has its hair behind it.
    left = named("left")
    around, (x, y) = around_face(left, SIZE)[0, 0], left[0, INDEX["nose"]].round().int().tolist()
    assert around[y, x + round(0.45 * scale)] > around[y, x + round(0.1 * scale)] == 0


@quick
@given(seeds)
def test_the_other_side_of_a_trunk_is_seen_in_a_mirror(seed: int) -> None:
    poses = random_poses(seed)
    frames = part_transforms(poses, poses).target
    places, facing = other_side(poses, frames, SIZE)
    pixels, trunk = cell_centres(SIZE, 1), PARTS.index("trunk")
    middle, along = (frames.origin + frames.shift)[:, trunk], frames.along[:, trunk]
    assert ((facing >= 0) & (facing <= 1)).all()
    for pose in range(len(poses)):
        apart, mirrored = pixels - middle[pose], places[pose] - middle[pose]
        torch.testing.assert_close(apart.norm(dim=-1), mirrored.norm(dim=-1), rtol=1e-3, atol=0.05)
        torch.testing.assert_close(apart @ along[pose], mirrored @ along[pose], rtol=1e-2, atol=1.0)
        between = (apart + mirrored) / 2  # on the trunk's axis, or everything stays where there is no trunk
        if along[pose].any():
            off = between[..., 0] * along[pose, 1] - between[..., 1] * along[pose, 0]
            assert off.abs().max() < 0.05 * along[pose].norm() + 0.5


def test_a_trunk_from_the_side_has_no_other_side() -> None:
    for name, wanted in (("front", 1), ("back", 1), ("left", 0), ("right", 0)):
        pose = named(name)
        assert float(other_side(pose, part_transforms(pose, pose).target, SIZE)[1]) == wanted, name
    assert not other_side(NOBODY, part_transforms(NOBODY, NOBODY).target, SIZE)[1].any()
