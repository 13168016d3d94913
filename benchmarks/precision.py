"""How much bf16 autocast, channels_last and torch.compile gain in training here: ratios within one run.

It also says which share of the rate of a large matrix product in bf16 a step reaches, and how long compiling
takes, in the first step.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from typing import NamedTuple

import torch
from cost_study.work import counted
from timing import Ratio, median_seconds, ratio_table
from torch import nn

from pg2.io.memory import keep_freed_memory
from pg2.models.coarse import CoarseGenerator
from pg2.models.config import CoarseConfig
from pg2.models.inputs import Inputs
from pg2.training.recipe import load_recipe

_MATMUL = 4096  # rows and columns
_SIZE = (128, 64)


class Way(NamedTuple):
    """How a step is taken."""

    bf16: bool = False
    channels_last: bool = False
    compiled: bool = False


class Step:
    """A training step of G1 at 128x64: a pass forth and back, and Adam."""

    def __init__(self, config: CoarseConfig, batch: int, way: Way, device: str = "cpu") -> None:
        layout = torch.channels_last if way.channels_last else torch.contiguous_format
        torch.manual_seed(0)
        with torch.device(device):
            self._model: nn.Module = CoarseGenerator(config, _SIZE)
            source = torch.randint(0, 256, (batch, 3, *_SIZE), dtype=torch.uint8)
            poses = torch.rand(2, batch, 18, 2) * torch.tensor((_SIZE[1], _SIZE[0]))
        self._model.to(memory_format=layout)  # type: ignore[call-overload]
        self._inputs, self._bf16 = Inputs(source.to(memory_format=layout), *poses), way.bf16
        self._optimiser = torch.optim.Adam(self._model.parameters(), 1e-4)
        if way.compiled:
            self._model.compile()

    def __call__(self) -> None:
        """Take it."""
        with torch.autocast("cpu", torch.bfloat16) if self._bf16 else nullcontext():
            loss = self._model(self._inputs).float().abs().mean()
        loss.backward()
        self._optimiser.step()
        self._optimiser.zero_grad()


CASES = {
    "fast/market1501, batch 16": (load_recipe("fast/market1501").model.coarse, 16),
    "exact (h=128), batch 2": (CoarseConfig(), 2),
}
WAYS = [Way(channels_last=True), Way(bf16=True), Way(True, True)]
COMPILED = Way(True, True, True)


def ratios(rounds: int = 7, ways: Sequence[Way] = WAYS) -> Iterator[Ratio]:
    """Each way against float32 in the usual layout; prints rates."""
    square = torch.randn(_MATMUL, _MATMUL).bfloat16()
    rate = 2 * _MATMUL**3 / median_seconds(lambda: square @ square, rounds)
    print(f"matrix product of {_MATMUL} x {_MATMUL} in bf16: {rate / 1e9:,.0f} GFLOP/s")
    for name, (config, batch) in CASES.items():
        flops = counted(Step(config, batch, Way(), "meta")).flops
        base = median_seconds(Step(config, batch, Way()), rounds)
        for way in ways:
            words = " + ".join(part for part, on in way._asdict().items() if on)
            step, began = Step(config, batch, way), time.perf_counter()
            step()
            first = time.perf_counter() - began
            took = median_seconds(step, rounds)
            share = f"{flops / took / rate:.0%} of that rate, " if way.bf16 else ""
            print(f"{name}, {words}: {share}first step {first:.1f} s", flush=True)
            yield Ratio(f"a step of G1, {name}: {words}", base, took)


def main() -> None:
    """Print a table. Compiling needs a C++ compiler."""
    torch.set_num_threads(2)
    keep_freed_memory()  # as the command line does
    print(ratio_table(ratios(ways=[*WAYS, COMPILED])))


if __name__ == "__main__":
    main()
