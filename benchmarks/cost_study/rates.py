"""Time from work: rates that are fitted to measured steps, or that a data sheet promises."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls

from cost_study.work import Cost, Work


@dataclass(frozen=True)
class Rates:
    """Seconds of an operation, of a FLOP, of a byte moved, and of a byte of gradients exchanged."""

    operation: float
    flop: float
    byte: float
    exchanged: float = 0.0

    def seconds(self, work: Work, processes: int = 1) -> float:
        """How long a step takes of which each process does `work`."""
        return float(_parts(work, processes) @ (self.operation, self.flop, self.byte, self.exchanged))


def _parts(work: Work, processes: int) -> npt.NDArray[np.float64]:
    return np.array((work.operations, work.flops, work.moved, work.trained if processes > 1 else 0.0))


def fitted(works: Sequence[Work], seconds: Sequence[float], processes: int = 1) -> Rates:
    """The rates of the least squared relative errors; none is below zero."""
    parts = np.stack([_parts(work, processes) for work in works])
    # Of one order of magnitude each, as operations are few and FLOPs are many.
    scale = np.maximum(parts.max(0), 1.0)
    found, _ = nnls(parts / scale / np.array(seconds)[:, None], np.ones(len(works)))
    return Rates(*(found / scale).tolist())


def relative_errors(
    rates: Rates, works: Sequence[Work], seconds: Sequence[float], processes: int = 1
) -> list[float]:
    """Of each step, by how much its predicted time is above (or below) what it took: 0.1 is 10 %."""
    return [rates.seconds(work, processes) / took - 1 for work, took in zip(works, seconds, strict=True)]


@dataclass(frozen=True)
class Promise:
    """A GPU that was not measured: what its data sheet says, and what share of that we expect to get.

    Attributes:
        name: of the GPU.
        flops: a second, dense, in bf16.
        moved: bytes a second to and from its memory.
        linked: bytes a second to the other GPUs, each way.
        flops_share, moved_share, linked_share: of these, what a training gets.
        operation: seconds in which the processor starts an operation. The GPU works meanwhile, so that a step
            takes as long as the slower of the two.
    """

    name: str
    flops: float
    moved: float
    linked: float
    flops_share: float
    moved_share: float
    linked_share: float
    operation: float

    def seconds(self, cost: Cost, batch: int, gpus: int = 1) -> float:
        """How long a step of `batch` pairs would take on so many, in bf16 autocast.

        What a pair costs is then half as many bytes; weights and Adam stay in fp32. Gradients are exchanged
        after the backward pass, in a ring, which is the slowest way.
        """
        work = cost.at(batch / gpus)
        moved = cost.fixed.moved + cost.pair.moved * batch / gpus / 2
        device = work.flops / (self.flops * self.flops_share) + moved / (self.moved * self.moved_share)
        exchanged = 2 * (gpus - 1) / gpus * work.trained / (self.linked * self.linked_share)
        return max(device, work.operations * self.operation) + exchanged


H100 = Promise("H100 SXM", 989e12, 3.35e12, 450e9, 0.4, 0.7, 0.7, 10e-6)
"""Numbers of NVIDIA's data sheet; the shares and the 10 microseconds are our assumptions."""
