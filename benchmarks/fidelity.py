"""How far each backend's pictures are off PyTorch's in fp32, on pairs of a prepared data set.

    python benchmarks/fidelity.py fast/photo256 data/deepfashion --pairs 1000

It tells how far they are off in grey levels, on the whole picture and on the person; of the places that a
second stage fetches from, in pixels; and in SSIM to the target. The pairs are drawn at random. It needs the
extras "export" and "openvino", and 2 GB for 1,000 pairs at 256x256.
"""

import argparse
import random
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from backends import Draw, backends

from pg2.data.loader import Batch, assemble
from pg2.data.prepared import PreparedDataset
from pg2.evaluation.pair_lists import all_test_pairs, pair_indices
from pg2.export.onnx_file import to_onnx
from pg2.io.memory import keep_freed_memory
from pg2.metrics import ssim
from pg2.models.inputs import FETCHED, PERSON
from pg2.models.pg2 import PG2
from pg2.pose.formats import read_pairs_csv
from pg2.reports.tables import markdown_table

_BATCH = 8
_SEEN = 10  # grey levels, from which on a difference may be seen
_Arrays = Mapping[str, npt.NDArray[Any]]


class Off(NamedTuple):
    """How far a batch is off: flat arrays of all values, of the person's, of places; SSIM of each."""

    values: npt.NDArray[np.int16]
    person: npt.NDArray[np.int16]
    places: npt.NDArray[np.float32]
    ssim: npt.NDArray[np.float64]


def off(made: _Arrays, exact: _Arrays, target: torch.Tensor) -> Off:
    """Of one batch; without a map of the person all of the picture counts as such."""
    apart = np.abs(made["image"].astype(np.int16) - exact["image"].astype(np.int16))
    mask = exact[PERSON] > 127 if PERSON in exact else np.ones(apart.shape[:3], bool)
    places = np.zeros(0, np.float32)
    if FETCHED in exact:
        places = np.linalg.norm(made[FETCHED] - exact[FETCHED], axis=-1)[mask].astype(np.float32)
    both = [torch.from_numpy(found["image"]).movedim(-1, 1) for found in (made, exact)]
    change = ssim(both[0], target) - ssim(both[1], target)
    return Off(apart.ravel(), apart[mask].ravel(), places, change.double().numpy())


def drawn(draw: Draw, batches: list[Batch]) -> Iterator[_Arrays]:
    """The pictures of all batches by one backend."""
    for inputs, *_ in batches:
        source = np.ascontiguousarray(inputs.source.movedim(1, -1).numpy())
        made = draw(source, inputs.source_keypoints.numpy(), inputs.target_keypoints.numpy())
        yield {name: made[name] for name in ("image", PERSON, FETCHED) if name in made}


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("data")
    parser.add_argument("--list", help="a pair list; default: all pairs of the test split")
    parser.add_argument("--pairs", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    keep_freed_memory()
    data = PreparedDataset(asked.data)
    pairs = read_pairs_csv(asked.list) if asked.list else all_test_pairs(data)
    chosen = random.Random(0).sample(list(pairs), min(asked.pairs, len(pairs)))
    indices = [(source, target, False) for source, target in pair_indices(data, chosen)]
    batches = [assemble(data, indices[at : at + _BATCH]) for at in range(0, len(indices), _BATCH)]
    model = PG2.from_pretrained(asked.model)
    content, _ = to_onnx(model)
    exact: list[_Arrays] = []  # of the exact backend, which comes first
    rows = []
    for name, draw in backends(model, content, asked.threads):
        if not exact:
            exact = list(drawn(draw, batches))
            continue
        found = [
            off(made, right, batch.target)
            for made, right, batch in zip(drawn(draw, batches), exact, batches, strict=True)
        ]
        values, person, places, change = (np.concatenate(part) for part in zip(*found, strict=True))
        rows.append(
            [
                name,
                f"{values.max()}",
                f"{values.mean():.3f}",
                f"{person.mean():.3f}",
                f"{(person > _SEEN).mean():.2%}",
                f"{places.mean():.3f}" if len(places) else "–",
                f"{change.mean():+.5f}",
                f"{np.abs(change).max():.4f}",
            ]
        )
    headings = ["backend", "grey levels off, at most", "mean", "of the person", f"by over {_SEEN}"]
    headings += ["places off, pixels", "SSIM, change", "of one picture, at most"]
    print(f"{len(indices)} pairs of {asked.data}, {asked.model}\n")
    print("\n".join(markdown_table(headings, rows)))


if __name__ == "__main__":
    main()
