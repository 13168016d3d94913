"""PCKh by hand, and the estimator on shipped people."""

import numpy as np
import torch

from pg2.evaluation.bodies import body_scores, pckh
from pg2.io.packaged import SAMPLES
from pg2.io.pictures import load_image
from pg2.pose.estimator import PoseEstimator
from pg2.pose.formats import read_keypoints_csv


def test_pckh_by_hand() -> None:
    wanted = np.full((18, 2), np.nan, dtype=np.float32)
    wanted[:4] = [[10, 10], [10, 20], [0, 20], [0, 40]]
    found = wanted.copy()
    assert pckh(found, wanted) == 1.0
    found[0] += [3, 4]  # five pixels off: just half of the ten from nose to neck
    found[2] += [5.1, 0]
    found[3] = np.nan
    assert pckh(found, wanted) == 0.5
    wanted[0] = np.nan
    assert np.isnan(pckh(found, wanted))


def test_the_estimator_finds_the_pose_of_shipped_people() -> None:
    table = read_keypoints_csv(SAMPLES / "keypoints.csv")
    names = [f"{person:05d}/00.jpg" for person in (0, 3, 9)]
    pictures = torch.stack(
        [torch.from_numpy(load_image(SAMPLES / name).copy()).permute(2, 0, 1) for name in names]
    )
    keypoints = torch.from_numpy(np.stack([table[name] for name in names]))
    estimator = PoseEstimator(threads=1)
    scores = body_scores(estimator, pictures, keypoints, np.array([True, True, False]))
    assert scores["person"][:2].min() > 0.4
    assert scores["person"][2].isnan()
    there = ~scores["pckh"].isnan()
    assert there[:2].any()
    assert scores["pckh"][there].min() > 0.6
    mirrored = body_scores(estimator, pictures.flip(3), keypoints, np.array([True, True, False]))
    assert mirrored["pckh"][there].max() < scores["pckh"][there].min(), "a mirrored person is another pose"
