"""What tests of stages share: a second stage with everything that ties the pictures of a batch together."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

from pg2.data.exact import Exact
from pg2.data.loader import Batch
from pg2.errors import Pg2Error
from pg2.models.config import ModelConfig
from pg2.models.inputs import Inputs
from pg2.models.pg2 import PG2
from pg2.training import processes
from pg2.training.objectives import Objective
from pg2.training.settings import StageConfig
from pg2.training.sharding import own, whole
from pg2.training.stage_run import StageRun

SIDE, BATCH = 32, 4

_MODEL = {
    "frame": (SIDE, SIDE),
    "coarse": {"width": 8, "blocks": 2, "bottleneck": 8},
    "refine": {"kind": "transport", "widths": [8, 8], "finish": 8, "segment": [8, 8]},
}
_SETTINGS = {
    "steps": 9,
    "lr": 1e-3,
    "clip": 1.0,
    "losses": {
        name: {"weight": 1.0} for name in ("l1", "ssim", "flow", "warped", "painted", "copied", "silhouette")
    },
    "adversarial": {
        "region": "body",
        "discriminator": {"width": 8, "layers": 2, "norm": "batch", "head": "patch"},
        "feature_weight": 1.0,
        "r1_weight": 1.0,
        "r1_every": 2,
    },
}


class Processes:
    """As much of an `Accelerator` as a stage asks for."""

    is_main_process = True

    def __init__(self, count: int = 1, device: str = "cpu") -> None:
        self.num_processes, self.device = count, torch.device(device)

    def autocast(self) -> AbstractContextManager[None]:
        return nullcontext()

    def clip_grad_norm_(self, parameters: Iterable[nn.Parameter], bound: float) -> None:
        nn.utils.clip_grad_norm_(parameters, bound)

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def prepare_model(self, model: nn.Module, evaluation_mode: bool) -> nn.Module:
        return model

    def prepare_optimizer(self, optimiser: torch.optim.Optimizer) -> torch.optim.Optimizer:
        return optimiser


def second_stage(
    folder: Path, first: str = "discriminator", sharded: bool = False, **settings: object
) -> StageRun:
    """A stage II that fetches, with an adversary whose batch norm sees all of a batch."""
    torch.manual_seed(1)
    model = PG2(ModelConfig.model_validate(_MODEL))
    model.initialise()
    adversarial = {**_SETTINGS["adversarial"], "first": first}  # type: ignore[dict-item]
    stage = StageConfig.model_validate({**_SETTINGS, **settings, "adversarial": adversarial})
    alone: Any = Processes()
    run = StageRun(Objective(model, "refined", stage), model, folder, alone, sharded=sharded)
    for optimiser in run.optimisers.values():
        for group in optimiser.param_groups:
            group["eps"] = 1e-4  # with 1e-8 a gradient of rounding errors alone moves its weight a whole step
    return run


def noise(seed: int, exact: bool = False) -> Batch:
    """A batch of 4: noise as pictures, keypoints anywhere, more seen of each person than of the last."""
    generator = torch.Generator().manual_seed(seed)
    pictures = torch.randint(0, 256, (2, BATCH, 3, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    keypoints = torch.rand(2, BATCH, 18, 2, generator=generator) * (SIDE - 1)
    inputs = Inputs(pictures[0], *keypoints)
    if not exact:
        return Batch(inputs, pictures[1])
    cells = SIDE // 4
    seen = (
        torch.rand(BATCH, cells, cells, generator=generator) * torch.arange(1, BATCH + 1)[:, None, None]
    ) > 1
    masks = torch.randint(0, 256, (2, BATCH, 1, SIDE, SIDE), dtype=torch.uint8, generator=generator)
    places = torch.rand(BATCH, cells, cells, 2, generator=generator) * (SIDE - 1)
    return Batch(inputs, pictures[1], Exact(places, seen.to(torch.uint8), *masks))


def share(batch: Batch, rank: int, count: int) -> Batch:
    """What one of several processes gets of a batch."""
    own = slice(rank * BATCH // count, (rank + 1) * BATCH // count)
    exact = None if batch.exact is None else Exact(*(tensor[own] for tensor in batch.exact))
    return Batch(Inputs(*(tensor[own] for tensor in batch.inputs)), batch.target[own], exact)


def weights(state: StageRun) -> torch.Tensor:
    """All that is trained, as one vector."""
    return torch.cat(
        [whole(value.detach()).flatten() for part in state.modules.values() for value in part.parameters()]
    )


def steps(folder: Path, rank: int = 0, count: int = 1, **settings: Any) -> dict[str, torch.Tensor]:
    """Three steps of `second_stage`, of which the second knows no exact flow, as photographs do not."""
    state = second_stage(folder, **settings)
    begun = weights(state)
    for seed in range(3):
        # Pictures in which no ReLU lies at its kink, where rounding moves single entries of a gradient.
        terms = state.train_step(share(noise(seed + 3, exact=seed != 1), rank, count))
    judge = state.modules["discriminator"].state_dict()
    spread = [value.flatten() for name, value in judge.items() if "running_var" in name]
    return {
        "moved": weights(state) - begun,
        "moments": moments(state),
        "spread": torch.cat(spread),
        **terms,
    }


def moments(state: StageRun) -> torch.Tensor:
    """Adam's mean gradients of the generator, as one vector. Its steps do not tell how large they are."""
    entries = state.optimisers["generator"].state
    found = [entries[value]["exp_avg"] for value in state.modules["generator"].parameters()]
    return torch.cat([whole(value).flatten() for value in found])


def kept(folder: Path) -> dict[str, int]:
    """How many weights this process keeps of a stage that is cut: of the generator, its average, D."""
    state = second_stage(folder, sharded=True, ema=0.9)
    assert state.average is not None
    parts = {**state.modules, "average": state.average}
    return {name: sum(map(torch.numel, own(part.parameters()))) for name, part in parts.items()}


def spoilt(folder: Path, rank: int) -> str:
    """What is said of a weight that is not finite, in the share of one process alone."""
    state = second_stage(folder, sharded=True)
    if rank == 1:
        with torch.no_grad():
            own(state.modules["generator"].parameters())[0].fill_(torch.nan)
    try:
        state.check_finite()
    except Pg2Error as error:
        return str(error)
    return ""


def normed(values: torch.Tensor) -> dict[str, torch.Tensor]:
    """Batch norm of values [B, 3, 4, 4], its gradients, and those of their size, as R1 needs them."""
    torch.manual_seed(3)
    network = nn.Sequential(nn.Sequential(nn.BatchNorm2d(3)))
    nn.init.normal_(network[0][0].weight)
    processes.join_batch_norm(network, values.device)
    values = values.clone().requires_grad_()
    made = network(values)
    # A sum over all processes, as batch norm hands its gradient on to all of them.
    (slope,) = torch.autograd.grad(made.pow(3).sum(), values, create_graph=True)
    slope.pow(2).sum().backward()
    [layer] = network[0]
    return {
        "made": made.detach(),
        "slope": slope.detach(),
        "curve": values.grad,
        "weight.grad": layer.weight.grad * processes.count(),
        **layer.state_dict(),
    }


def work(rank: int, count: int, folder: Path) -> None:
    """One of several processes: does all of this with its share, and leaves what it found."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=count)
    values = torch.randn(BATCH, 3, 4, 4, generator=torch.Generator().manual_seed(5)).chunk(count)
    none, some = nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(2, 2))
    some.grad = torch.full((2, 2), float(rank))
    processes.join_gradients([none, some])
    found = {
        "norm": normed(values[rank]),
        "weighted": processes.weighted(torch.tensor(6.0 * rank), torch.tensor(1.0 + 2 * rank)),
        "nothing": processes.weighted(torch.tensor(0.5), torch.tensor(0.0)),
        "none": none.grad,
        "some": some.grad,
        "steps": steps(folder, rank, count, accumulate=1 + rank),
        "sharded": steps(folder, rank, count, sharded=True, accumulate=2, clip=None),
        "kept": kept(folder),
        "spoilt": spoilt(folder, rank),
    }
    torch.save(found, folder / f"{rank}.pt")
    dist.destroy_process_group()
