"""From which side a person is seen, and what a photo does not show of what a pose asks for."""

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from pg2.pose.keypoints import KEYPOINTS, Points, Pose

Side = Literal["front", "side", "back"]


def _both(*joints: str) -> list[int]:
    return [KEYPOINTS.index(f"{side}_{joint}") for joint in joints for side in ("right", "left")]


_SHOULDERS, _HIPS = _both("shoulder"), _both("hip")
_LIMBS = {
    "face": [KEYPOINTS.index("nose"), *_both("eye")],
    "arms": _both("elbow", "wrist"),
    "legs": _both("knee", "ankle"),
    "feet": _both("ankle"),
}

NARROW = 0.2
"""Shoulders that are narrower than this, in lengths of the trunk, are seen from the side."""

_TOLD = 0.5  # of those keypoints of a limb that the pose has; fewer are not worth a warning
_LEANING = 0.5  # cosine between trunk and upright, below which a person lies or bends down

_FROM: dict[Side, str] = {"front": "from the front", "side": "from the side", "back": "from behind"}

# What is seen of a body from there tells little of what is seen of it from here.
_UNKNOWN: frozenset[tuple[Side, Side]] = frozenset(
    [("front", "back"), ("back", "front"), ("side", "front"), ("side", "back")]
)


def shoulder_width(points: Points) -> npt.NDArray[np.float32]:
    """How broad the shoulders are seen, in lengths of the trunk: [..., 18, 2] -> [...].

    About 0.6 from the front, 0 from the side, -0.6 from behind, however the body leans; NaN without both
    shoulders and both hips.
    """
    across = points[..., _SHOULDERS[1], :] - points[..., _SHOULDERS[0], :]
    down = points[..., _HIPS, :].mean(axis=-2) - points[..., _SHOULDERS, :].mean(axis=-2)
    product = across[..., 0] * down[..., 1] - across[..., 1] * down[..., 0]
    return np.asarray(product / np.maximum((down * down).sum(axis=-1), 1e-6), dtype=np.float32)


def seen_from(pose: Pose) -> Side | None:
    """From which side a pose shows the person; None where shoulders or hips are missing."""
    width = float(shoulder_width(pose.points))
    if np.isnan(width):
        return None
    return "side" if abs(width) < NARROW else "front" if width > 0 else "back"


class Shown(NamedTuple):
    """What `doubts` asks of a pose.

    Attributes:
        side: from which the person is seen; None: it is not known.
        upright: the trunk does not lean by over 60 degrees.
        some: of which of face, arms, legs and feet there is a keypoint.
        told: of which of them half of the keypoints are there, or more.
    """

    side: Side | None
    upright: bool
    some: frozenset[str]
    told: frozenset[str]


def shown_by(pose: Pose) -> Shown:
    """What `doubts` asks of a pose; computed once for a pose that is compared with many."""
    shares = {limb: float(pose.present[joints].mean()) for limb, joints in _LIMBS.items()}
    down = pose.points[_HIPS].mean(axis=0) - pose.points[_SHOULDERS].mean(axis=0)
    return Shown(
        seen_from(pose),
        not down[1] < _LEANING * np.hypot(*down),
        frozenset(limb for limb, share in shares.items() if share),
        frozenset(limb for limb, share in shares.items() if share >= _TOLD),
    )


def doubts(source: Pose | Shown, target: Pose | Shown) -> tuple[str, ...]:
    """What a photo cannot tell a model about the picture that a pose asks for.

    Args:
        source: where the person is on the photo.
        target: the wanted pose.

    Returns:
        Parts of a sentence, such as "the photo shows no legs"; none where the photo shows what is wanted.
    """
    photo, pose = (shown_by(given) if isinstance(given, Pose) else given for given in (source, target))
    lacking = pose.told - photo.some
    found = []
    if photo.side is not None and pose.side is not None and (photo.side, pose.side) in _UNKNOWN:
        found.append(f"the photo shows the person {_FROM[photo.side]}, the pose {_FROM[pose.side]}")
    if "face" in lacking and photo.side != "back":
        found.append("the photo shows no face")
    if "arms" in lacking:
        found.append("the photo shows no arms")
    if "legs" in lacking:
        found.append("the photo shows no legs")
    elif "feet" in lacking:
        found.append("the photo shows no feet")
    for shown, where in ((photo, "on the photo"), (pose, "in the pose")):
        if not shown.upright:
            found.append(f"the body is not upright {where}")
    return tuple(found)
