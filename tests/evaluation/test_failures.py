"""Failure cases: each cause on a pose made for it, and the page."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluation_samples import FakeModel, darker

from pg2.data.prepared import PreparedDataset
from pg2.evaluation import failures
from pg2.evaluation.failures import CAUSES, causes, failures_page, rareness
from pg2.evaluation.pair_lists import all_test_pairs
from pg2.evaluation.protocol import evaluate
from pg2.pose.keypoints import KEYPOINTS, TORSO
from pg2.pose.named import named_pose

MODEL = FakeModel(darker)
FRONT, BACK = (named_pose(name).points for name in ("front", "back"))
LEGS = [index for index, name in enumerate(KEYPOINTS) if name.endswith(("knee", "ankle"))]
ARMS = [index for index, name in enumerate(KEYPOINTS) if name.endswith(("elbow", "wrist"))]


def without(points: np.ndarray, indices: list[int]) -> np.ndarray:
    changed = points.copy()
    changed[indices] = np.nan
    return changed


def raised() -> np.ndarray:
    changed = FRONT.copy()
    changed[ARMS, 1] -= 40
    return changed


@pytest.mark.parametrize(
    ("source", "target", "cause"),
    [
        (FRONT, FRONT, "appearance"),
        (FRONT, without(FRONT, LEGS), "cropped"),
        (FRONT, without(FRONT, ARMS), "missing keypoints"),
        (without(FRONT, LEGS), FRONT, "hidden in the source"),
        (FRONT, FRONT * 1.6, "another size"),
        (FRONT, BACK, "turned round"),
        (FRONT, raised(), "rare pose"),
    ],
)
def test_causes(source: np.ndarray, target: np.ndarray, cause: str) -> None:
    # Twenty ordinary pairs beside it, so that one in ten is rare.
    sources = np.stack([source, *[FRONT] * 20])
    targets = np.stack([target, *[FRONT] * 20])
    known = np.stack([FRONT, BACK, FRONT + 5])
    assert causes(sources, targets, known) == [cause, *["appearance"] * 20]


def test_a_pose_is_as_rare_wherever_and_however_large_it_is() -> None:
    poses = np.stack([FRONT, FRONT * 2 + 7, raised(), raised() * 0.5 - 3])
    found = rareness(poses, FRONT[None])
    assert found[:2] == pytest.approx([0, 0], abs=1e-5)
    assert found[2] == pytest.approx(found[3], rel=1e-4)
    assert found[2] > 0.1
    assert np.isnan(rareness(poses, np.empty((0, 18, 2), np.float32))).all()


def test_the_nearest_of_many_is_what_a_look_at_each_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    """In several blocks of both, with keypoints missing here and there, and targets that pairs share."""
    monkeypatch.setattr(failures, "_BLOCK", (7, 11))
    generator = np.random.default_rng(3)
    points, known = (generator.normal(FRONT, 4, (count, 18, 2)).astype(np.float32) for count in (40, 50))
    for poses in (points, known):
        poses[generator.random(poses.shape[:2]) < 0.2] = np.nan
    known[:, TORSO] = generator.normal(FRONT[TORSO], 4, (50, len(TORSO), 2))
    points = points[generator.integers(0, 40, 100)]

    def normal(pose: np.ndarray) -> np.ndarray:
        hips, shoulders = ((pose[number] + pose[number + 3]) / 2 for number in (8, 2))
        return (pose - hips) / np.hypot(*(shoulders - hips))

    expected = [
        min(np.nanmean(np.hypot(*(normal(one) - normal(pose)).T)) for pose in known)
        if not np.isnan(one[TORSO]).any()
        else np.nan
        for one in points
    ]
    assert 20 < np.isnan(expected).sum() < 80
    assert rareness(points, known) == pytest.approx(expected, rel=1e-5, nan_ok=True)


def test_a_target_that_pairs_share_is_compared_once(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = []
    nearest = failures._nearest
    monkeypatch.setattr(
        failures, "_nearest", lambda some, others: compared.append(len(some)) or nearest(some, others)
    )
    found = rareness(np.stack([FRONT, raised(), FRONT, BACK, raised()] * 1000), FRONT[None])
    assert compared == [3]
    assert (found[:5] == found[-5:]).all()
    assert found[1] == found[4] > found[0] == found[2]


def test_a_pose_without_hips_is_neither_rare_nor_the_most_ordinary() -> None:
    """It is left out of the quantile, which it would lower."""
    hipless = without(raised(), [KEYPOINTS.index("right_hip"), KEYPOINTS.index("left_hip")])
    known = np.stack([FRONT, BACK])
    assert np.isnan(rareness(hipless[None], known)).all()
    # Of the ten poses with hips one is rarer than nine tenths; of all twenty two would be.
    moved = []
    for number in range(10):
        moved.append(FRONT.copy())
        moved[-1][ARMS, 1] -= number
    found = causes(np.stack([FRONT] * 20), np.stack([*moved, *[hipless] * 10]), known)
    assert found == ["appearance"] * 9 + ["rare pose"] + ["appearance"] * 10
    assert causes(FRONT[None], hipless[None], known) == ["appearance"], "nothing to take a quantile of"


def test_without_training_poses_none_is_rare() -> None:
    assert causes(FRONT[None], raised()[None], np.empty((0, 18, 2), np.float32)) == ["appearance"]


def test_the_page(tiny: PreparedDataset) -> None:
    evaluation = evaluate(MODEL, tiny, all_test_pairs(tiny), progress=False)
    text = failures_page(evaluation, MODEL, tiny, "a <model>")
    assert "Failure cases of a &lt;model&gt;" in text
    assert sum(words in text for words in CAUSES.values()) >= 1
    assert text.count("<img ") == 4, "one worst pair of twelve: source, pose, target, stage I"
    worst = int(evaluation.rows["stage I (coarse)"]["mask_ssim"].argmin())
    assert " → ".join(evaluation.pairs[worst]) in text


def test_a_pair_without_a_mask_is_not_ranked(tiny: PreparedDataset) -> None:
    """It is neither the best nor the worst, and the others are still ranked by mask-SSIM."""
    evaluation = evaluate(MODEL, tiny, all_test_pairs(tiny), progress=False)
    row = dict(evaluation.rows["stage I (coarse)"])
    scores = row["mask_ssim"] = row["mask_ssim"].clone()
    evaluation = replace(evaluation, rows={**evaluation.rows, "stage I (coarse)": row})
    worst, second = scores.argsort()[:2].tolist()
    scores[worst] = torch.nan
    text = failures_page(evaluation, MODEL, tiny, "model")
    assert " → ".join(evaluation.pairs[second]) in text
    assert " → ".join(evaluation.pairs[worst]) not in text
    assert "of 11 pairs with the lowest mask-SSIM" in text
    scores.fill_(torch.nan)
    assert "of 12 pairs with the lowest SSIM" in failures_page(evaluation, MODEL, tiny, "model")
