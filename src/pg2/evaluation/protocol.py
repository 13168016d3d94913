"""Scoring a model on a list of pairs, beside what copying the source already scores."""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2.data.correspondence import Seen
from pg2.data.exact import ExactFlow
from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.measuring import Measured, Measuring
from pg2.evaluation.pair_lists import Pair, pair_indices, people_of
from pg2.evaluation.scores import COPY, Evaluation
from pg2.evaluation.storing import storing
from pg2.evaluation.tally import Tally
from pg2.io.cluster import alone, connected
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

_SENT = 4  # batches that a worker of a cluster is given at a time

_Answer = tuple[Measured, dict[str, Tensor]]
"""What was measured of a batch, and its pictures where they are wanted."""


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
    ray: str | None = None,
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
        ray: spread the work over the processes of this Ray cluster; see `pg2.io.cluster.connected`. Files are
            read and written here alone.

    Raises:
        Pg2Error: no pairs, pairs of pictures that `data` lacks, or a picture that is not finite; no such
            cluster, or not on the CPU with one.
    """
    if not pairs:
        raise Pg2Error("there is no pair to evaluate")
    indices = pair_indices(data, pairs)
    instruments = Instruments(device=model.device) if instruments is None else instruments
    devices = {torch.device(device).type for device in (model.device, instruments.device)}
    if ray is not None and devices != {"cpu"}:
        raise Pg2Error("workers of a Ray cluster compute on the CPU; give --device cpu, or leave --ray out")
    tally = Tally(instruments, len(pairs), training)
    alike = all(data.records[source].person == data.records[target].person for source, target in indices)
    poses = data.keypoints[[target for _, target in indices]]
    size = batch if ray is None else _SENT * batch
    # A worker remembers the pictures of its part: real ones seldom come again in another of its parts.
    remembered = len(pairs) if ray is None else size
    scorer = _Scorer(model, instruments, remembered, data.has_geometry and alike, batch, store is not None)
    parts = (
        _part(data, indices[start : start + size], start, tally.judged, carried=ray is not None)
        for start in range(0, len(indices), size)
    )
    early: dict[int, list[Measured]] = {}  # answers of workers come in any order
    due = 0
    with connected(ray) if ray else nullcontext() as cluster, storing(store, poses) as keep:
        answers = cluster.spread(scorer, parts, _lost, kept="") if cluster else alone(scorer, parts)
        for answer in tracked(answers, "evaluating", progress, total=-(-len(indices) // size)):
            assert answer is not None
            at = answer[0].start
            early[at] = [measured for measured, _ in answer[1]]
            for measured, pictures in answer[1]:
                keep(at, pictures)
                at += len(measured.names)
            while due in early:
                for measured in early.pop(due):
                    tally.add(measured)
                    due += len(measured.names)
        return tally.evaluation(pairs, people_of(data, pairs))


class _Part(NamedTuple):
    """Pairs that are scored in one go.

    Attributes:
        start: number of the first.
        data: holds their pictures.
        indices: of source and target in `data`.
        judged: those that the pose estimator looks at, bool [n].
    """

    start: int
    data: PreparedDataset
    indices: list[tuple[int, int]]
    judged: npt.NDArray[np.bool_]


def _part(
    data: PreparedDataset,
    indices: list[tuple[int, int]],
    start: int,
    judged: npt.NDArray[np.bool_],
    carried: bool,
) -> _Part:
    """Pairs from number `start` on; `carried`: with their pictures, to be sent to where there are none."""
    if carried:
        needed = sorted({index for pair in indices for index in pair})
        place = {index: number for number, index in enumerate(needed)}
        data = data.carried(needed)
        indices = [(place[source], place[target]) for source, target in indices]
    return _Part(start, data, indices, judged[start : start + len(indices)])


def _lost(part: _Part, why: str) -> list[_Answer]:
    raise Pg2Error(f"pairs {part.start + 1:,} to {part.start + len(part.indices):,} of the list: {why}")


class _Scorer:
    """Makes and measures the pictures of a part of the pairs, in this process or another."""

    def __init__(
        self, model: Model, instruments: Instruments, count: int, regions: bool, batch: int, keep: bool
    ) -> None:
        """Prepare it.

        Args:
            model, instruments: see `evaluate`.
            count: pairs whose pictures are remembered.
            regions: whether the renderer knows what of the target the source shows.
            batch: pairs at a time.
            keep: give all pictures back, too.
        """
        self._model, self._instruments, self._count = model, instruments, count
        self._regions, self._batch, self._keep = regions, batch, keep
        self._measuring: Measuring | None = None  # what it remembers is not sent anywhere
        self._data: PreparedDataset | None = None

    def __call__(self, part: _Part) -> list[_Answer]:
        """A batch after the other."""
        if part.data is not self._data:
            self._open(part.data)
        measuring = self._measuring
        assert measuring is not None
        with torch.inference_mode(), tf32(False):
            return [
                self._scored(part, start, measuring) for start in range(0, len(part.indices), self._batch)
            ]

    def _open(self, data: PreparedDataset) -> None:
        height, width = data.frame

        @lru_cache(maxsize=max(_CACHE_BYTES // (height * width * 4), 1))
        def load(index: int) -> tuple[Tensor, Tensor]:
            keypoints = torch.from_numpy(data.keypoints[index : index + 1].copy()).to(device)
            return _picture(data, index).to(device), pose_mask(keypoints, data.frame)[0].to(torch.uint8)

        device = self._instruments.device
        self._data, self._load = data, load
        self._measuring = Measuring(self._instruments, self._count)
        self._flow = ExactFlow(data, _CELL) if self._regions else None

    def _scored(self, part: _Part, start: int, measuring: Measuring) -> _Answer:
        data, device = part.data, self._instruments.device
        indices = part.indices[start : start + self._batch]
        (source, source_mask), (target, target_mask) = (
            (torch.stack(found) for found in zip(*map(self._load, side), strict=True))
            for side in zip(*indices, strict=True)
        )
        sources, targets = (
            [data.records[index].name for index in side] for side in zip(*indices, strict=True)
        )
        output = _generated(self._model, data, source, indices)
        made = {name: to_uint8(images).to(device) for name, images in self._model.results(output).items()}
        measured = measuring.batch(
            {COPY: source} | {STAGES.get(name, name): images for name, images in made.items()},
            target,
            targets,
            which=part.judged[start : start + self._batch],
            target_mask=target_mask,
            source_mask=source_mask,
            keypoints=torch.from_numpy(data.keypoints[[index for _, index in indices]]),
            regions=None if self._flow is None else _regions(self._flow, indices, device),
            real={COPY: sources},
        )
        masks = {"source_mask": source_mask * 255, "target_mask": target_mask * 255}
        pictures = {"source": source, "target": target, **masks, **made} if self._keep else {}
        return measured, pictures


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
