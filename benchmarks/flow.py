"""How far from the exact place models of the kind `transport` fetch, and geometry without a network.

Of the places that the source shows, on the grid of 1/stride: the mean distance in pixels of the frame.

    python benchmarks/flow.py data/people-test fast/people256
"""

import torch
from rendered_pairs import arguments, batches, fetching
from torch import Tensor

from pg2.data.correspondence import Seen
from pg2.data.prepared import PreparedDataset
from pg2.pose.parts import part_places, part_priors, part_transforms


def main() -> None:
    parser = arguments(__doc__, 240)
    options = parser.parse_args()
    data = PreparedDataset(options.data)
    print("| model | its own | geometry alone | geometry, the part that fits best |")
    print("|---|---|---|---|")
    for name in options.models:
        model, stride = fetching(parser, name)
        found = torch.zeros(4, dtype=torch.float64)
        for batch in batches(data, options.pairs, stride):
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
