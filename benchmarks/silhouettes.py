"""How well models of the kind `transport` know where a person is: intersection over union with exact masks.

Of the source's person, whom the background must not show again, and of the target's. Mean over the pairs.

    python benchmarks/silhouettes.py data/look fast/photo256 fast/people256
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pg2.data.exact import ExactFlow
from pg2.data.loader import assemble
from pg2.data.prepared import PreparedDataset
from pg2.evaluation.pair_lists import all_test_pairs, pair_indices
from pg2.models.pg2 import PG2

BATCH = 12


def overlap(mask: Tensor, exact: Tensor) -> Tensor:
    """Intersection over union [B] of masks in [0, 1] with bytes, [B, 1, H, W] each, both cut at the half."""
    a, b = mask > 0.5, exact > 127
    return (a & b).sum((1, 2, 3)) / (a | b).sum((1, 2, 3)).clamp_min(1)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="prepared data set of people rendered with --geometry")
    parser.add_argument("models", nargs="+", help="shipped models or model folders")
    parser.add_argument("--pairs", type=int, default=48, help="of the test split, evenly spread")
    options = parser.parse_args()
    torch.set_num_threads(2)

    data = PreparedDataset(options.data)
    every = pair_indices(data, all_test_pairs(data))
    chosen = [every[at] for at in np.linspace(0, len(every) - 1, options.pairs).round().astype(int)]
    print("| model | source | target |")
    print("|---|---|---|")
    for name in options.models:
        model = PG2.from_pretrained(name)
        if model.refine is None or model.refine.config.grid is None:
            parser.error(f"{name} has no silhouettes")
        flow, found = ExactFlow(data, model.refine.config.grid), []
        for first in range(0, len(chosen), BATCH):
            batch = assemble(data, [(*pair, False) for pair in chosen[first : first + BATCH]], flow=flow)
            assert batch.exact is not None
            with torch.inference_mode():
                maps = model(batch.inputs).maps
            masks = (batch.exact.source_mask, batch.exact.target_mask)
            sides = zip(("source_silhouette", "silhouette"), masks, strict=True)
            found.append(torch.stack([overlap(maps[side], mask) for side, mask in sides]))
        source, target = torch.cat(found, 1).mean(1).tolist()
        print(f"| {name} | {source:.2f} | {target:.2f} |")


if __name__ == "__main__":
    main()
