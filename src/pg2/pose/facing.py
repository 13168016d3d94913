"""From which side a person is seen, and what a photo does not show of what a pose asks for."""

from collections.abc import Iterable
from typing import Literal

import numpy as np
import numpy.typing as npt

from pg2.pose.keypoints import KEYPOINTS, Points, Pose

Side = Literal["front", "side", "back"]


def _both(*joints: str) -> list[int]:
    return [KEYPOINTS.index(f"{side}_{joint}") for joint in joints for side in ("right", "left")]


_SHOULDERS, _HIPS = _both("shoulder"), _both("hip")
_LEGS, _FEET, _ARMS = _both("knee", "ankle"), _both("ankle"), _both("elbow", "wrist")
_FACE = [KEYPOINTS.index("nose"), *_both("eye")]

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


def doubts(source: Pose, target: Pose) -> tuple[str, ...]:
    """What a photo cannot tell a model about the picture that a pose asks for.

    Args:
        source: where the person is on the photo.
        target: the wanted pose.

    Returns:
        Parts of a sentence, such as "the photo shows no legs"; none where the photo shows what is wanted.
    """

    def lacks(joints: Iterable[int]) -> bool:
        wanted = target.present[[*joints]]
        return bool(wanted.mean() >= _TOLD and not source.present[[*joints]].any())

    found = []
    sides = seen_from(source), seen_from(target)
    if sides in _UNKNOWN:
        shown, wanted = (_FROM[side] for side in sides if side is not None)
        found.append(f"the photo shows the person {shown}, the pose {wanted}")
    if lacks(_FACE) and sides[0] != "back":
        found.append("the photo shows no face")
    if lacks(_ARMS):
        found.append("the photo shows no arms")
    if lacks(_LEGS):
        found.append("the photo shows no legs")
    elif lacks(_FEET):
        found.append("the photo shows no feet")
    for pose, where in ((source, "on the photo"), (target, "in the pose")):
        down = pose.points[_HIPS].mean(axis=0) - pose.points[_SHOULDERS].mean(axis=0)
        if down[1] < _LEANING * np.hypot(*down):
            found.append(f"the body is not upright {where}")
    return tuple(found)
