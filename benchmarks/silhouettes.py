"""How well models of the kind `transport` know where a person is: intersection over union with exact masks.

Of the source's person, whom the background must not show again, and of the target's. Mean over the pairs.

    python benchmarks/silhouettes.py data/look fast/photo256 fast/people256
"""

import torch
from rendered_pairs import arguments, batches, fetching
from torch import Tensor

from pg2.data.prepared import PreparedDataset


def overlap(mask: Tensor, exact: Tensor) -> Tensor:
    """Intersection over union [B] of masks in [0, 1] with bytes, [B, 1, H, W] each, both cut at the half."""
    a, b = mask > 0.5, exact > 127
    return (a & b).sum((1, 2, 3)) / (a | b).sum((1, 2, 3)).clamp_min(1)


def main() -> None:
    parser = arguments(__doc__, 48)
    options = parser.parse_args()
    data = PreparedDataset(options.data)
    print("| model | source | target |")
    print("|---|---|---|")
    for name in options.models:
        model, grid = fetching(parser, name)
        found = []
        for batch in batches(data, options.pairs, grid):
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
