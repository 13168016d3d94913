"""Scoring a model on a list of pairs, beside what copying the source already scores."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from pg2.data.correspondence import Seen
from pg2.data.exact import ExactFlow
from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.pair_lists import Pair, pair_indices, people_of
from pg2.evaluation.scores import COPY, Evaluation
from pg2.evaluation.storing import storing
from pg2.evaluation.tally import Tally
from pg2.io.devices import tf32
from pg2.io.pixels import to_uint8, to_unit
from pg2.io.progress import tracked
from pg2.models.inputs import Inputs, Output, PictureInfo, shown
from pg2.pose.maps import pose_mask


class Model(Protocol):
    """What is scored: a `pg2.pipeline.Pipeline`, or anything else that answers the same."""

    @property
    def device(self) -> torch.device:
        """Where it runs."""

    @property
    def pictures(self) -> Mapping[str, PictureInfo]:
        """See `PG2.pictures`."""

    def run(self, inputs: Inputs) -> Output:
        """The model's pictures of inputs that may lie anywhere, float, on its device."""

    def results(self, output: Output) -> Mapping[str, Tensor]:
        """The pictures among them that are scored, "coarse" and "refined", image [B, 3, H, W] each."""


STAGES = {"coarse": "stage I (coarse)", "refined": "stage II (refined)"}
"""The row of the picture of each stage."""

_CACHE_BYTES = 1_000_000_000

_CELL = 2  # pixels, to which the renderer knows what the source shows


def evaluate(
    model: Model,
    data: PreparedDataset,
    pairs: Sequence[Pair],
    *,
    batch: int = 16,
    instruments: Instruments | None = None,
    training: Sequence[Tensor | None] = (),
    store: Path | None = None,
    progress: bool = True,
) -> Evaluation:
    """Score a model's pictures, and the copied source, against the targets of `pairs` (paper, section 4.2).

    Args:
        model: see `Model`.
        data: holds the pictures that the pairs name.
        pairs: (source, target) picture names.
        batch: pairs at a time.
        instruments: for scores that need networks, and where all scores are computed; None: no networks, and
            where the model runs. Scores without their network are left out.
        training: what `training_features` gave for the same instruments.
        store: a folder for the pictures, new or an earlier store, which is replaced. They are numbered as the
            pairs: source/, target/, their pose masks source_mask/ and target_mask/, a folder for the picture
            of each stage, and the target poses as keypoints.csv, for `pg2 score`.
        progress: show a progress bar when stderr is a terminal.

    Raises:
        Pg2Error: no pairs, pairs of pictures that `data` lacks, or a picture that is not finite.
    """
    if not pairs:
        raise Pg2Error("there is no pair to evaluate")
    indices = pair_indices(data, pairs)
    instruments = Instruments(device=model.device) if instruments is None else instruments
    device, (height, width) = instruments.device, data.frame

    @lru_cache(maxsize=max(_CACHE_BYTES // (height * width * 4), 1))
    def load(index: int) -> tuple[Tensor, Tensor]:
        keypoints = torch.from_numpy(data.keypoints[index : index + 1].copy()).to(device)
        return _picture(data, index).to(device), pose_mask(keypoints, data.frame)[0].to(torch.uint8)

    tally = Tally(instruments, len(pairs), training)
    alike = all(data.records[source].person == data.records[target].person for source, target in indices)
    flow = ExactFlow(data, _CELL) if data.has_geometry and alike else None
    poses = data.keypoints[[target for _, target in indices]]
    with torch.inference_mode(), tf32(False), storing(store, poses) as keep:
        for start in tracked(range(0, len(indices), batch), "evaluating", progress):
            part = indices[start : start + batch]
            source, source_mask = (
                torch.stack(side) for side in zip(*(load(s) for s, _ in part), strict=True)
            )
            target, target_mask = (
                torch.stack(side) for side in zip(*(load(t) for _, t in part), strict=True)
            )
            output = _generated(model, data, source, part)
            made = {name: to_uint8(images).to(device) for name, images in model.results(output).items()}
            tally.add(
                {COPY: source} | {STAGES.get(name, name): images for name, images in made.items()},
                target,
                [name for _, name in pairs[start : start + batch]],
                target_mask=target_mask,
                source_mask=source_mask,
                keypoints=torch.from_numpy(poses[start : start + batch]),
                regions=None if flow is None else _regions(flow, part, device),
                real={COPY: [name for name, _ in pairs[start : start + batch]]},
            )
            masks = {"source_mask": source_mask * 255, "target_mask": target_mask * 255}
            keep(start, {"source": source, "target": target} | masks | made)
        return tally.evaluation(pairs, people_of(data, pairs))


def training_features(
    data: PreparedDataset, instruments: Instruments, batch: int = 32, progress: bool = True
) -> list[Tensor | None]:
    """Pooled features of all usable training pictures for each judge, [M, D]; None where there are none."""
    indices = data.usable("train")
    if len(indices) < 2:
        return [None] * len(instruments.judges)
    found: list[list[Tensor]] = [[] for _ in instruments.judges]
    with tf32(False):
        for start in tracked(range(0, len(indices), batch), "training pictures", progress):
            images = torch.stack([_picture(data, index) for index in indices[start : start + batch]])
            images = images.to(instruments.device)
            for judge, parts in zip(instruments.judges, found, strict=True):
                parts.append(judge.look(images).pooled)
    return [torch.cat(parts) for parts in found]


def pictures_of(model: Model, data: PreparedDataset, pairs: Sequence[Pair]) -> dict[str, Tensor]:
    """The pictures of a few pairs, to be looked at, all in one batch.

    Returns:
        "source", "target" and, by their headings, each picture of the model, the result last -> image float
        [n, 3, H, W], on the CPU; all about [-1, 1].

    Raises:
        Pg2Error: as `evaluate`.
    """
    indices = pair_indices(data, pairs)
    source, target = (
        torch.stack([_picture(data, index) for index in side]) for side in zip(*indices, strict=True)
    )
    with torch.inference_mode(), tf32(False):
        output = _generated(model, data, source, indices)
        made = {
            info.heading: shown(output.pictures[name], info.kind).cpu()
            for name, info in model.pictures.items()
        }
        # Of a one-stage model the coarse picture is the result.
        made |= {"result": output.image.cpu()} if len(model.results(output)) > 1 else {}
        return {"source": to_unit(source), "target": to_unit(target), **made}


def _regions(
    flow: ExactFlow, indices: Sequence[tuple[int, int]], device: torch.device | str
) -> dict[str, Tensor]:
    """Where the source shows the target's person, and where not, bool [B, 1, H, W]."""
    seen = flow.of([(*pair, False) for pair in indices]).seen.to(device)
    seen = seen.repeat_interleave(_CELL, 1).repeat_interleave(_CELL, 2)[:, None]
    hidden = (seen == Seen.BORROWED) | (seen == Seen.HIDDEN)
    return {"l1_visible": seen == Seen.VISIBLE, "l1_invented": hidden}


def _picture(data: PreparedDataset, index: int) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(data.image(index).transpose(2, 0, 1)))


def _generated(
    model: Model, data: PreparedDataset, source: Tensor, indices: Sequence[tuple[int, int]]
) -> Output:
    poses = (torch.from_numpy(data.keypoints[list(side)]) for side in zip(*indices, strict=True))
    output = model.run(Inputs(source, *poses))
    for name, images in model.results(output).items():
        broken = ~images.isfinite().flatten(1).all(1)
        if broken.any():
            first = data.records[indices[int(broken.nonzero()[0])][0]].name
            raise Pg2Error(
                f"the model's {name} picture for the source {first} is not finite; the model is broken"
            )
    return output
