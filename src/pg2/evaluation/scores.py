"""Every score by name: what it is called, how it is computed, and the tally that computes them at once."""

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2 import metrics
from pg2.evaluation.bodies import body_scores
from pg2.evaluation.classifier import NAME, feature_distance
from pg2.evaluation.distributions import SPLITS, frechet_distance, inception_score, kernel_distance
from pg2.evaluation.interval import Estimate, mean_of
from pg2.evaluation.judges import Judge, Look
from pg2.evaluation.lpips import Lpips
from pg2.evaluation.pairs import Pair, spread
from pg2.pose.estimator import PoseEstimator

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
class Instruments:
    """What is measured with, beside plain arithmetic.

    Attributes:
        judges: classifiers for scores of sets; the first with layers gives the feature distance, too.
        lpips: for LPIPS.
        estimator: for PCKh and the certainty of a person.
        bodies: how many pairs, evenly spread, the estimator looks at; it is the slowest of all.
        device: where the judges and LPIPS are, and where all scores are computed; the estimator alone runs on
            the CPU.
    """

    judges: Sequence[Judge] = ()
    lpips: Lpips | None = None
    estimator: PoseEstimator | None = None
    bodies: int = 250
    device: torch.device | str = "cpu"

    @property
    def names(self) -> list[str]:
        """What they are, in words: scores taken with others do not compare."""
        found = [judge.words for judge in self.judges]
        if self.lpips is not None:
            found.append("LPIPS")
        if self.estimator is not None:
            found.append(f"pose estimator on {self.bodies:,} pairs")
        return found


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


class _Column:
    """Values that come batch after batch, in one piece of memory from the start.

    Many small pieces among the large passing ones of a network would keep the heap from shrinking: gigabytes
    after some thousand pictures.
    """

    def __init__(self, count: int) -> None:
        self._count, self._at = count, 0
        self._values: Tensor | None = None

    def add(self, values: Tensor) -> None:
        """Put the next [B, ...] behind those that are there."""
        if self._values is None:
            self._values = values.new_empty((self._count, *values.shape[1:]))
        self._values[self._at : self._at + len(values)] = values
        self._at += len(values)

    @property
    def values(self) -> Tensor:
        """All that came, [n, ...]."""
        return torch.empty(0, 1) if self._values is None else self._values[: self._at]


class _Seen:
    """What one judge saw of one row, picture after picture."""

    def __init__(self, count: int) -> None:
        self.probabilities, self.masked, self.pooled = (_Column(count) for _ in range(3))


def _shows(mask: Tensor) -> Tensor:
    """Which masks [B, 1, H, W] show anything, bool [B]."""
    return (mask != 0).flatten(1).any(1)


def _masked_ssim(picture: Tensor, target: Tensor, mask: Tensor) -> Tensor:
    """`metrics.mask_ssim`; NaN where the mask is empty, and two black frames would score a perfect 1."""
    scores = metrics.mask_ssim(picture, target, mask)
    return scores.masked_fill(~_shows(mask).to(scores.device), torch.nan)


def _keep_masked(seen: _Seen, judge: Judge, picture: Tensor, mask: Tensor | None) -> None:
    if mask is not None and bool(_shows(mask).any()):
        there = _shows(mask)
        seen.masked.add(judge.look(picture[there] * mask[there]).probabilities)


@dataclass
class Tally:
    """Collects the scores of batch after batch: each picture is looked at once by each instrument.

    Pictures and masks lie on the instruments' device, and what a judge sees stays there; the numbers of pairs
    are brought to the CPU.

    Attributes:
        instruments: what is measured with.
        count: pairs that will come.
        training: for each judge the pooled features of the training pictures, [M, D], or None.
    """

    instruments: Instruments
    count: int
    training: Sequence[Tensor | None] = ()
    _rows: dict[str, dict[str, _Column]] = field(default_factory=dict, init=False)
    _seen: dict[str, list[_Seen]] = field(default_factory=dict, init=False)
    _known: set[str] = field(default_factory=set, init=False)
    _at: int = field(default=0, init=False)
    _unmasked: int = field(default=0, init=False)
    _began: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        self._sharpness = _Column(self.count)
        self._judged = np.zeros(self.count, dtype=bool)
        self._judged[spread(self.count, self.instruments.bodies)] = True

    def add(
        self,
        results: Mapping[str, Tensor],
        target: Tensor,
        names: Sequence[str],
        *,
        target_mask: Tensor | None = None,
        source_mask: Tensor | None = None,
        keypoints: Tensor | None = None,
    ) -> None:
        """Score the next batch.

        Args:
            results: row name -> pictures, uint8 [B, 3, H, W]; the same rows in every batch.
            target: the real pictures, uint8 [B, 3, H, W].
            names: of the targets, [B]; distances to the real pictures count one that comes again once.
            target_mask, source_mask: uint8 [B, 1, H, W] in {0, 1}, for the masked scores; an empty one
                leaves its pair out of them.
            keypoints: target poses, float [B, 18, 2], for PCKh.
        """
        which = self._judged[self._at : self._at + len(target)]
        self._at += len(target)
        if target_mask is not None:
            self._unmasked += int((~_shows(target_mask)).sum())
        looks = [judge.look(target) for judge in self.instruments.judges]
        learned = None if self.instruments.lpips is None else self.instruments.lpips.look(target)
        self._keep_targets(target, names, target_mask, looks)
        self._keep_bodies(REAL, target, keypoints, which)
        for row, picture in results.items():
            scores = {
                "ssim": metrics.ssim(picture, target),
                "ssim_gaussian": metrics.ssim_gaussian(picture, target),
                "psnr": metrics.psnr(picture, target),
                "l1": metrics.l1(picture, target),
                "sharpness": metrics.sharpness(picture),
            }
            if target_mask is not None:
                scores["mask_ssim"] = _masked_ssim(picture, target, target_mask)
            if source_mask is not None:
                scores["mask_ssim_source"] = _masked_ssim(picture, target, source_mask)
            if self.instruments.lpips is not None and learned is not None:
                scores["lpips"] = self.instruments.lpips.distance(
                    self.instruments.lpips.look(picture), learned
                )
            for look in self._keep_looks(row, picture, target_mask, looks):
                scores |= look
            self._keep(row, scores)
            self._keep_bodies(row, picture, keypoints, which)
        self._sharpness.add(metrics.sharpness(target).cpu())

    def _keep(self, row: str, scores: Mapping[str, Tensor]) -> None:
        columns = self._rows.setdefault(row, {})
        for score, values in scores.items():
            columns.setdefault(score, _Column(self.count)).add(values.cpu())

    def _keep_bodies(
        self,
        row: str,
        picture: Tensor,
        keypoints: Tensor | None,
        which: npt.NDArray[np.bool_],
    ) -> None:
        if self.instruments.estimator is not None and self.instruments.bodies:
            self._keep(row, body_scores(self.instruments.estimator, picture, keypoints, which))

    def _of(self, row: str) -> list[_Seen]:
        return self._seen.setdefault(row, [_Seen(self.count) for _ in self.instruments.judges])

    def _keep_targets(
        self, target: Tensor, names: Sequence[str], mask: Tensor | None, looks: Sequence[Look]
    ) -> None:
        new = [index for index, name in enumerate(names) if names.index(name) == index]
        new = [index for index in new if names[index] not in self._known]
        self._known.update(names)
        for judge, seen, look in zip(self.instruments.judges, self._of(REAL), looks, strict=True):
            # As many as each row has: Inception Score grows with the number of pictures.
            seen.probabilities.add(look.probabilities)
            seen.pooled.add(look.pooled[new])
            _keep_masked(seen, judge, target, mask)

    def _keep_looks(
        self, row: str, picture: Tensor, mask: Tensor | None, looks: Sequence[Look]
    ) -> Iterable[dict[str, Tensor]]:
        for judge, seen, real in zip(self.instruments.judges, self._of(row), looks, strict=True):
            look = judge.look(picture)
            seen.probabilities.add(look.probabilities)
            seen.pooled.add(look.pooled)
            _keep_masked(seen, judge, picture, mask)
            if look.layers is not None and real.layers is not None:
                yield {"feature_distance": feature_distance(look.layers, real.layers)}

    def evaluation(self, pairs: Sequence[Pair], people: Tensor | None = None) -> Evaluation:
        """What was found, after the last batch. See `Evaluation` for the arguments."""
        rows = {
            row: {score: column.values for score, column in scores.items()}
            for row, scores in self._rows.items()
        }
        rows.setdefault(REAL, {})
        rows[REAL] = rows.pop(REAL)  # the last row of a table
        about = {
            score: meaning
            for score, meaning in PAIR_SCORES.items()
            if any(score in found for found in rows.values())
        }
        sets: dict[str, dict[str, Estimate]] = {row: {} for row in rows}
        for number, judge in enumerate(self.instruments.judges):
            for row in rows:
                sets[row] |= self._set(number, judge, row)
            about |= {
                score: meaning
                for score, meaning in set_scores(judge).items()
                if any(score in found for found in sets.values())
            }
        if not (rows[REAL] or sets[REAL]):
            del rows[REAL]
        notes = []
        if self.instruments.judges and self._at < SPLITS:
            notes.append(f"{self._at} pictures are fewer than the {SPLITS} splits of IS, which is left out")
        if self._unmasked:
            notes.append(
                f"{self._unmasked:,} of {self._at:,} targets have an empty pose mask (no pose was found or "
                "given): their pairs are left out of the masked scores"
            )
        for note in notes:
            warnings.warn(note, stacklevel=2)
        seconds = time.monotonic() - self._began
        return Evaluation(
            pairs, people, rows, sets, about, self._sharpness.values, self.instruments.names, notes, seconds
        )

    def _set(self, number: int, judge: Judge, row: str) -> dict[str, Estimate]:
        seen, real = self._seen[row][number], self._seen[REAL][number].pooled.values
        found: dict[str, Estimate] = {}
        for score, column in ((f"{judge.key}is", seen.probabilities), (f"{judge.key}mask_is", seen.masked)):
            if len(column.values) >= SPLITS:
                found[score] = inception_score(column.values)
        pooled = seen.pooled.values
        training = self.training[number] if self.training else None
        for against, other in (("test", None if row == REAL else real), ("train", training)):
            if other is not None and min(len(other), len(pooled)) > 1:
                found[f"{judge.key}fid_{against}"] = Estimate(frechet_distance(pooled, other), float("nan"))
                found[f"{judge.key}kid_{against}"] = kernel_distance(pooled, other)
        return found
