"""What a shipped model costs on each backend: pictures a second, and ratios to PyTorch in fp32, in one run.

`python benchmarks/backends.py [MODEL ...]` exports each model, which checks that it can be. It prints
two tables, of pictures and of whole commands, and writes out/backends.json. It needs Linux, and the extras
"export", "openvino" and "train".
"""

import argparse
import itertools
import json
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from machine import machine, multiplied
from timing import Ratio, median_seconds

from pg2.export import openvino_engine
from pg2.export.check import random_inputs
from pg2.export.graph import Graph
from pg2.export.onnx_file import to_onnx
from pg2.io.devices import runs_bf16
from pg2.io.files import write_json
from pg2.io.memory import keep_freed_memory
from pg2.io.packaged import DEFAULT_MODEL, SAMPLES
from pg2.io.pixels import Image8
from pg2.models.inputs import Inputs, as_bytes
from pg2.models.pg2 import PG2, shipped_models
from pg2.pipeline import Pipeline
from pg2.pose.keypoints import Points

CASES = {
    "one": (1, False),
    "one of the last photo": (1, True),
    "32": (32, False),
    "32 of one photo": (32, True),
}
"""How many pictures at once, and whether they are of the photo that was drawn last, in other poses."""

OUT = Path("out/backends.json")
_COLD = 5  # starts of a command, the median of which counts
# In the end it says how much memory it had at most. A parent is told at least how much it has itself.
_COMMAND = """
import atexit, pathlib, sys
atexit.register(lambda: print(pathlib.Path("/proc/self/status").read_text(), file=sys.stderr))
from pg2.cli import main
main()
"""

Draw = Callable[[Image8, Points, Points], dict[str, np.ndarray]]


def by_torch(pipeline: Pipeline) -> Draw:
    """The pictures as bytes by PyTorch, as `Pipeline` makes them."""

    def draw(source: Image8, *poses: Points) -> dict[str, np.ndarray]:
        inputs = Inputs(torch.from_numpy(source).movedim(-1, 1), *map(torch.from_numpy, poses))
        made = as_bytes(pipeline.run(inputs), pipeline.pictures)
        return {name: picture.numpy() for name, picture in made.items()}

    return draw


def backends(model: PG2, content: bytes, threads: int) -> Iterator[tuple[str, Draw]]:
    """Every way to run a model here, PyTorch in float32 first; one in memory at a time.

    `content` is of its file.
    """
    yield "torch fp32", by_torch(Pipeline(model))
    if runs_bf16(torch.device("cpu")):
        yield "torch bf16", by_torch(Pipeline(model, torch.bfloat16))
    yield "onnxruntime fp32", Graph(content, "it", threads=threads)
    yield "openvino fp32", Graph(content, "it", "openvino", threads=threads)
    if openvino_engine.runs_bf16():
        yield "openvino bf16", Graph(content, "it", "openvino", rough=True, threads=threads)


def measured(name: str, model: PG2, content: bytes, rounds: int, threads: int) -> list[dict[str, object]]:
    """A row a backend and case of one model."""
    rows: list[dict[str, object]] = []
    first: dict[str, tuple[float, dict[str, np.ndarray]]] = {}
    for backend, draw in backends(model, content, threads):
        for case, (batch, of_one) in CASES.items():
            source, own, wanted = random_inputs(model.config.frame, 2 * batch)
            if of_one:
                source[:], own[:] = source[0], own[0]
            parts = [tuple(part[at : at + batch] for part in (source, own, wanted)) for at in (0, batch)]
            made = draw(*parts[0])
            turns = itertools.cycle(parts)  # so that each time the sources are others than before
            # One picture takes milliseconds, so that many rounds of it cost nothing.
            seconds = median_seconds(lambda: draw(*next(turns)), rounds if batch > 1 else 5 * rounds)  # noqa: B023
            base, expected = first.setdefault(case, (seconds, made))
            apart = np.abs(made["image"].astype(int) - expected["image"])
            rows.append(
                {
                    "model": name,
                    "backend": backend,
                    "pictures": case,
                    "milliseconds": 1000 * seconds,
                    "pictures_a_second": batch / seconds,
                    "times_as_fast": base / seconds,
                    "largest_difference": int(apart.max()),
                    "mean_difference": float(apart.mean()),
                }
            )
            print(
                f"| {name} | {backend} | {case} | {1000 * seconds:.1f} | {batch / seconds:.1f} | "
                f"{base / seconds:.2f} | {apart.max()} | {apart.mean():.3f} |",
                flush=True,
            )
    return rows


def ratios(rounds: int = 5, batch: int = 8) -> Iterator[Ratio]:
    """The default model on each backend against PyTorch in float32, a batch at once."""
    model = PG2.from_pretrained(DEFAULT_MODEL)
    content, _ = to_onnx(model)
    inputs = random_inputs(model.config.frame, batch)
    base: float | None = None
    for backend, draw in backends(model, content, torch.get_num_threads()):
        seconds = median_seconds(lambda: draw(*inputs), rounds)  # noqa: B023
        if base is None:
            base = seconds
        else:
            yield Ratio(f"{batch} pictures of {DEFAULT_MODEL}: {backend}, not torch fp32", base, seconds)


def cold(name: str, content: bytes) -> list[dict[str, object]]:
    """What one `pg2 generate` takes from its start to its end: a row a backend."""
    rows: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.onnx"
        file.write_bytes(content)
        for backend, model in (("torch", name), ("onnx", str(file)), ("openvino", str(file))):
            options = ["--model", model, "--backend", backend, "--out", str(Path(folder) / "result.png")]
            photo = str(SAMPLES / "00003/00.jpg")
            command = [sys.executable, "-c", _COMMAND, "generate", photo, "--pose", "walking", *options]
            started = [_started(command) for _ in range(1 + _COLD)][1:]
            seconds, mebibytes = (statistics.median(values) for values in zip(*started, strict=True))
            rows.append({"model": name, "backend": backend, "seconds": seconds, "mebibytes": mebibytes})
            print(f"| {name} | {backend} | {seconds:.2f} | {mebibytes:.0f} |", flush=True)
    return rows


def _started(command: list[str]) -> tuple[float, float]:
    """Seconds that a command took, and MiB that it had in memory at most."""
    began = time.perf_counter()
    ran = subprocess.run(command, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if ran.returncode:
        raise SystemExit(f"pg2 generate ended with exit code {ran.returncode}: {ran.stderr}")
    return seconds, int(re.findall(r"VmHWM:\s*(\d+) kB", ran.stderr)[-1]) / 2**10


def main() -> None:
    """Print tables, and write them with what they were measured on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=shipped_models())
    parser.add_argument("--rounds", type=int, default=7, help="of which the median is taken")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()  # as the command line does
    models, contents = {}, {}
    for name in asked.models:
        began = time.perf_counter()
        models[name] = PG2.from_pretrained(name)
        # Before a pipeline changes the memory layout of the weights.
        contents[name], said = to_onnx(models[name])
        seconds = time.perf_counter() - began
        size = len(contents[name]) / 2**20
        print(f"{name}: {size:.1f} MiB, exported in {seconds:.0f} s, at most {said.difference} levels off")
    print()
    print(
        "| model | backend | pictures | ms | pictures/s | times as fast | grey levels off, at most | mean |"
    )
    print("|---|---|---|---|---|---|---|---|")
    rows = [
        row
        for name, model in models.items()
        for row in measured(name, model, contents[name], asked.rounds, asked.threads)
    ]
    print()
    print("| model | backend | one `pg2 generate`, s | MiB |")
    print("|---|---|---|---|")
    starts = [row for name, content in contents.items() for row in cold(name, content)]
    print()
    here = machine(asked.threads) | {"gflops_by_threads": multiplied(asked.threads)}
    print(json.dumps(here))
    write_json(OUT, {"machine": here, "rows": rows, "starts": starts})


if __name__ == "__main__":
    main()
