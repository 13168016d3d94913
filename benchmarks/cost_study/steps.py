"""The steps that are counted and timed: networks of any size and width, trained or drawing."""

import math
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator

from cost_study.work import Cost, Work, counted
from pg2.data.loader import Batch
from pg2.io.devices import DTYPES, Precision
from pg2.models.config import ModelConfig
from pg2.models.inputs import Inputs
from pg2.models.pg2 import PG2
from pg2.pipeline import Pipeline
from pg2.training.objectives import Objective
from pg2.training.recipe import load_recipe
from pg2.training.settings import Recipe
from pg2.training.stage_run import StageRun

Step = Callable[[], object]

INFERENCE = "inference"
TASKS = ("coarse", "refined", INFERENCE)
"""A training step of stage I, of stage II, or pictures by all stages."""


class Point(NamedTuple):
    """One step to look at.

    Attributes:
        recipe: shipped name.
        task: one of TASKS.
        batch: pairs a step, over all processes.
        size: height of the frame in pixels; its width is as the recipe's frame has it.
        width: channels of G1's stem; all other networks are scaled with it.
        processes: that share the batch.
        precision: fp32 or bf16.
    """

    recipe: str
    task: str
    batch: int
    size: int
    width: int
    processes: int = 1
    precision: str = "fp32"

    @property
    def share(self) -> int:
        """Pairs of each process."""
        return self.batch // self.processes


class OnPaper(Accelerator):
    """Prepares for the meta device, where a step is gone through and nothing is computed."""

    @property
    def device(self) -> torch.device:
        return torch.device("meta")


def sized(name: str, size: int, width: int, precision: str = "fp32") -> Recipe:
    """A recipe for another height of the frame and another width of G1.

    Twice the height is one more level of each of the paper's networks, as the paper has it: the smallest map
    keeps its size. Other second stages keep their levels.
    """
    recipe = load_recipe(name)
    found: dict[str, Any] = recipe.model_dump()
    height, across = recipe.model.frame
    levels, wider = round(math.log2(size / height)), width / recipe.model.coarse.width

    def widened(channels: int) -> int:
        return max(round(channels * wider), 1)

    model, coarse = found["model"], found["model"]["coarse"]
    model["frame"] = (size, across * size // height)
    coarse |= {"width": width, "blocks": coarse["blocks"] + levels}
    refine = model["refine"]
    if refine and refine["kind"] == "difference":
        refine |= {"width": widened(refine["width"]), "blocks": refine["blocks"] + levels}
    elif refine:
        for part in ("widths", "segment"):
            refine[part] = tuple(widened(channels) for channels in refine[part])
        refine["finish"] = widened(refine["finish"])
    for stage in recipe.stages:
        adversary = found[stage]["adversarial"]
        if adversary:
            judge = adversary["discriminator"]
            judge["width"] = widened(judge["width"])
            judge["layers"] = max(judge["layers"] + (levels if judge["head"] == "linear" else 0), 1)
    return Recipe.model_validate(found | {"precision": precision})


def made_up(pairs: int, frame: tuple[int, int], device: torch.device) -> Batch:
    """Noise with random poses."""
    pictures = torch.randint(0, 256, (2, pairs, 3, *frame), dtype=torch.uint8)
    poses = torch.rand(2, pairs, 18, 2) * torch.tensor((frame[1], frame[0]))
    return Batch(Inputs(pictures[0], *poses), pictures[1]).to(device)


def drawing(config: ModelConfig, pairs: int, device: torch.device, precision: Precision = "fp32") -> Step:
    """What a `Pipeline` does to make so many pictures at once; reading and writing are left out."""
    with device:
        pipeline = Pipeline(PG2(config), DTYPES[precision])
    inputs = made_up(pairs, config.frame, device).inputs
    return lambda: pipeline.run(inputs)


def training(recipe: Recipe, stage: str, pairs: int, accelerator: Accelerator) -> tuple[Step, float]:
    """A step as `pg2 train` takes it, with all of the stage's losses on; and bytes of trained weights.

    Reading pictures is no part of it. Exact flow is not known, so its loss is left out.

    Args:
        recipe: see `sized`.
        stage: "coarse" or "refined".
        pairs: of this process.
        accelerator: whose device is taken.
    """
    device = accelerator.device
    with device:
        model = PG2(recipe.model)
    settings = recipe.stages[stage]
    objective = Objective(model, stage, settings)
    for network in (*objective.networks.values(), *objective.frozen):
        network.to(device)  # on the meta device these become other weights: before Adam is told which
    run = StageRun(objective, model, Path(), accelerator)
    batch = made_up(pairs, recipe.model.frame, device)

    def step() -> None:
        run.step = settings.steps - 1  # where all losses have joined
        run.train_step(batch)
        if device.type not in ("cpu", "meta"):
            torch.accelerator.synchronize()

    weights = (weight for module in run.modules.values() for weight in module.parameters())
    return step, float(sum(weight.nbytes for weight in weights))


def prepared(recipe: Recipe, task: str, pairs: int, accelerator: Accelerator) -> tuple[Step, float]:
    """The step of one of TASKS; see `drawing` and `training`."""
    if task == INFERENCE:
        return drawing(recipe.model, pairs, accelerator.device, recipe.precision), 0.0
    return training(recipe, task, pairs, accelerator)


@cache
def cost(recipe: str, task: str, size: int, width: int) -> Cost:
    """What a step costs in fp32, counted on the meta device."""
    found = sized(recipe, size, width)
    one, two = (counted(*prepared(found, task, pairs, OnPaper(cpu=True))) for pairs in (1, 2))
    return Cost.between(one, two)


def work(point: Point) -> Work:
    """What a step of each process of a point costs, in fp32."""
    return cost(point.recipe, point.task, point.size, point.width).at(point.share)
