"""Computing all scores at once, batch after batch: each picture is looked at once by each instrument."""

import time
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2 import metrics
from pg2.evaluation.bodies import body_scores
from pg2.evaluation.classifier import feature_distance
from pg2.evaluation.distributions import (
    SPLITS,
    frechet_distance,
    gaussian,
    inception_score,
    kernel_distance,
)
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.interval import Estimate
from pg2.evaluation.judges import Judge, Look
from pg2.evaluation.pair_lists import Pair, spread
from pg2.evaluation.remembered import Remembered
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


class _Watched:
    """A judge, and what it saw: of each row, and in each real picture, which it looks at once.

    Attributes:
        judge: the judge.
        rows: row name -> what it saw there.
    """

    def __init__(self, judge: Judge, count: int) -> None:
        self.judge = judge
        self.rows: defaultdict[str, _Seen] = defaultdict(lambda: _Seen(count))
        self._looks = Remembered(lambda pictures: _flat(judge.look(pictures)), 2 * count)
        self._masked = Remembered(
            lambda pictures, masks: [judge.look(pictures * masks).probabilities], 2 * count
        )

    def look(self, pictures: Tensor, names: Sequence[str] | None) -> Look:
        """What it sees in pictures [B, 3, H, W]; those with names may come again."""
        if names is None:
            return self.judge.look(pictures)
        probabilities, pooled, *layers = self._looks(names, pictures)
        return Look(probabilities, pooled, layers or None)

    def keep_masked(
        self, row: str, pictures: Tensor, masks: Tensor | None, names: Sequence[str] | None = None
    ) -> None:
        """Look at the pictures of a row within their masks, where these show anything.

        Args:
            row: of the table.
            pictures, masks: [B, 3, H, W] and [B, 1, H, W]; None: there are none.
            names: of each picture with its mask, where they may come again.
        """
        there = None if masks is None else _shows(masks)
        if masks is None or there is None or not bool(there.any()):
            return
        pictures, masks = pictures[there], masks[there]
        if names is None:
            found = self.judge.look(pictures * masks).probabilities
        else:
            shown = [name for name, shows in zip(names, there.tolist(), strict=True) if shows]
            (found,) = self._masked(shown, pictures, masks)
        self.rows[row].masked.add(found)


def _flat(look: Look) -> list[Tensor]:
    return [look.probabilities, look.pooled, *(look.layers or [])]


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
    _known: set[str] = field(default_factory=set, init=False)
    _at: int = field(default=0, init=False)
    _unmasked: int = field(default=0, init=False)
    _began: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        self._sharpness = _Column(self.count)
        self._judged = np.zeros(self.count, dtype=bool)
        self._judged[spread(self.count, self.instruments.bodies)] = True
        self._watched = [_Watched(judge, self.count) for judge in self.instruments.judges]
        lpips = self.instruments.lpips
        self._learned = None if lpips is None else Remembered(lpips.look, 2 * self.count)

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
        real: Mapping[str, Sequence[str]] | None = None,
        masked_names: Sequence[str] | None = None,
    ) -> None:
        """Score the next batch.

        Args:
            results: row name -> pictures, uint8 [B, 3, H, W]; the same rows in every batch.
            target: the real pictures, uint8 [B, 3, H, W].
            names: of the targets, [B]. One that comes again must be the same picture: it is not looked at
                again, and distances to the real pictures count it once.
            target_mask, source_mask: uint8 [B, 1, H, W] in {0, 1}, for the masked scores; an empty one
                leaves its pair out of them.
            keypoints: target poses, float [B, 18, 2], for PCKh.
            regions: score name -> bool [B, 1, H, W], where L1 is taken alone for a score of that name.
            real: names of the pictures, as `names`, of the rows that show real ones: those come again, too.
            masked_names: of the targets with their masks, [B]; None: a target always has the same mask.
        """
        which = self._judged[self._at : self._at + len(target)]
        self._at += len(target)
        if target_mask is not None:
            self._unmasked += int((~_shows(target_mask)).sum())
        looks = [watched.look(target, names) for watched in self._watched]
        learned = None if self._learned is None else self._learned(names, target)
        self._keep_targets(target, names, target_mask, masked_names or names, looks)
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
            known = (real or {}).get(row)
            lpips = self.instruments.lpips
            if lpips is not None and self._learned is not None and learned is not None:
                seen = lpips.look(picture) if known is None else self._learned(known, picture)
                scores["lpips"] = lpips.distance(seen, learned)
            for look in self._keep_looks(row, picture, known, target_mask, looks):
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

    def _keep_targets(
        self,
        target: Tensor,
        names: Sequence[str],
        mask: Tensor | None,
        masked_names: Sequence[str],
        looks: Sequence[Look],
    ) -> None:
        new = [index for index, name in enumerate(names) if names.index(name) == index]
        new = [index for index in new if names[index] not in self._known]
        self._known.update(names)
        for watched, look in zip(self._watched, looks, strict=True):
            # As many as each row has: Inception Score grows with the number of pictures.
            watched.rows[REAL].probabilities.add(look.probabilities)
            watched.rows[REAL].pooled.add(look.pooled[new])
            watched.keep_masked(REAL, target, mask, masked_names)

    def _keep_looks(
        self,
        row: str,
        picture: Tensor,
        names: Sequence[str] | None,
        mask: Tensor | None,
        looks: Sequence[Look],
    ) -> Iterable[dict[str, Tensor]]:
        for watched, real in zip(self._watched, looks, strict=True):
            look = watched.look(picture, names)
            watched.rows[row].probabilities.add(look.probabilities)
            watched.rows[row].pooled.add(look.pooled)
            watched.keep_masked(row, picture, mask)
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
        for number, watched in enumerate(self._watched):
            training = self.training[number] if self.training else None
            for row, scores in _sets(watched, rows, training).items():
                sets[row] |= scores
            about |= {
                score: meaning
                for score, meaning in set_scores(watched.judge).items()
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


def _sets(watched: _Watched, rows: Iterable[str], training: Tensor | None) -> dict[str, dict[str, Estimate]]:
    """The scores of each row as a set, by one judge."""
    key = watched.judge.key
    real = watched.rows[REAL].pooled.values
    # What a distance needs of a set of thousands takes a second: once for all rows that are compared with it.
    others = {"test": real} | ({} if training is None else {"train": training})
    others = {against: other for against, other in others.items() if len(other) > 1}
    fitted = {against: gaussian(other) for against, other in others.items()}
    sets: dict[str, dict[str, Estimate]] = {}
    for row in rows:
        seen, found = watched.rows[row], sets.setdefault(row, {})
        for score, column in ((f"{key}is", seen.probabilities), (f"{key}mask_is", seen.masked)):
            if len(column.values) >= SPLITS:
                found[score] = inception_score(column.values)
        pooled = seen.pooled.values
        if not fitted or len(pooled) < 2:
            continue
        own = fitted["test"] if row == REAL else gaussian(pooled)
        for against, other in others.items():
            if (row, against) != (REAL, "test"):
                found[f"{key}fid_{against}"] = Estimate(frechet_distance(own, fitted[against]), float("nan"))
                found[f"{key}kid_{against}"] = kernel_distance(pooled, other)
    return sets
