"""What makes 256x256 trainable on a CPU: the time of one stage I step, as ratios within one run."""

from collections.abc import Iterator

import torch
from timing import Ratio, median_seconds, ratio_table

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


def seconds(overrides: list[str], rounds: int) -> float:
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

    return median_seconds(step, rounds)


def ratios(rounds: int = 5) -> Iterator[Ratio]:
    """Each way against the first."""
    first, *others = CASES.items()
    base = seconds(first[1], rounds)
    for name, overrides in others:
        yield Ratio(f"a step of {BATCH} pairs at 256x256: {name}", base, seconds(overrides, rounds))


def main() -> None:
    """Print a table."""
    torch.set_num_threads(2)
    print(ratio_table(ratios()))


if __name__ == "__main__":
    main()
