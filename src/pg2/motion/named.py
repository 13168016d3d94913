"""Motions that ship, computed from a few angles: walk, wave, turn. And the way between two poses.

The body is that of the named pose "front", given some depth; it is moved, turned and seen from far away.
"""

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error
from pg2.motion.sequence import MOST_FRAMES, Motion
from pg2.pose.keypoints import KEYPOINTS, Pose
from pg2.pose.named import named_pose

FPS = 20.0
"""Of the motions that ship, where nothing else is asked for."""

_Body = npt.NDArray[np.float64]  # [18, 3]: to the viewer's right, down, to the viewer

_NOSE = KEYPOINTS.index("nose")
_EYES, _EARS = [14, 15], [16, 17]
_NOSE_DEPTH, _EYE_DEPTH = 5.5, 4.0  # before the neck, on the named poses' canvas 128 pixels high
_HIDDEN_NOSE, _HIDDEN_EYE, _HIDDEN_EAR = -1.0, 0.5, -3.5  # so far, or less, before the middle of the head

# Degrees.
_STRIDE, _KNEE, _ARM_SWING, _ELBOW = 24.0, 48.0, 22.0, 18.0
_WALK_VIEW = 40.0
_WAVING_ARM, _INWARDS, _WAVE = 120.0, 12.0, 22.0


def _front() -> _Body:
    flat = named_pose("front").points.astype(np.float64)
    depth = np.zeros(len(flat))
    depth[_NOSE], depth[_EYES] = _NOSE_DEPTH, _EYE_DEPTH
    return np.column_stack((flat[:, 0] - flat[1, 0], flat[:, 1], depth))


def _bent(body: _Body, joints: tuple[int, int, int], angles: Sequence[tuple[float, float]]) -> None:
    """Set both parts of a limb, from its first joint on: degrees forwards and aside, from hanging down."""
    lengths = [float(np.linalg.norm(body[b] - body[a])) for a, b in pairwise(joints)]
    outwards = math.copysign(1.0, float(body[joints[0], 0]))
    for (start, end), length, (forwards, aside) in zip(pairwise(joints), lengths, angles, strict=True):
        forwards, aside = math.radians(forwards), math.radians(aside)
        way = (
            outwards * math.sin(aside) * math.cos(forwards),
            math.cos(aside) * math.cos(forwards),
            math.sin(forwards),
        )
        body[end] = body[start] + length * np.array(way)


def _seen(body: _Body, degrees: float) -> Pose:
    """The body turned to the viewer's right by so much, and what of its face is seen then."""
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    x, depth = body[:, 0] * cosine + body[:, 2] * sine, body[:, 2] * cosine - body[:, 0] * sine
    canvas = named_pose("front")
    assert canvas.size is not None
    points = np.column_stack((x + canvas.size[1] / 2, body[:, 1]))
    for face, least in (([_NOSE], _HIDDEN_NOSE), (_EYES, _HIDDEN_EYE), (_EARS, _HIDDEN_EAR)):
        points[[number for number in face if depth[number] < least]] = np.nan
    return Pose(points.astype(np.float32), canvas.size)


def _walk(phase: float) -> Pose:
    body = _front()
    ground = body[[10, 13], 1].max()
    for legs, arms, moment in (((8, 9, 10), (2, 3, 4), phase), ((11, 12, 13), (5, 6, 7), phase + 0.5)):
        angle = 2 * math.pi * moment
        thigh = _STRIDE * math.sin(angle)
        knee = 6.0 + _KNEE * max(math.cos(angle + 0.5), 0.0) ** 2  # bent while the leg comes forward
        _bent(body, legs, ((thigh, 0.0), (thigh - knee, 0.0)))
        swing = -_ARM_SWING * math.sin(angle)
        _bent(body, arms, ((swing, 12.0), (swing + _ELBOW, 5.0)))
    body[:, 1] += ground - body[[10, 13], 1].max()
    return _seen(body, _WALK_VIEW)


def _wave(phase: float) -> Pose:
    body = _front()
    forearm = 180.0 + _INWARDS + _WAVE * math.sin(2 * math.pi * phase)
    _bent(body, (2, 3, 4), ((0.0, _WAVING_ARM), (0.0, forearm)))
    return _seen(body, 0.0)


def _turn(phase: float) -> Pose:
    return _seen(_front(), 360.0 * phase)


_MOTIONS: dict[str, tuple[Callable[[float], Pose], float]] = {
    "walk": (_walk, 1.2),
    "wave": (_wave, 1.0),
    "turn": (_turn, 4.0),
}

MOTIONS = tuple(_MOTIONS)
"""What they are called."""

_SHORTEST = 2.0  # seconds that a motion lasts where nothing else is asked for, in whole rounds
_BETWEEN = 1.0  # seconds from one pose to the next


def named_motion(name: str, fps: float = FPS, seconds: float | None = None) -> Motion:
    """The motion of that name, in whole rounds, so that it can be repeated without a jump.

    Args:
        name: one of `MOTIONS`.
        fps: frames a second.
        seconds: how long, about; None: some two seconds.

    Raises:
        Pg2Error: there is no such motion, or it has too many frames.
    """
    if name not in _MOTIONS:
        raise Pg2Error(f'there is no motion named "{name}"; there are {", ".join(MOTIONS)}')
    pose, period = _MOTIONS[name]
    count = check_length(max(round(period * fps), 2), fps)
    once = tuple(pose(number / count) for number in range(count))
    rounds = max(round((seconds or max(_SHORTEST, period)) / period), 1)
    check_length(rounds * count, fps)
    return Motion(once * rounds, fps)


def check_length(frames: float, fps: float) -> int:
    """So many frames, where that is not too many.

    Raises:
        Pg2Error: it is.
    """
    if not 0 < fps <= 120 or frames > MOST_FRAMES:
        raise Pg2Error(
            f"{frames:.0f} frames at {fps:g} a second are too many; {MOST_FRAMES} frames at up to 120 a "
            "second are the most: ask for fewer with --seconds or --fps"
        )
    return int(frames)


def between(a: Pose, b: Pose, share: float) -> Pose:
    """The pose on the way from `a` (0) to `b` (1), both in one picture.

    What one of them lacks is there near the other.
    """
    mixed = (1 - share) * a.points + share * b.points
    near = a.points if share < 0.5 else b.points
    return Pose(np.where(np.isnan(mixed), near, mixed), a.size)


def through(poses: Sequence[Pose], fps: float = FPS, seconds: float | None = None) -> Motion:
    """From pose to pose and back to the first one, each slowly left and slowly reached.

    Args:
        poses: in one picture.
        fps: frames a second.
        seconds: for the whole round; None: one a pose.
    """
    steps = max(round((seconds or _BETWEEN * len(poses)) * fps / len(poses)), 1)
    check_length(steps * len(poses), fps)
    eased = [(1 - math.cos(math.pi * step / steps)) / 2 for step in range(steps)]
    pairs = zip(poses, (*poses[1:], poses[0]), strict=True)
    return Motion(tuple(between(a, b, share) for a, b in pairs for share in eased), fps)
