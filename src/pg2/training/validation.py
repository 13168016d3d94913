"""Who is kept out of training, and how a generator does on them."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from pg2.data.loader import Batch, assemble
from pg2.data.pairs import Pairs
from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.io.pixels import to_uint8
from pg2.metrics import l1, mask_ssim, sharpness, ssim
from pg2.models.inputs import Inputs, shown
from pg2.pose.skeleton import draw_skeleton
from pg2.training.objectives import Objective
from pg2.training.settings import Recipe

_SAMPLES = 8
_BATCH = 32  # pairs that are looked at at a time


def split_validation(data: PreparedDataset, recipe: Recipe) -> tuple[Pairs, list[tuple[int, int]]]:
    """Training pairs, and the fixed validation pairs of people who are kept out of training.

    Raises:
        Pg2Error: too few people or pictures.
    """
    usable = data.usable("train")
    people = sorted({data.records[index].person for index in usable})
    generator = np.random.default_rng([recipe.seed, 1])
    count = min(recipe.data.validation_people, len(people) // 3)
    held_out = set(generator.permutation(people)[:count].tolist())
    names = {index: data.records[index].person for index in usable}
    training = [index for index in usable if names[index] not in held_out]
    validation = [index for index in usable if names[index] in held_out]
    pairs = Pairs([names[index] for index in training], training)
    if not len(pairs):
        raise Pg2Error(
            f"{data.path} has no training pairs: needed are people of the training split with two usable "
            f"pictures, beside the {count} people kept for validation (data.validation_people)"
        )
    candidates = Pairs([names[index] for index in validation], validation)
    count = min(recipe.data.validation_pairs, len(candidates))
    chosen = generator.choice(len(candidates), count, replace=False).tolist() if count else []
    return pairs, [candidates[number] for number in chosen]


class Validation:
    """Fixed pairs of people not trained on, and the scores of a generator on them."""

    def __init__(self, data: PreparedDataset, pairs: list[tuple[int, int]]) -> None:
        """`pairs`: (source, target) indices in `data`."""
        plain = [(source, target, False) for source, target in pairs]
        self.batches = [assemble(data, plain[at : at + _BATCH]) for at in range(0, len(plain), _BATCH)]

    @torch.no_grad()
    def scores(
        self,
        objective: Objective,
        generator: nn.Module,
        device: torch.device,
        check: Callable[[], None] = lambda: None,
    ) -> dict[str, float]:
        """Means over the pairs; "sharpness" is the ratio of generated to real.

        `check` is called before each batch, and may leave by an exception.
        """
        found: dict[str, list[Tensor]] = {name: [] for name in ("ssim", "mask_ssim", "l1", "made", "real")}
        for batch in self.batches:
            check()
            ready = objective.prepare(batch.to(device))
            target = ready.batch.target
            made = to_uint8(objective.generate(ready, generator).image)
            found["ssim"].append(ssim(made, target))
            found["mask_ssim"].append(mask_ssim(made, target, ready.mask))
            found["l1"].append(l1(made, target))
            found["made"].append(sharpness(made))
            found["real"].append(sharpness(target))
        means = {name: float(torch.cat(values).mean()) for name, values in found.items()}
        means["sharpness"] = means.pop("made") / max(means.pop("real"), 1e-9)
        return means

    @torch.no_grad()
    def strip(self, objective: Objective, generator: nn.Module, device: torch.device) -> Tensor:
        """Sample strips, uint8 [3, H * rows, W * columns]: source, target pose, what was made, target.

        What was made: the picture of the stage before, those on the way, the result.
        """
        first = self.batches[0]
        some = Inputs(*(tensor[:_SAMPLES] for tensor in first.inputs))
        ready = objective.prepare(Batch(some, first.target[:_SAMPLES]).to(device))
        output = objective.generate(ready, generator)
        columns = [ready.source, draw_skeleton(ready.batch.inputs.target_keypoints, objective.frame)]
        columns += [] if ready.coarse is None else [ready.coarse]
        columns += [
            shown(picture, objective.pictures[name].kind) for name, picture in output.pictures.items()
        ]
        columns += [output.image, ready.target]
        rows = torch.cat([to_uint8(column).cpu() for column in columns], 3)
        return torch.cat(list(rows), 1)
