"""All scores of a batch of pairs: each picture is looked at once by each instrument."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2 import metrics
from pg2.evaluation.bodies import body_scores
from pg2.evaluation.classifier import feature_distance
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.judges import Judge, Look
from pg2.evaluation.remembered import Remembered
from pg2.evaluation.scores import REAL


class Seen(NamedTuple):
    """What a judge saw in the pictures of one row.

    Attributes:
        probabilities: float [B, classes].
        pooled: float [B, D].
        masked: as `probabilities`, of the pictures within their masks, those alone whose mask shows anything;
            None: there is none.
    """

    probabilities: Tensor
    pooled: Tensor
    masked: Tensor | None


@dataclass
class Measured:
    """All that was measured of a batch.

    Attributes:
        names: of the targets, [B].
        rows: row name -> score name -> float [B], on the CPU.
        seen: for each judge: row name -> what it saw there.
        sharpness: of the targets, float [B], in grey levels a pixel, on the CPU.
        unmasked: targets whose mask is empty.
    """

    names: Sequence[str]
    rows: dict[str, dict[str, Tensor]]
    seen: list[dict[str, Seen]]
    sharpness: Tensor
    unmasked: int


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


class _Watcher:
    """A judge who looks at each real picture once."""

    def __init__(self, judge: Judge, count: int) -> None:
        self._judge = judge
        self._looks = Remembered(lambda pictures: _flat(judge.look(pictures)), 2 * count)
        self._masked = Remembered(
            lambda pictures, masks: [judge.look(pictures * masks).probabilities], 2 * count
        )

    def look(self, pictures: Tensor, names: Sequence[str] | None) -> Look:
        """What it sees in pictures [B, 3, H, W]; those with names may come again."""
        if names is None:
            return self._judge.look(pictures)
        probabilities, pooled, *layers = self._looks(names, pictures)
        return Look(probabilities, pooled, layers or None)

    def masked(
        self, pictures: Tensor, masks: Tensor | None, names: Sequence[str] | None = None
    ) -> Tensor | None:
        """What it sees in pictures within their masks, where these show anything; None: nowhere.

        Args:
            pictures, masks: [B, 3, H, W] and [B, 1, H, W]; None: there are none.
            names: of each picture with its mask, where they may come again.
        """
        if masks is None or not bool((there := _shows(masks)).any()):
            return None
        pictures, masks = pictures[there], masks[there]
        if names is None:
            return self._judge.look(pictures * masks).probabilities
        shown = [name for name, shows in zip(names, there.tolist(), strict=True) if shows]
        (found,) = self._masked(shown, pictures, masks)
        return found


def _flat(look: Look) -> list[Tensor]:
    return [look.probabilities, look.pooled, *(look.layers or [])]


class Measuring:
    """Measures batch after batch with the same instruments, in any order.

    Pictures and masks lie on the instruments' device, and what a judge sees stays there; the numbers of pairs
    are brought to the CPU.
    """

    def __init__(self, instruments: Instruments, count: int) -> None:
        """`count`: pairs that will come, at most."""
        self._instruments = instruments
        self._watchers = [_Watcher(judge, count) for judge in instruments.judges]
        lpips = instruments.lpips
        self._learned = None if lpips is None else Remembered(lpips.look, 2 * count)

    def batch(
        self,
        results: Mapping[str, Tensor],
        target: Tensor,
        names: Sequence[str],
        *,
        which: npt.NDArray[np.bool_],
        target_mask: Tensor | None = None,
        source_mask: Tensor | None = None,
        keypoints: Tensor | None = None,
        regions: Mapping[str, Tensor] | None = None,
        real: Mapping[str, Sequence[str]] | None = None,
        masked_names: Sequence[str] | None = None,
    ) -> Measured:
        """Measure a batch.

        Args:
            results: row name -> pictures, uint8 [B, 3, H, W]; the same rows in every batch.
            target: the real pictures, uint8 [B, 3, H, W].
            names: of the targets, [B]. One that comes again must be the same picture: it is not looked at
                again, and distances to the real pictures count it once.
            which: those that the pose estimator looks at, [B].
            target_mask, source_mask: uint8 [B, 1, H, W] in {0, 1}, for the masked scores; an empty one
                leaves its pair out of them.
            keypoints: target poses, float [B, 18, 2], for PCKh.
            regions: score name -> bool [B, 1, H, W], where L1 is taken alone for a score of that name.
            real: names of the pictures, as `names`, of the rows that show real ones: those come again, too.
            masked_names: of the targets with their masks, [B]; None: a target always has the same mask.
        """
        seen: list[dict[str, Seen]] = []
        looks = [watcher.look(target, names) for watcher in self._watchers]
        for watcher, look in zip(self._watchers, looks, strict=True):
            # As many as each row has: Inception Score grows with the number of pictures.
            masked = watcher.masked(target, target_mask, masked_names or names)
            seen.append({REAL: Seen(look.probabilities, look.pooled, masked)})
        learned = None if self._learned is None else self._learned(names, target)
        rows = {REAL: self._bodies(target, keypoints, which)}
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
            lpips = self._instruments.lpips
            if lpips is not None and self._learned is not None and learned is not None:
                features = lpips.look(picture) if known is None else self._learned(known, picture)
                scores["lpips"] = lpips.distance(features, learned)
            for watcher, look, found in zip(self._watchers, looks, seen, strict=True):
                own = watcher.look(picture, known)
                masked = watcher.masked(picture, target_mask)
                found[row] = Seen(own.probabilities, own.pooled, masked)
                if own.layers is not None and look.layers is not None:
                    scores["feature_distance"] = feature_distance(own.layers, look.layers)
            rows[row] = {score: values.cpu() for score, values in scores.items()}
            rows[row] |= self._bodies(picture, keypoints, which)
        unmasked = 0 if target_mask is None else int((~_shows(target_mask)).sum())
        return Measured(names, rows, seen, metrics.sharpness(target).cpu(), unmasked)

    def _bodies(
        self, picture: Tensor, keypoints: Tensor | None, which: npt.NDArray[np.bool_]
    ) -> dict[str, Tensor]:
        if self._instruments.estimator is None or not self._instruments.bodies:
            return {}
        return body_scores(self._instruments.estimator, picture, keypoints, which)
