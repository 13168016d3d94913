"""What a shipped model costs on each backend: pictures a second, and ratios to PyTorch in fp32, in one run.

`python benchmarks/backends.py [MODEL ...]` prints a table and writes out/backends.json. It needs the extras
"export" and "openvino".
"""

import argparse
import json
import platform
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
from timing import median_seconds

from pg2.export.check import random_inputs
from pg2.export.graph import Graph, openvino_runs_bf16
from pg2.export.onnx_file import to_onnx
from pg2.io.devices import runs_bf16
from pg2.io.files import write_json
from pg2.io.pixels import Image8
from pg2.models.inputs import Inputs, as_bytes
from pg2.models.pg2 import PG2, shipped_models
from pg2.pipeline import Pipeline
from pg2.pose.keypoints import Points

BATCHES = (1, 32)
OUT = Path("out/backends.json")

Draw = Callable[[Image8, Points, Points], dict[str, np.ndarray]]


def by_torch(pipeline: Pipeline) -> Draw:
    """The pictures as bytes by PyTorch, as `Pipeline` makes them."""

    def draw(source: Image8, *poses: Points) -> dict[str, np.ndarray]:
        inputs = Inputs(torch.from_numpy(source).movedim(-1, 1), *map(torch.from_numpy, poses))
        made = as_bytes(pipeline.run(inputs), pipeline.pictures)
        return {name: picture.numpy() for name, picture in made.items()}

    return draw


def backends(model: PG2, threads: int) -> Iterator[tuple[str, Draw]]:
    """Every way to run a model here, PyTorch in float32 first; one in memory at a time."""
    # Exported before a pipeline changes the memory layout of the weights.
    content, _ = to_onnx(model)
    yield "torch fp32", by_torch(Pipeline(model))
    if runs_bf16(torch.device("cpu")):
        yield "torch bf16", by_torch(Pipeline(model, torch.bfloat16))
    yield "onnxruntime fp32", Graph(content, "it", threads=threads)
    yield "openvino fp32", Graph(content, "it", "openvino", threads=threads)
    if openvino_runs_bf16():
        yield "openvino bf16", Graph(content, "it", "openvino", rough=True, threads=threads)


def measured(name: str, rounds: int, threads: int) -> list[dict[str, object]]:
    """A row a backend and batch of one model."""
    rows: list[dict[str, object]] = []
    model = PG2.from_pretrained(name)
    first: dict[int, tuple[float, dict[str, np.ndarray]]] = {}
    for backend, draw in backends(model, threads):
        for batch in BATCHES:
            inputs = random_inputs(model.config.frame, batch)
            made = draw(*inputs)
            # One picture takes milliseconds, so that many rounds of it cost nothing.
            seconds = median_seconds(lambda: draw(*inputs), rounds if batch > 1 else 5 * rounds)  # noqa: B023
            base, expected = first.setdefault(batch, (seconds, made))
            apart = np.abs(made["image"].astype(int) - expected["image"])
            rows.append(
                {
                    "model": name,
                    "backend": backend,
                    "batch": batch,
                    "milliseconds": 1000 * seconds,
                    "pictures_a_second": batch / seconds,
                    "times_as_fast": base / seconds,
                    "largest_difference": int(apart.max()),
                    "mean_difference": float(apart.mean()),
                }
            )
            print(
                f"| {name} | {backend} | {batch} | {1000 * seconds:.1f} | {batch / seconds:.1f} | "
                f"{base / seconds:.2f} | {apart.max()} | {apart.mean():.3f} |",
                flush=True,
            )
    return rows


def main() -> None:
    """Print a table, and write it with what it was measured on."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", default=shipped_models())
    parser.add_argument("--rounds", type=int, default=7, help="of which the median is taken")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    print("| model | backend | batch | ms | pictures/s | times as fast | grey levels off, at most | mean |")
    print("|---|---|---|---|---|---|---|---|")
    rows = [row for name in asked.models for row in measured(name, asked.rounds, asked.threads)]
    packages = ("torch", "onnxruntime", "openvino", "numpy")
    machine = {"processor": _processor(), "threads": asked.threads, "python": platform.python_version()}
    machine |= {name: version(name) for name in packages}
    print(json.dumps(machine))
    write_json(OUT, {"machine": machine, "rows": rows})


def _processor() -> str:
    """Its name and what of it matters here, where the system says so."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    wanted = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")
    flags = [flag for flag in wanted if flag in facts.get("flags", "").split()]
    return f"{facts.get('model name', platform.processor())} ({', '.join(flags)})"


if __name__ == "__main__":
    main()
