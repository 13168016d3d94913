"""Computing all scores at once, batch after batch: each picture is looked at once by each instrument."""

import time
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2 import metrics
from pg2.evaluation.bodies import body_scores
from pg2.evaluation.classifier import feature_distance
from pg2.evaluation.distributions import SPLITS, frechet_distance, inception_score, kernel_distance
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.interval import Estimate
from pg2.evaluation.judges import Judge, Look
from pg2.evaluation.pair_lists import Pair, spread
from pg2.evaluation.scores import PAIR_SCORES, REAL, Evaluation, set_scores


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


def _l1_within(picture: Tensor, target: Tensor, where: Tensor) -> Tensor:
    """Mean absolute error in grey levels over a region bool [B, 1, H, W]; NaN where it is empty. [B]"""
    error = (picture.float() - target.float()).abs().mean(1, keepdim=True) * where
    return metrics.exact(error.sum((1, 2, 3)) / where.sum((1, 2, 3)))


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
        regions: Mapping[str, Tensor] | None = None,
    ) -> None:
        """Score the next batch.

        Args:
            results: row name -> pictures, uint8 [B, 3, H, W]; the same rows in every batch.
            target: the real pictures, uint8 [B, 3, H, W].
            names: of the targets, [B]; distances to the real pictures count one that comes again once.
            target_mask, source_mask: uint8 [B, 1, H, W] in {0, 1}, for the masked scores; an empty one
                leaves its pair out of them.
            keypoints: target poses, float [B, 18, 2], for PCKh.
            regions: score name -> bool [B, 1, H, W], where L1 is taken alone for a score of that name.
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
            for region, where in (regions or {}).items():
                scores[region] = _l1_within(picture, target, where)
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
