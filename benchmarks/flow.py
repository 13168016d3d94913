"""How far from the exact place models of the kind `transport` fetch, and geometry without a network.

Of the places that the source shows, on the grid of 1/stride: the mean distance in pixels of the frame.

    python benchmarks/flow.py data/people-test fast/people256
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pg2.data.correspondence import Seen
from pg2.data.exact import ExactFlow
from pg2.data.loader import assemble
from pg2.data.prepared import PreparedDataset
from pg2.evaluation.pair_lists import all_test_pairs, pair_indices
from pg2.models.pg2 import PG2
from pg2.pose.parts import part_places, part_priors, part_transforms

BATCH = 16


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="prepared data set of people rendered with --geometry")
    parser.add_argument("models", nargs="+", help="shipped models or model folders")
    parser.add_argument("--pairs", type=int, default=240, help="of the test split, evenly spread")
    options = parser.parse_args()
    torch.set_num_threads(2)

    data = PreparedDataset(options.data)
    every = pair_indices(data, all_test_pairs(data))
    chosen = [every[at] for at in np.linspace(0, len(every) - 1, options.pairs).round().astype(int)]
    print("| model | its own | geometry alone | geometry, the part that fits best |")
    print("|---|---|---|---|")
    for name in options.models:
        model = PG2.from_pretrained(name)
        if model.refine is None or model.refine.config.grid is None:
            parser.error(f"{name} fetches nothing from the source")
        stride = model.refine.config.grid
        flow, found = ExactFlow(data, stride), torch.zeros(4, dtype=torch.float64)
        for first in range(0, len(chosen), BATCH):
            batch = assemble(data, [(*pair, False) for pair in chosen[first : first + BATCH]], flow=flow)
            assert batch.exact is not None
            exact, seen = batch.exact.places, batch.exact.seen == Seen.VISIBLE
            with torch.inference_mode():
                own = model(batch.inputs).maps["places"]
            parts = part_transforms(*batch.inputs[1:])
            ways = part_places(parts, data.frame, stride)
            likely = part_priors(parts, data.frame, stride).softmax(1)
            mixed = (likely[..., None] * ways).sum(1)

            def off(places: Tensor, exact: Tensor = exact) -> Tensor:
                return (places - exact).square().sum(-1).sqrt()

            # Among the parts that may be there at all.
            best = off(ways, exact[:, None]).masked_fill(likely < 0.01, torch.inf).amin(1)
            for column, error in enumerate((off(own), off(mixed), best)):
                found[column] += error[seen & best.isfinite()].sum()
            found[3] += (seen & best.isfinite()).sum()
        cells = " | ".join(f"{float(total / found[3]):.1f}" for total in found[:3])
        print(f"| {name} | {cells} |")


if __name__ == "__main__":
    main()
