"""The exact networks of PG² at 128x64, in pg2 and in TensorFlow as the authors' released graph has them.

    python -m venv tf && tf/bin/pip install tensorflow-cpu
    python benchmarks/beside_tensorflow.py --tensorflow tf/bin/python

Seconds of a training step of G1, and of a batch of pictures through G1 and G2, of 4 pairs. Both take turns,
so that a machine that is busy slows down both.
"""

import argparse
import json
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from statistics import median
from typing import Any

import precision
import torch
from timing import median_seconds

from pg2.io.memory import keep_freed_memory
from pg2.models.config import CoarseConfig
from pg2.models.inputs import Inputs
from pg2.models.pg2 import PG2
from pg2.reports.tables import markdown_table
from pg2.training.recipe import load_recipe

BATCH = 4
_GRAPH = Path(__file__).with_name("released_graph.py")


def in_tensorflow(python: str, threads: int, rounds: int) -> dict[str, Any]:
    """What `released_graph.py` says, run by another Python.

    Raises:
        SystemExit: it cannot be run.
    """
    command = [python, str(_GRAPH), "--batch", str(BATCH), "--threads", str(threads), "--rounds", str(rounds)]
    try:
        ran = subprocess.run(command, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        lines = (getattr(error, "stderr", None) or "").strip().splitlines() or [str(error)]
        raise SystemExit(
            f"{python} does not run TensorFlow ({lines[-1]}); if that says so, pip install tensorflow-cpu"
        ) from error
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    return found


def in_pg2(way: precision.Way, rounds: int) -> dict[str, Any]:
    """The same of pg2: a training step with Adam, as `precision.py` takes it, and drawing.

    pg2 draws the heat maps of the poses in both; TensorFlow is given them. Its loss has a target and a mask,
    this one is the mean of what was drawn.
    """
    model = PG2(load_recipe("paper/market1501").model).eval()
    layout = torch.channels_last if way.channels_last else torch.contiguous_format
    model.to(memory_format=layout)  # type: ignore[call-overload]
    source = torch.zeros(BATCH, 3, *model.config.frame, dtype=torch.uint8).to(memory_format=layout)
    inputs = Inputs(source, *torch.rand(2, BATCH, 18, 2) * 64)

    @torch.inference_mode()
    def draw() -> None:
        with torch.autocast("cpu", torch.bfloat16) if way.bf16 else nullcontext():
            model(inputs)

    parts = (model.coarse, model.refine)
    return {
        "parameters": [sum(weight.numel() for weight in part.parameters()) for part in parts if part],
        "train": median_seconds(precision.Step(CoarseConfig(), BATCH, way), rounds),
        "draw": median_seconds(draw, rounds),
    }


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tensorflow", required=True, metavar="PYTHON", help="one that has TensorFlow")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--turns", type=int, default=2)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    keep_freed_memory()
    ways = {"fp32": precision.Way(), "bf16, channels_last": precision.Way(bf16=True, channels_last=True)}
    found: dict[str, list[dict[str, Any]]] = {}
    for turn in range(given.turns):
        there = in_tensorflow(given.tensorflow, given.threads, given.rounds)
        found.setdefault(f"TensorFlow {there['tensorflow']}, fp32", []).append(there)
        for name, way in ways.items():
            found.setdefault(f"pg2, {name}", []).append(in_pg2(way, given.rounds))
        print(f"turn {turn + 1} of {given.turns}", file=sys.stderr, flush=True)
    if len({str(runs[0]["parameters"]) for runs in found.values()}) > 1:
        raise SystemExit("the networks are not of the same size; nothing can be compared")
    seconds = {
        name: [median(run[what] for run in runs) for what in ("train", "draw")]
        for name, runs in found.items()
    }
    base = next(iter(seconds.values()))
    rows = [
        [name, *(f"{took:.2f} ({before / took:.2f} x)" for took, before in zip(row, base, strict=True))]
        for name, row in seconds.items()
    ]
    g1, g2 = next(iter(found.values()))[0]["parameters"]
    print(f"{BATCH} pairs at 128x64; G1 has {g1:,} parameters, G2 {g2:,}\n")
    print("\n".join(markdown_table(["", "a training step of G1, s", "both stages, drawing, s"], rows)))


if __name__ == "__main__":
    main()
