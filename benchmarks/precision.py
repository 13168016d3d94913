"""How much bf16 autocast and channels_last gain in training on this machine: ratios within one run."""

from collections.abc import Iterator
from contextlib import nullcontext

import torch
from timing import Ratio, median_seconds, ratio_table

from pg2.models.coarse import CoarseGenerator
from pg2.models.config import CoarseConfig
from pg2.models.inputs import Inputs
from pg2.training.recipe import load_recipe


def seconds(config: CoarseConfig, batch: int, bf16: bool, channels_last: bool, rounds: int) -> float:
    """Median time of one training step of G1 at 128x64."""
    layout = torch.channels_last if channels_last else torch.contiguous_format
    torch.manual_seed(0)
    model = CoarseGenerator(config, (128, 64)).to(memory_format=layout)
    optimiser = torch.optim.Adam(model.parameters(), 1e-4)
    source = torch.randint(0, 256, (batch, 3, 128, 64), dtype=torch.uint8).to(memory_format=layout)
    poses = torch.rand(2, batch, 18, 2) * torch.tensor((64, 128))
    inputs = Inputs(source, *poses)

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16) if bf16 else nullcontext():
            loss = model(inputs).float().abs().mean()
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()

    return median_seconds(step, rounds)


def ratios(rounds: int = 7) -> Iterator[Ratio]:
    """Each way against float32 in the usual layout."""
    cases = {
        "fast/market1501, batch 16": (load_recipe("fast/market1501").model.coarse, 16),
        "exact (h=128), batch 2": (CoarseConfig(), 2),
    }
    for name, (config, batch) in cases.items():
        base = seconds(config, batch, False, False, rounds)
        for bf16, channels_last in ((False, True), (True, False), (True, True)):
            words = " + ".join(["bf16"] * bf16 + ["channels_last"] * channels_last)
            yield Ratio(
                f"a step of G1, {name}: {words}", base, seconds(config, batch, bf16, channels_last, rounds)
            )


def main() -> None:
    """Print a table."""
    torch.set_num_threads(2)
    print(ratio_table(ratios()))


if __name__ == "__main__":
    main()
