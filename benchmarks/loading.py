"""Threads against worker processes of torch's DataLoader: what it costs to have batches ready.

    python benchmarks/loading.py            reading alone: every picture is decoded each time
    python benchmarks/loading.py --train    the same beside training steps, on two threads

Every way is timed in turn, several times over; printed are the quickest time a batch, and the least processor
time: that of all processes, their start included, which is what loading takes away from training on a CPU.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch.utils.data import DataLoader, Dataset

from pg2.data import loader
from pg2.data.loader import Batch, Loader, assemble
from pg2.data.pairs import PairOrder, Pairs
from pg2.data.prepared import PreparedDataset
from pg2.data.sources.folder import prepare_folder
from pg2.io.packaged import SAMPLES
from pg2.models.pg2 import PG2
from pg2.training.objectives import Objective
from pg2.training.recipe import load_recipe

BATCH = 16
Drawn = list[tuple[int, int, bool]]


class Batches(Dataset[Batch]):
    """Takes the pairs of a batch for an index, so that the resumable order is the DataLoader's sampler."""

    def __init__(self, data: PreparedDataset) -> None:
        self.data = data

    def __getitem__(self, pairs: Drawn) -> Batch:
        return assemble(self.data, pairs)


def as_it_is(batch: Batch) -> Batch:
    """No further collation."""
    return batch


def by_threads(threads: int) -> Callable[[PreparedDataset, PairOrder, int], Iterable[Batch]]:
    """Our loader with so many threads, as if the pictures did not fit into its memory."""

    def batches(data: PreparedDataset, order: PairOrder, count: int) -> Iterable[Batch]:
        loader._THREADS, loader._AHEAD = threads, threads + 1
        ours = Loader(data, order, BATCH)
        ours._image = data.image
        return ours.batches(0, count)

    return batches


def by_processes(
    workers: int, start: str | None = None
) -> Callable[[PreparedDataset, PairOrder, int], Iterable[Batch]]:
    """torch's DataLoader with so many worker processes, which `start` by fork or spawn."""

    def batches(data: PreparedDataset, order: PairOrder, count: int) -> Iterable[Batch]:
        sampler = [[order[at] for at in range(n * BATCH, n * BATCH + BATCH)] for n in range(count)]
        return DataLoader(
            Batches(data),
            batch_size=None,
            sampler=sampler,
            num_workers=workers,
            collate_fn=as_it_is,
            multiprocessing_context=start,
        )

    return batches


WAYS = {
    "no thread, no worker": by_processes(0),
    "1 thread": by_threads(1),
    "2 threads": by_threads(2),
    "4 threads": by_threads(4),
    "1 worker, forked": by_processes(1, "fork"),
    "2 workers, forked": by_processes(2, "fork"),
    "1 worker, spawned": by_processes(1, "spawn"),
}


def training_step() -> Callable[[Batch], None]:
    """A step of stage I of `fast/market1501`, before SSIM joins."""
    recipe = load_recipe("fast/market1501")
    torch.manual_seed(0)
    objective = Objective(PG2(recipe.model), "coarse", recipe.coarse)
    generator = objective.networks["generator"].to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(generator.parameters(), recipe.coarse.lr)

    def step(batch: Batch) -> None:
        ready = objective.prepare(batch)
        terms = objective.terms("generator", ready, objective.generate(ready), 0)
        torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
        optimiser.zero_grad()

    return step


def processor_seconds() -> float:
    """Of this process and the children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main() -> None:
    """Print a table for each size of picture."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--train", action="store_true")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(2)
    for frame in [(128, 64)] if given.train else [(128, 64), (256, 256)]:
        with tempfile.TemporaryDirectory() as folder:
            prepare_folder(SAMPLES, Path(folder) / "data", frame, progress=False)
            data = PreparedDataset(Path(folder) / "data")
            table(data, training_step() if given.train else lambda batch: None, given.rounds, given.train)


def table(data: PreparedDataset, step: Callable[[Batch], None], rounds: int, train: bool) -> None:
    """Time every way in turn, and print the best of the rounds."""
    usable = data.usable("train")
    order = PairOrder(Pairs([data.records[index].person for index in usable], usable), 0, True)
    count = 10 if train else 60
    first, each, processor = ({name: float("inf") for name in WAYS} for _ in range(3))
    for _ in range(rounds):
        for name, way in WAYS.items():
            used, began = processor_seconds(), time.perf_counter()
            batches = iter(way(data, order, count))
            next(batches)
            ready = time.perf_counter()
            for batch in batches:
                step(batch)
            ended = time.perf_counter()
            del batches
            first[name] = min(first[name], ready - began)
            each[name] = min(each[name], (ended - ready) / (count - 1))
            processor[name] = min(processor[name], (processor_seconds() - used) / count)
    print(f"\n{data.frame[0]}x{data.frame[1]}, {BATCH} pairs a batch{', training' if train else ''}")
    print(f"{'':20}  first batch  each batch   pairs/s  processor")
    for name in WAYS:
        print(
            f"{name:20}  {first[name] * 1e3:8.0f} ms  {each[name] * 1e3:7.1f} ms  {BATCH / each[name]:8.0f}  "
            f"{processor[name] * 1e3:6.1f} ms"
        )


if __name__ == "__main__":
    main()
