"""What the benchmarks on rendered people share: which pairs, and each batch with its exact flow."""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from pg2.data.exact import ExactFlow
from pg2.data.loader import Batch, assemble
from pg2.data.prepared import PreparedDataset
from pg2.evaluation.pair_lists import all_test_pairs, pair_indices
from pg2.models.pg2 import PG2

BATCH = 12


def arguments(about: str | None, pairs: int) -> argparse.ArgumentParser:
    """The data set, the models, and how many `pairs`, whose number here is the default."""
    parser = argparse.ArgumentParser(description=(about or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="prepared data set of people rendered with --geometry")
    parser.add_argument("models", nargs="+", help="shipped models or model folders")
    parser.add_argument("--pairs", type=int, default=pairs, help="of the test split, evenly spread")
    torch.set_num_threads(2)
    return parser


def fetching(parser: argparse.ArgumentParser, name: str) -> tuple[PG2, int]:
    """A model whose second stage fetches from the source, and the pixels to a side of its cells."""
    model = PG2.from_pretrained(name)
    if model.refine is None or model.refine.config.grid is None:
        parser.error(f"{name} fetches nothing from the source")
    return model, model.refine.config.grid


def batches(data: PreparedDataset, pairs: int, grid: int) -> Iterator[Batch]:
    """Batches of so many pairs of the test split, evenly spread, each with its exact flow."""
    every = pair_indices(data, all_test_pairs(data))
    chosen = [every[at] for at in np.linspace(0, len(every) - 1, pairs).round().astype(int)]
    flow = ExactFlow(data, grid)
    for first in range(0, len(chosen), BATCH):
        yield assemble(data, [(*pair, False) for pair in chosen[first : first + BATCH]], flow=flow)
