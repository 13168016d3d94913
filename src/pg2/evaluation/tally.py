"""Collecting what was measured, batch after batch, and the scores of it all."""

import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pg2.evaluation.distributions import (
    SPLITS,
    frechet_distance,
    gaussian,
    inception_score,
    kernel_distance,
)
from pg2.evaluation.instruments import Instruments
from pg2.evaluation.interval import Estimate
from pg2.evaluation.measuring import Measured
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


@dataclass
class _Row:
    """What one judge saw of one row, picture after picture."""

    probabilities: _Column
    masked: _Column
    pooled: _Column


@dataclass
class Tally:
    """Collects what was measured of batch after batch, in the order of the pairs.

    Attributes:
        instruments: what is measured with.
        count: pairs that will come.
        training: for each judge the pooled features of the training pictures, [M, D], or None.
        judged: the pairs that the pose estimator looks at, bool [count].
    """

    instruments: Instruments
    count: int
    training: Sequence[Tensor | None] = ()
    judged: npt.NDArray[np.bool_] = field(init=False)
    _rows: dict[str, dict[str, _Column]] = field(default_factory=dict, init=False)
    _known: set[str] = field(default_factory=set, init=False)
    _at: int = field(default=0, init=False)
    _unmasked: int = field(default=0, init=False)
    _began: float = field(default_factory=time.monotonic, init=False)

    def __post_init__(self) -> None:
        self._sharpness = _Column(self.count)
        self.judged = np.zeros(self.count, dtype=bool)
        self.judged[spread(self.count, self.instruments.bodies)] = True
        self._seen: list[dict[str, _Row]] = [{} for _ in self.instruments.judges]

    def add(self, measured: Measured) -> None:
        """Take the next batch."""
        names = measured.names
        self._at += len(names)
        self._unmasked += measured.unmasked
        self._sharpness.add(measured.sharpness)
        for row, scores in measured.rows.items():
            columns = self._rows.setdefault(row, {})
            for score, values in scores.items():
                columns.setdefault(score, _Column(self.count)).add(values)
        first = [index for index, name in enumerate(names) if names.index(name) == index]
        new = [index for index in first if names[index] not in self._known]
        self._known.update(names)
        for kept, found in zip(self._seen, measured.seen, strict=True):
            for row, seen in found.items():
                columns_of = kept.setdefault(row, _Row(*(_Column(self.count) for _ in range(3))))
                columns_of.probabilities.add(seen.probabilities)
                columns_of.pooled.add(seen.pooled[new] if row == REAL else seen.pooled)
                if seen.masked is not None:
                    columns_of.masked.add(seen.masked)

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
        for number, (judge, seen) in enumerate(zip(self.instruments.judges, self._seen, strict=True)):
            training = self.training[number] if self.training else None
            for row, scores in _sets(judge.key, seen, training).items():
                sets[row] |= scores
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


def _sets(key: str, rows: Mapping[str, _Row], training: Tensor | None) -> dict[str, dict[str, Estimate]]:
    """The scores of each row as a set, by the judge with this key."""
    real = rows[REAL].pooled.values
    # What a distance needs of a set of thousands takes a second: once for all rows that are compared with it.
    others = {"test": real} | ({} if training is None else {"train": training})
    others = {against: other for against, other in others.items() if len(other) > 1}
    fitted = {against: gaussian(other) for against, other in others.items()}
    sets: dict[str, dict[str, Estimate]] = {}
    for row, seen in rows.items():
        found = sets.setdefault(row, {})
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
