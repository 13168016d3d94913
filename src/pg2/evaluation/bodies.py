"""Is the pose right, and is it a person? The pose estimator's opinion of generated pictures."""

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2.io.pixels import Image8
from pg2.pose.estimator import PoseEstimator
from pg2.pose.keypoints import KEYPOINTS, Points

_NOSE, _NECK = KEYPOINTS.index("nose"), KEYPOINTS.index("neck")

_HEAD = 0.5


def pckh(found: Points, wanted: Points) -> float:
    """PCKh: the share of the wanted keypoints that were found within half a head's size.

    COCO's keypoints do not span the head, so the distance from nose to neck stands for its size, as in
    earlier work on pose transfer; a keypoint that was not found counts as wrong. Targets that show no nose,
    such as backs, have no size of the head and are left out.

    Args:
        found: keypoints of the generated picture, float [18, 2], NaN where missing.
        wanted: the target pose in the same pixels, [18, 2], NaN where missing.

    Returns:
        0 to 1; NaN where the target has no nose or no neck.
    """
    head = float(np.linalg.norm(wanted[_NOSE] - wanted[_NECK]))
    there = ~np.isnan(wanted).any(axis=1)
    if not np.isfinite(head) or not there.any():
        return float("nan")
    # A comparison with NaN is False.
    distance = np.linalg.norm(found[there] - wanted[there], axis=1)
    return float((distance <= _HEAD * head).mean())


def body_scores(
    estimator: PoseEstimator, pictures: Tensor, keypoints: Tensor | None, which: npt.NDArray[np.bool_]
) -> dict[str, Tensor]:
    """PCKh and the estimator's certainty that it sees a person.

    Args:
        estimator: looks at each picture once, as a whole.
        pictures: uint8 [B, 3, H, W], on any device; only those that are looked at leave it.
        keypoints: target poses, float [B, 18, 2], (x, y) in pixels, NaN where missing; None: unknown.
        which: the pictures to look at, [B].

    Returns:
        "person" and, with `keypoints`, "pckh", float64 [B] in 0..1; NaN where not looked at, and PCKh where
        the target has no nose or neck.
    """
    names = ("person",) if keypoints is None else ("pckh", "person")
    scores = {name: torch.full((len(pictures),), torch.nan, dtype=torch.float64) for name in names}
    for index in np.flatnonzero(which).tolist():
        image: Image8 = np.ascontiguousarray(pictures[index].permute(1, 2, 0).cpu().numpy())
        points, certainty = estimator.look(image)
        if keypoints is not None:
            scores["pckh"][index] = pckh(points, keypoints[index].cpu().numpy())
        scores["person"][index] = certainty
    return scores
