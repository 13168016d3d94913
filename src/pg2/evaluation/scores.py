"""Every score by name: what it is called, how it is computed in words, and what was found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from torch import Tensor

from pg2.evaluation.distributions import SPLITS
from pg2.evaluation.interval import Estimate, mean_of
from pg2.evaluation.judges import Judge
from pg2.evaluation.pair_lists import Pair
from pg2.models.lite0 import NAME

COPY = "copy source"
"""The row that every table starts with: the source picture itself, scored as if it were the result."""

REAL = "real targets"
"""The row of the target pictures themselves, for scores that need no pair: what a perfect model would get."""


class Score(NamedTuple):
    """What a score is called in tables, how it is computed in words, and how it is printed."""

    heading: str
    words: str
    digits: int = 3
    lower: bool = False


PAIR_SCORES = {
    "ssim": Score(
        "SSIM",
        "the protocol of the paper: scikit-image's structural_similarity on 8-bit RGB, 7x7 uniform windows, "
        "sample covariance, data range 255, mean over the channels, whole frame with any borders it has",
    ),
    "ssim_gaussian": Score(
        "SSIM (Gaussian)",
        "the protocol of later papers: 11x11 Gaussian windows (sigma 1.5), population covariance, "
        "data range = maximum - minimum of the generated picture",
    ),
    "mask_ssim": Score(
        "mask-SSIM",
        "the paper's SSIM after both pictures are multiplied by the target's pose mask, mean over the whole "
        "frame with its black background; without a pose there is no mask, and none of it",
    ),
    "mask_ssim_source": Score(
        "mask-SSIM (source mask)",
        "the same with the source's pose mask, as the paper's released script has it",
    ),
    "psnr": Score("PSNR, dB", "peak signal-to-noise ratio in dB, mean over the pairs", 2),
    "l1": Score("L1", "mean absolute error in grey levels, 0 to 255", 2, True),
    "l1_visible": Score(
        "L1, visible",
        "the same over the pixels of the person that the source shows, as the renderer knows",
        2,
        True,
    ),
    "l1_invented": Score(
        "L1, invented",
        "over the other pixels of the person, which the source hides: they can only be invented",
        2,
        True,
    ),
    "lpips": Score("LPIPS", "AlexNet, version 0.1, pictures at their own size", 3, True),
    "feature_distance": Score(
        "feature distance",
        f"the formula of LPIPS on features of {NAME}, unweighted; not LPIPS",
        3,
        True,
    ),
    "pckh": Score(
        "PCKh",
        "share of the target's keypoints that pg2's pose estimator finds in the picture within half the "
        "distance from nose to neck; targets without a nose, such as backs, are left out",
    ),
    "person": Score(
        "person", "the pose estimator's certainty that it sees a person: its best eight keypoints' mean score"
    ),
    "sharpness": Score(
        "sharpness",
        "mean gradient of the luminance over all generated pictures divided by that over all target "
        "pictures: 1 is as sharp as a photograph",
    ),
}
"""Scores of a pair; a table shows their means."""


def set_scores(judge: Judge) -> dict[str, Score]:
    """Scores of a whole set of pictures by one judge, by name."""
    name, key = judge.name, judge.key
    return {
        f"{key}is": Score(
            f"{name}IS",
            f"Inception Score's formula, {SPLITS} splits in the order of the pairs, the target of every pair "
            f"for the real ones; {judge.words}",
        ),
        f"{key}mask_is": Score(f"{name}mask-IS", "the same of pictures multiplied by the target's pose mask"),
        f"{key}fid_test": Score(
            f"{name}FID, to test", "Fréchet distance to the real target pictures, each once", 2, True
        ),
        f"{key}kid_test": Score(
            f"{name}KID, to test", "kernel distance to them, 100 subsets of at most 1,000", 4, True
        ),
        f"{key}fid_train": Score(
            f"{name}FID, to training",
            "Fréchet distance to the training pictures: all usable ones of a data set, or those of a folder",
            2,
            True,
        ),
        f"{key}kid_train": Score(f"{name}KID, to training", "kernel distance to them", 4, True),
    }


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        pairs: (source, target) names.
        people: whom each pair shows, int64 [n], as the pairs of one person are not independent; None:
            unknown, and all pairs are taken as independent.
        rows: row name -> score name -> float64 [n], a value a pair, NaN where not measured. "sharpness" is
            here in grey levels a pixel, not yet a ratio. The row of the real targets has only some.
        sets: row name -> score name -> the score of the row's pictures as a set.
        about: score name -> what it is, for all that were computed, in the order of a table.
        target_sharpness: float64 [n], the sharpness of the target pictures.
        instruments: what was measured with, in words.
        notes: what could not be measured, and why.
        seconds: how long it took, the model's work included.
    """

    pairs: Sequence[Pair]
    people: Tensor | None
    rows: Mapping[str, Mapping[str, Tensor]]
    sets: Mapping[str, Mapping[str, Estimate]]
    about: Mapping[str, Score]
    target_sharpness: Tensor
    instruments: Sequence[str]
    notes: Sequence[str]
    seconds: float

    def measured(self, score: str) -> int:
        """On how many of the pairs a score of pairs was taken; on all of them one of the whole set."""
        columns = [scores[score] for scores in self.rows.values() if score in scores]
        return int((~columns[-1].isnan()).sum()) if columns else len(self.pairs)

    def estimate(self, row: str, score: str) -> Estimate | None:
        """A score of a row; of "sharpness" the ratio to the targets; None where the row does not have it."""
        if score in self.sets.get(row, {}):
            return self.sets[row][score]
        values = self.rows[row].get(score)
        if values is None or bool(values.isnan().all()):
            return None
        if score != "sharpness":
            return mean_of(values, self.people)
        # A ratio of two means; its spread is that of its linearisation.
        scale = self.target_sharpness.mean().clamp_min(1e-9)
        ratio = float(values.mean() / scale)
        errors = (values - ratio * self.target_sharpness) / scale
        return Estimate(ratio, mean_of(errors, self.people).half_width)
