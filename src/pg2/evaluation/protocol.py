"""Scoring a model on a list of pairs, beside what copying the source already scores."""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from pg2 import metrics
from pg2.data.pairs import Pairs
from pg2.data.prepared import PreparedDataset, tracked
from pg2.errors import Pg2Error
from pg2.evaluation.classifier import Classifier, feature_distance
from pg2.pose.render import pose_mask
from pg2.sheets import to_uint8

Generate = Callable[[Tensor, Tensor], Mapping[str, Tensor]]
"""Source image float [B, 3, H, W] in [-1, 1] and target keypoints float [B, 18, 2] -> the model's pictures.

Both arguments are on the CPU; the answer maps "coarse", and "refined" for a model of two stages, to
images of the source's shape on any device.
"""

COPY = "copy source"
"""The row that every table starts with: the source picture itself, scored as if it were the result."""

STAGES = {"coarse": "stage I (coarse)", "refined": "stage II (refined)"}
"""The row of each picture that a `Generate` answers with."""

PROTOCOLS = {
    "ssim": "the protocol of the paper: scikit-image's structural_similarity on 8-bit RGB, 7x7 uniform "
    "windows, sample covariance, data range 255, mean over the channels, whole frame with any borders it has",
    "ssim_gaussian": "the protocol of later papers: 11x11 Gaussian windows (sigma 1.5), population "
    "covariance, data range = maximum - minimum of the generated picture",
    "mask_ssim": "the paper's SSIM after both pictures are multiplied by the target's pose mask, mean over "
    "the whole frame with its black background",
    "mask_ssim_source": "the same with the source's pose mask, as the paper's released script has it",
    "psnr": "peak signal-to-noise ratio in dB, mean over the pairs",
    "l1": "mean absolute error in grey levels, 0 to 255",
    "feature_distance": "the formula of LPIPS on features of EfficientNet-Lite0, unweighted; not LPIPS",
    "sharpness": "mean gradient of the luminance over all generated pictures divided by that over all target "
    "pictures: 1 is as sharp as a photograph",
}
"""Every score and, in words, how it is computed. Higher is better, except for `LOWER_IS_BETTER`."""

LOWER_IS_BETTER = ("l1", "feature_distance")

_CACHE_BYTES = 1_000_000_000


class Estimate(NamedTuple):
    """A mean over pairs, and half the width of its 95 % confidence interval (NaN for a single pair)."""

    mean: float
    half_width: float


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
        pairs: (source, target) picture names.
        rows: row name -> score name -> float64 [n], a value a pair. "sharpness" is here in grey levels a
            pixel, not yet a ratio.
        target_sharpness: float64 [n], the same of the target pictures.
        seconds: how long it took, the model's work included.
    """

    pairs: Sequence[tuple[str, str]]
    rows: Mapping[str, Mapping[str, Tensor]]
    target_sharpness: Tensor
    seconds: float

    @property
    def scores(self) -> list[str]:
        """The names of the scores that were computed, in the order of `PROTOCOLS`."""
        return [score for score in PROTOCOLS if score in self.rows[COPY]]

    def estimate(self, row: str, score: str) -> Estimate:
        """Mean and confidence of one score of one row; of "sharpness" the ratio to the targets."""
        values = self.rows[row][score]
        if score != "sharpness":
            return _estimate(values)
        # A ratio of two means; its spread is that of its linearisation.
        scale = self.target_sharpness.mean().clamp_min(1e-9)
        ratio = float(values.mean() / scale)
        return Estimate(ratio, _estimate((values - ratio * self.target_sharpness) / scale).half_width)


def _estimate(values: Tensor) -> Estimate:
    spread = float(values.std()) if len(values) > 1 else float("nan")
    return Estimate(float(values.mean()), 1.96 * spread / len(values) ** 0.5)


def evaluate(
    generate: Generate,
    data: PreparedDataset,
    pairs: Sequence[tuple[str, str]],
    *,
    limit: int | None = None,
    batch: int = 16,
    classifier: Classifier | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score a model's pictures, and the copied source, against the targets of `pairs` (paper, section 4.2).

    Args:
        generate: the model.
        data: holds the pictures that the pairs name.
        pairs: (source, target) picture names.
        limit: score only the first so many pairs.
        batch: pairs at a time.
        classifier: for "feature_distance", which is left out without it.
        progress: show a progress bar when stderr is a terminal.

    Raises:
        Pg2Error: no pairs, pairs of pictures that `data` lacks, or a picture that is not finite.
    """
    began = time.monotonic()
    if limit is not None and limit < 1:
        raise Pg2Error(f"the limit on the number of pairs must be at least 1, not {limit}")
    pairs = list(pairs)[:limit]
    if not pairs:
        raise Pg2Error("there is no pair to evaluate")
    indices = pair_indices(data, pairs)
    height, width = data.frame

    @lru_cache(maxsize=max(_CACHE_BYTES // (height * width * 4), 1))
    def load(index: int) -> tuple[Tensor, Tensor]:
        mask = pose_mask(torch.from_numpy(data.keypoints[index : index + 1].copy()), data.frame)
        return _picture(data, index), mask[0].to(torch.uint8)

    rows: dict[str, dict[str, list[Tensor]]] = defaultdict(lambda: defaultdict(list))
    target_sharpness: list[Tensor] = []
    starts = range(0, len(indices), batch)
    with torch.inference_mode():
        for start in tracked(starts, "evaluating", progress):
            part = indices[start : start + batch]
            source, source_mask = (
                torch.stack(side) for side in zip(*(load(s) for s, _ in part), strict=True)
            )
            target, target_mask = (
                torch.stack(side) for side in zip(*(load(t) for _, t in part), strict=True)
            )
            results = {COPY: source}
            for name, images in _generated(generate, data, source, part).items():
                results[STAGES.get(name, name)] = to_uint8(images)
            looks = None if classifier is None else classifier.features(target)
            for row, picture in results.items():
                scores = {
                    "ssim": metrics.ssim(picture, target),
                    "ssim_gaussian": metrics.ssim_gaussian(picture, target),
                    "mask_ssim": metrics.mask_ssim(picture, target, target_mask),
                    "mask_ssim_source": metrics.mask_ssim(picture, target, source_mask),
                    "psnr": metrics.psnr(picture, target),
                    "l1": metrics.l1(picture, target),
                    "sharpness": metrics.sharpness(picture),
                }
                if classifier is not None and looks is not None:
                    scores["feature_distance"] = feature_distance(classifier.features(picture), looks)
                for score, values in scores.items():
                    rows[row][score].append(values)
            target_sharpness.append(metrics.sharpness(target))
    return Evaluation(
        pairs,
        {row: {score: torch.cat(parts) for score, parts in scores.items()} for row, scores in rows.items()},
        torch.cat(target_sharpness),
        time.monotonic() - began,
    )


def pictures_of(
    generate: Generate, data: PreparedDataset, pairs: Sequence[tuple[str, str]]
) -> dict[str, Tensor]:
    """The pictures of a few pairs, to be looked at, all in one batch.

    Returns:
        "source", "target" and each output of the model -> image float [n, 3, H, W], on the CPU; all
        about [-1, 1].

    Raises:
        Pg2Error: as `evaluate`.
    """
    indices = pair_indices(data, pairs)
    source, target = (
        torch.stack([_picture(data, index) for index in side]) for side in zip(*indices, strict=True)
    )
    with torch.inference_mode():
        return {
            "source": source / 127.5 - 1.0,
            "target": target / 127.5 - 1.0,
            **_generated(generate, data, source, indices),
        }


def all_test_pairs(data: PreparedDataset) -> list[tuple[str, str]]:
    """All ordered pairs of names of the test split: both pictures of one person, with complete torsos.

    Raises:
        Pg2Error: there is none.
    """
    usable = data.usable("test")
    pairs = Pairs([data.records[index].person for index in usable], usable)
    if not len(pairs):
        raise Pg2Error(
            f"{data.path} has no pairs in its test split; give --pairs, or prepare it with --test-share"
        )
    names = [record.name for record in data.records]
    return [(names[source], names[target]) for source, target in map(pairs.__getitem__, range(len(pairs)))]


def pair_indices(data: PreparedDataset, pairs: Sequence[tuple[str, str]]) -> list[tuple[int, int]]:
    """(source, target) indices in `data` of pairs of names.

    Raises:
        Pg2Error: `data` lacks a picture; the first one is named and all are counted.
    """
    index: dict[str, int] = {}
    lacking: dict[str, None] = {}
    for name in dict.fromkeys(name for pair in pairs for name in pair):
        try:
            index[name] = data.index_of(name)
        except Pg2Error:
            lacking[name] = None
    if lacking:
        hit = sum(1 for pair in pairs if not lacking.keys().isdisjoint(pair))
        raise Pg2Error(
            f"the data set lacks {len(lacking):,} of the {len(lacking) + len(index):,} pictures that the "
            f"pair list names ({hit:,} of {len(pairs):,} pairs), the first of them {next(iter(lacking))}; "
            "was it prepared from the same release, and is it the right list?"
        )
    return [(index[source], index[target]) for source, target in pairs]


def _picture(data: PreparedDataset, index: int) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(data.image(index).transpose(2, 0, 1)))


def _generated(
    generate: Generate, data: PreparedDataset, source: Tensor, indices: Sequence[tuple[int, int]]
) -> dict[str, Tensor]:
    keypoints = torch.from_numpy(data.keypoints[[target for _, target in indices]])
    results = {
        name: images.float().cpu() for name, images in generate(source / 127.5 - 1.0, keypoints).items()
    }
    for name, images in results.items():
        broken = ~images.isfinite().flatten(1).all(1)
        if broken.any():
            first = data.records[indices[int(broken.nonzero()[0])][0]].name
            raise Pg2Error(
                f"the model's {name} picture for the source {first} is not finite; the model is broken"
            )
    return results
