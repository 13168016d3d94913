"""What `accumulate` saves: the most bytes that a step keeps at a time for its gradients, by parts.

Counted on PyTorch's meta device, where tensors have a shape and no content: it takes seconds and no memory.
Weights, gradients and Adam's moments, which are there in any case, do not count.

    python benchmarks/accumulation.py --recipes paper/market1501 paper/deepfashion --batch 64
"""

import argparse
from collections import Counter
from pathlib import Path

import torch
from torch import Tensor

from pg2.data.loader import Batch
from pg2.models.inputs import Inputs
from pg2.models.pg2 import PG2
from pg2.training.objectives import Objective
from pg2.training.recipe import load_recipe
from pg2.training.stage_run import StageRun


class Kept:
    """Memory that autograd keeps, each piece once however many operations need it."""

    def __init__(self) -> None:
        self.users: Counter[int] = Counter()
        self.now = self.most = 0

    def pack(self, tensor: Tensor) -> "Tensor | _Held":
        if tensor.is_leaf and tensor.requires_grad:
            return tensor  # a weight
        return _Held(self, tensor)


class _Held:
    def __init__(self, kept: Kept, tensor: Tensor) -> None:
        self.kept, self.tensor = kept, tensor
        self.key, self.size = tensor.untyped_storage()._cdata, tensor.untyped_storage().nbytes()
        kept.now += 0 if kept.users[self.key] else self.size
        kept.users[self.key] += 1
        kept.most = max(kept.most, kept.now)

    def __del__(self) -> None:
        self.kept.users[self.key] -= 1
        self.kept.now -= 0 if self.kept.users[self.key] else self.size


def _unpack(held: "Tensor | _Held") -> Tensor:
    return held.tensor if isinstance(held, _Held) else held


def most_kept(name: str, stage: str, batch: int, parts: int) -> int:
    """Bytes that a step of a recipe's stage keeps at most, by `parts` of its `batch`."""
    from accelerate import Accelerator

    class Nowhere(Accelerator):  # type: ignore[misc]
        device = torch.device("meta")

    recipe = load_recipe(name, [f"{stage}.batch={batch}", f"{stage}.accumulate={parts}"])
    model = PG2(recipe.model)
    settings = recipe.stages[stage]
    state = StageRun(Objective(model, stage, settings), model, Path(stage), Nowhere(cpu=True))
    # Late enough for every loss and the adversary.
    state.step = settings.steps - 1
    pictures = torch.zeros(batch, 3, *recipe.model.frame, dtype=torch.uint8)
    inputs = Inputs(pictures, torch.zeros(batch, 18, 2), torch.zeros(batch, 18, 2))
    kept = Kept()
    with torch.autograd.graph.saved_tensors_hooks(kept.pack, _unpack):
        state.train_step(Batch(inputs, pictures))
    return kept.most


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipes", nargs="+", default=["paper/market1501"])
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--parts", type=int, nargs="+", default=[1, 2, 8, 32])
    chosen = parser.parse_args()
    print(f"| GB kept for a batch of {chosen.batch}, by parts |", *(f"{part} |" for part in chosen.parts))
    print("|---" * (1 + len(chosen.parts)) + "|")
    for name in chosen.recipes:
        for stage in load_recipe(name).stages:
            sizes = [most_kept(name, stage, chosen.batch, part) / 1e9 for part in chosen.parts]
            print(f"| `{name}`, {stage} |", *(f"{size:.2f} |" for size in sizes), flush=True)


if __name__ == "__main__":
    main()
