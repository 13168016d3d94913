"""Failure cases: the worst pairs of an evaluation, grouped by what makes them hard (paper, section 4)."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2.data.prepared import PreparedDataset
from pg2.evaluation.pair_lists import Pair, pair_indices
from pg2.evaluation.protocol import Model, pictures_of
from pg2.evaluation.report import ranking
from pg2.evaluation.scores import PAIR_SCORES, Evaluation
from pg2.io.pixels import Image8, to_images
from pg2.pose.facing import NARROW, shoulder_width
from pg2.pose.keypoints import KEYPOINTS, TORSO, Points
from pg2.pose.skeleton import draw_skeleton
from pg2.reports.html import page, paragraph, picture_table, table

_BODY = [KEYPOINTS.index(f"{side}_{part}") for side in ("right", "left") for part in
         ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")]  # fmt: skip
_LEGS = [KEYPOINTS.index(f"{side}_{part}") for side in ("right", "left") for part in ("knee", "ankle")]
_SHOULDERS = [KEYPOINTS.index("right_shoulder"), KEYPOINTS.index("left_shoulder")]
_HIPS = [KEYPOINTS.index("right_hip"), KEYPOINTS.index("left_hip")]

_FEW = 3  # keypoints of trunk and limbs, of 12, that may be missing
_SCALE = 1.4  # of the trunk between source and target, from which on it counts as another size
_RARE = 0.9  # quantile of the distance to the nearest training pose, from which on a pose is rare
_WORST = 0.1  # share of all pairs
_SHOWN = 6  # pictures of a cause
_BLOCK = (128, 512)  # poses and training poses that are compared at a time: what a processor's cache holds

CAUSES = {
    "cropped": "The target shows no legs: the picture ends above them, or something hides them.",
    "missing keypoints": f"More than {_FEW} of the target's 12 keypoints of trunk and limbs are missing.",
    "hidden in the source": "The target shows legs of which the source has nothing to say.",
    "another size": f"The trunk is over {_SCALE} times as long, or as short, in the target as in the source.",
    "turned round": "One of the two is seen from the front, the other from behind.",
    "rare pose": "The target's pose is farther from every training pose than nine tenths of the others are.",
    "appearance": "None of these: what went wrong has to do with clothes, face, light or background.",
}
"""What makes a pair hard; a pair counts for the first that applies."""


def trunk(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Length from the middle of the shoulders to that of the hips: [n, 18, 2] -> [n], NaN where missing."""
    difference = points[:, _SHOULDERS].mean(axis=1) - points[:, _HIPS].mean(axis=1)
    return np.asarray(np.linalg.norm(difference, axis=1), dtype=np.float32)


def _normal(points: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Poses about the middle of their hips, in lengths of their trunk."""
    middle = points[:, _HIPS].mean(axis=1, keepdims=True)
    normal = (points - middle) / np.maximum(trunk(points), 1.0)[:, None, None]
    return np.asarray(normal, dtype=np.float32)


def rareness(points: npt.NDArray[np.float32], known: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """How far a pose is from the nearest known one, whatever its place and size.

    Args:
        points: poses, [n, 18, 2], NaN where missing.
        known: the same of the training pictures, with complete torsos, [m, 18, 2].

    Returns:
        Mean distance over the keypoints that both have, in lengths of the trunk, [n]; NaN for a pose without
        shoulders or hips, and without `known`.
    """
    nearest = np.full(len(points), np.nan, dtype=np.float32)
    # Without a trunk a pose has neither middle nor size to be compared by.
    measured = np.flatnonzero(~np.isnan(trunk(points)))
    if not len(known) or not len(measured):
        return nearest
    # Many pairs share a target: each pose is compared once, told apart by its bytes.
    places: dict[bytes, int] = {}
    which = [places.setdefault(pose.tobytes(), len(places)) for pose in points[measured]]
    distinct = np.frombuffer(b"".join(places), dtype=points.dtype).reshape(-1, *points.shape[1:])
    ours, theirs = (torch.from_numpy(_normal(poses)) for poses in (distinct, known))
    found = [
        torch.stack([_nearest(some, others) for others in torch.split(theirs, _BLOCK[1])]).amin(dim=0)
        for some in torch.split(ours, _BLOCK[0])
    ]
    nearest[measured] = torch.cat(found).numpy()[which]
    return nearest


def _nearest(some: Tensor, others: Tensor) -> Tensor:
    """Each pose's mean distance to the nearest of some others, over what both have: -> [len(some)]."""
    lacking = [poses[..., 0].isnan() for poses in (some, others)]
    # A coordinate at a time, each in one piece, and in place: nothing larger than a block is ever made.
    columns = [poses.nan_to_num(0.0).permute(1, 2, 0).contiguous() for poses in (some, others)]
    total = torch.zeros(len(some), len(others))
    x, y = torch.empty_like(total), torch.empty_like(total)
    for keypoint in range(some.shape[1]):
        for axis, found in enumerate((x, y)):
            torch.sub(columns[0][keypoint, axis, :, None], columns[1][keypoint, axis], out=found)
        x.mul_(x).addcmul_(y, y).sqrt_()
        for side, missing in enumerate(lacking):
            x.index_fill_(side, missing[:, keypoint].nonzero()[:, 0], 0.0)
        total += x
    there = [(~missing).float() for missing in lacking]
    return (total / (there[0] @ there[1].T).clamp_min(1.0)).amin(dim=1)


def causes(source: Points, target: Points, known: Points) -> list[str]:
    """The first of `CAUSES` that applies to each pair.

    Args:
        source, target: keypoints [n, 18, 2], NaN where missing.
        known: keypoints of the training pictures, [m, 18, 2].
    """
    missing = np.isnan(target[..., 0])
    with np.errstate(invalid="ignore"):
        sizes = trunk(target) / np.maximum(trunk(source), 1e-6)
        widths = [shoulder_width(points) for points in (source, target)]
        wide = [np.abs(width) > NARROW for width in widths]
        rare = rareness(target, known)
        measured = rare[~np.isnan(rare)]
        limit = np.quantile(measured, _RARE) if len(measured) else np.inf
        tests = {
            "cropped": missing[:, _LEGS].all(axis=1),
            "missing keypoints": missing[:, _BODY].sum(axis=1) > _FEW,
            "hidden in the source": np.isnan(source[:, _LEGS, 0]).all(axis=1)
            & ~missing[:, _LEGS].all(axis=1),
            "another size": (sizes > _SCALE) | (sizes < 1 / _SCALE),
            "turned round": wide[0] & wide[1] & (np.sign(widths[0]) != np.sign(widths[1])),
            "rare pose": rare > limit,
        }
    found = np.full(len(target), "appearance", dtype=object)
    for cause, applies in reversed(tests.items()):
        found[applies] = cause
    return found.tolist()


def failures_page(evaluation: Evaluation, model: Model, data: PreparedDataset, name: str) -> str:
    """A page of the worst tenth of the pairs by mask-SSIM, by cause, with pictures.

    Args:
        evaluation: what `evaluate` gave.
        model: the same model, to draw the examples once more.
        data: the data set that was evaluated on.
        name: what it is called.

    Returns:
        One HTML document.
    """
    score, values = ranking(evaluation)
    heading = PAIR_SCORES[score].heading
    judged = np.flatnonzero(~values.isnan().numpy()).tolist()
    scores, pairs = values.numpy()[judged], [evaluation.pairs[index] for index in judged]
    indices = np.array(pair_indices(data, pairs))
    known = data.keypoints[data.usable("train")]
    complete = known[~np.isnan(known[:, TORSO]).any(axis=(1, 2))]
    found = np.array(
        causes(data.keypoints[indices[:, 0]], data.keypoints[indices[:, 1]], complete), dtype=object
    )
    order = np.argsort(scores, kind="stable")
    worst = np.zeros(len(scores), dtype=bool)
    worst[order[: max(round(_WORST * len(scores)), 1)]] = True
    rows, sections = [], []
    for cause, words in CAUSES.items():
        here = found == cause
        if not here.any():
            continue
        among = int((here & worst).sum())
        rows.append(
            [
                cause,
                f"{here.sum():,}",
                f"{here.mean():.0%}",
                f"{scores[here].mean():.3f}",
                f"{among:,}",
                f"{among / worst.sum():.0%}",
            ]
        )
        picked = [int(index) for index in order if here[index] and worst[index]][:_SHOWN]
        if picked:
            columns = _pictures(model, data, [pairs[index] for index in picked])
            labels = [f"{heading} {scores[index]:.3f}: {' → '.join(pairs[index])}" for index in picked]
            lines = [list(row) for row in zip(*columns.values(), strict=True)]
            sections += [f"<h2>{cause.capitalize()}</h2>", paragraph(words)]
            sections.append(picture_table(list(columns), lines, labels))
    headings = ["what makes it hard", "pairs", "of all", f"mean {heading}", "among the worst", "of the worst"]
    opening = paragraph(
        f"The tenth of {len(scores):,} pairs with the lowest {heading}, by what may have made them hard. A "
        "cause whose share of the worst is much above its share of all is one that this model fails at. "
        "Causes are read off the keypoints; a pair counts for the first that applies."
    )
    return page(f"Failure cases of {name}", "\n".join([opening, table(headings, rows), *sections]))


def _pictures(model: Model, data: PreparedDataset, pairs: Sequence[Pair]) -> Mapping[str, list[Image8]]:
    pictures = pictures_of(model, data, pairs)
    keypoints = torch.from_numpy(data.keypoints[[data.index_of(target) for _, target in pairs]])
    columns = {"source": pictures.pop("source"), "target pose": draw_skeleton(keypoints, data.frame)}
    columns["target"] = pictures.pop("target")
    return {label: to_images(images) for label, images in (columns | pictures).items()}
