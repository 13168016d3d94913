"""The benchmarks of speed in a short form, in one run: a table, and a JSON file with what it was measured on.

    python benchmarks/bench.py --out out/bench.json

Each of them alone (`python benchmarks/precision.py` and so on) takes more rounds and tells more.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import backends
import precision
import step256
import torch
from machine import described, machine
from timing import Ratio, ratio_table

import evaluation
import serving
from pg2.io.files import write_json
from pg2.io.memory import keep_freed_memory

BENCHMARKS: dict[str, Callable[[], Iterable[Ratio]]] = {
    "precision": lambda: precision.ratios(rounds=3),
    "step256": lambda: step256.ratios(rounds=3),
    "backends": lambda: backends.ratios(rounds=3),
    "evaluation": lambda: evaluation.ratios(pairs=160),
    "serving": lambda: serving.ratios("--clients", "50", "--seconds", "30"),
}
"""A further one is a line here."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run those that are asked for, print a table, write the file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHMARKS)}; default: all")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="of PyTorch")
    parser.add_argument("--out", type=Path, default=Path("out/bench.json"))
    options = parser.parse_args(arguments)
    if unknown := set(options.names) - BENCHMARKS.keys():
        parser.error(f"there is no benchmark {', '.join(sorted(unknown))}")
    torch.set_num_threads(options.threads)
    keep_freed_memory()  # as the command line does
    found: dict[str, list[Ratio]] = {}
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", flush=True)
        found[name] = list(BENCHMARKS[name]())
    here = machine()
    print(f"\n{described(here)}\n\n{ratio_table(ratio for ratios in found.values() for ratio in ratios)}")
    rows = {
        name: [ratio._asdict() | {"times": ratio.times} for ratio in ratios] for name, ratios in found.items()
    }
    write_json(options.out, {"machine": here, "benchmarks": rows})
    print(f"\n{options.out}")


if __name__ == "__main__":
    main()
