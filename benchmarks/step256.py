"""What makes 256x256 trainable on a CPU: the time of one stage I step, as ratios within one run."""

import torch
from timing import median_seconds

from pg2.data.loader import Batch
from pg2.models.inputs import Inputs
from pg2.models.pg2 import PG2
from pg2.training.objectives import Objective
from pg2.training.recipe import load_recipe

BATCH = 8

CASES = {
    "heat maps at full size, SSIM windows everywhere": [
        "model.pose={radius: 12, shrink: 1}",
        "coarse.losses.ssim.stride=1",
    ],
    "heat maps at a quarter of the size": ["coarse.losses.ssim.stride=1"],
    "and SSIM windows 3 pixels apart (the recipe)": [],
}


def seconds(overrides: list[str]) -> float:
    """Median time of one training step of `fast/people256`, without reading pictures."""
    recipe = load_recipe("fast/people256", [*overrides, "coarse.losses.ssim.after=0"])
    torch.manual_seed(0)
    objective = Objective(PG2(recipe.model), "coarse", recipe.coarse)
    generator = objective.networks["generator"].to(memory_format=torch.channels_last)
    optimiser = torch.optim.Adam(generator.parameters(), recipe.coarse.lr)
    frame = recipe.model.frame
    pictures = torch.randint(0, 256, (2, BATCH, 3, *frame), dtype=torch.uint8)
    poses = torch.rand(2, BATCH, 18, 2) * torch.tensor([frame[1], frame[0]])
    batch = Batch(Inputs(pictures[0], *poses), pictures[1])

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16):
            ready = objective.prepare(batch)
            terms = objective.terms("generator", ready, objective.generate(ready), 0)
            torch.stack(list(terms.values())).sum().backward()
        optimiser.step()
        optimiser.zero_grad()

    return median_seconds(step, rounds=5)


def main() -> None:
    """Print a table."""
    torch.set_num_threads(2)
    base = 0.0
    for name, overrides in CASES.items():
        taken = seconds(overrides)
        base = base or taken
        print(f"{name}: {taken:.2f} s a step of {BATCH} pairs, {base / taken:.2f} times as fast")


if __name__ == "__main__":
    main()
