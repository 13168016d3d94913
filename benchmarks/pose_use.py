"""How much models make of the target pose: what another one changes in the picture, and its signal.

The signal is a spread: the standard deviation over the pairs of each of a vector's values, on average. The
embeddings of Table 1 (CE, HME) put a vector of the pose beside the image's at the bottleneck.

    python benchmarks/pose_use.py data/market1501 table1/market1501/g1-*/run/coarse/model
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from pg2.data.prepared import PreparedDataset
from pg2.evaluation.pair_lists import all_test_pairs, pair_indices
from pg2.io.pixels import from_images
from pg2.models.inputs import Inputs
from pg2.models.pg2 import PG2


def spreads(model: PG2, inputs: Inputs) -> str:
    """The spread of the image's vector and, where there is one, of the pose's, as cells of a table."""
    vectors: list[Tensor] = []
    parts = [part for part in (model.coarse.squeeze, model.coarse.pose) if part is not None]
    hooks = [part.register_forward_hook(lambda _, __, vector: vectors.append(vector)) for part in parts]
    with torch.inference_mode():
        model.coarse(inputs)
    for hook in hooks:
        hook.remove()
    cells = [f"{float(vector.std(0).mean()):.3f}" for vector in vectors]
    return " | ".join([*cells, "–"][:2])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="prepared data set")
    parser.add_argument("models", type=Path, nargs="+", help="model folders")
    parser.add_argument("--pairs", type=int, default=256, help="of the test split, evenly spread")
    options = parser.parse_args()
    torch.set_num_threads(2)

    data = PreparedDataset(options.data)
    every = pair_indices(data, all_test_pairs(data))
    pairs = [every[at] for at in np.linspace(0, len(every) - 1, options.pairs).round().astype(int)]
    poses = (torch.from_numpy(data.keypoints[list(side)]) for side in zip(*pairs, strict=True))
    inputs = Inputs(from_images([data.image(source) for source, _ in pairs]), *poses)
    # Every source in its own target pose, and in that of a pair half the set away.
    turned = inputs._replace(target_keypoints=inputs.target_keypoints.roll(len(pairs) // 2, 0))

    print(
        "| model | another pose changes the picture by | at the start: image | pose | trained: image | pose |"
    )
    print("|---|---|---|---|---|---|")
    for folder in options.models:
        model = PG2.from_pretrained(folder).eval()
        with torch.inference_mode():
            own, other = (model.coarse(given) for given in (inputs, turned))
        torch.manual_seed(0)
        fresh = PG2(model.config)
        fresh.initialise()
        cells = " | ".join(spreads(each, inputs) for each in (fresh, model))
        print(f"| {folder} | {float((own - other).abs().mean()):.3f} | {cells} |")


if __name__ == "__main__":
    main()
