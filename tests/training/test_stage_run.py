"""A stage while it is trained: learning rates, the best score, and what is refused."""

import math
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pytest
import torch
from model_samples import inputs

from pg2.data.loader import Batch
from pg2.errors import Pg2Error
from pg2.models.config import ModelConfig
from pg2.models.pg2 import PG2
from pg2.training.objectives import Objective
from pg2.training.settings import StageConfig
from pg2.training.stage_run import StageRun, learning_rate_factor

MODEL = ModelConfig.model_validate(
    {"frame": (32, 16), "coarse": {"width": 8, "blocks": 2, "bottleneck": 8}, "refine": None}
)


class Processes:
    """As much of an `Accelerator` as a stage asks for."""

    is_main_process = True

    def __init__(self, count: int = 1, device: str = "cpu") -> None:
        self.num_processes, self.device = count, torch.device(device)

    def autocast(self) -> AbstractContextManager[None]:
        return nullcontext()

    def clip_grad_norm_(self, parameters: Iterable[torch.nn.Parameter], bound: float) -> None:
        torch.nn.utils.clip_grad_norm_(parameters, bound)

    def backward(self, loss: torch.Tensor) -> None:
        loss.backward()

    def prepare(self, *parts: object) -> tuple[object, ...]:
        return parts


def stage(folder: Path, processes: int = 1, device: str = "cpu", **settings: object) -> StageRun:
    model = PG2(MODEL)
    objective = Objective(model, "coarse", StageConfig.model_validate({"steps": 1, **settings}))
    return StageRun(objective, model, folder, Processes(processes, device))  # type: ignore[arg-type]


def test_learning_rate_rises_and_falls() -> None:
    stage = StageConfig(steps=100, warmup=10, decay=0.5)
    factors = [learning_rate_factor(step, stage) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:51] == [1.0] * 42
    assert factors[75] == pytest.approx(0.5)
    assert 0 < factors[99] < 0.03
    assert learning_rate_factor(99, StageConfig(steps=100)) == 1.0


def test_a_score_that_is_not_a_number_is_never_the_best(tmp_path: Path) -> None:
    state = stage(tmp_path, best_by="ssim")
    assert not state.is_better({"ssim": math.nan})
    assert state.is_better({"ssim": 0.2})
    assert not state.is_better({"ssim": math.nan})
    assert not state.is_better({"ssim": 0.1})
    assert state.is_better({"ssim": 0.3})
    assert state.best == 0.3
    assert not stage(tmp_path).is_better({"ssim": 1.0})


def test_the_lowest_distance_is_the_best(tmp_path: Path) -> None:
    state = stage(tmp_path, best_by="l1")
    assert [state.is_better({"l1": value}) for value in (5.0, 6.0, 4.0)] == [True, False, True]


def test_batch_norm_over_several_processes_is_refused_where_it_cannot_be_joined(tmp_path: Path) -> None:
    """Each would see the statistics of its own part of a batch."""
    norm = {"discriminator": {"width": 8, "layers": 2, "norm": "batch"}}
    with pytest.raises(Pg2Error, match=r"2 processes, .* set coarse\.adversarial\.discriminator\.norm"):
        stage(tmp_path, 2, adversarial=norm)
    stage(tmp_path, 1, adversarial=norm)
    norm["discriminator"]["norm"] = "spectral"
    stage(tmp_path, 2, adversarial=norm)


def test_terms_that_are_not_finite_are_named(tmp_path: Path) -> None:
    with pytest.raises(Pg2Error, match=r"the loss is not finite \(l1 = 1\.0, ssim = inf\)"):
        stage(tmp_path).check_terms({"l1": 1.0, "ssim": math.inf})


def test_a_step_never_waits_for_the_device(tmp_path: Path) -> None:
    """On `meta` nothing has a value that could be asked for."""
    adversary = {
        "loss": "hinge",
        "discriminator": {"width": 8, "layers": 2},
        "r1_weight": 1,
        "feature_weight": 1,
    }
    losses = {"ssim": {"weight": 1}}
    state = stage(tmp_path, device="meta", ema=0.9, losses=losses, adversarial=adversary)
    terms = state.train_step(Batch(inputs(4), inputs(4).source))
    assert set(terms) == {"d", "r1", "l1", "ssim", "adversarial", "features"}
    assert {term.device.type for term in terms.values()} == {"meta"}
    assert state.step == 1
    with pytest.raises(RuntimeError, match="meta"):
        float(terms["l1"])


def test_the_gradient_of_a_step_is_bounded_where_a_recipe_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    norms = []

    def record(optimiser: torch.optim.Adam, *_: object) -> None:
        gradients = [p.grad.flatten() for group in optimiser.param_groups for p in group["params"]]
        norms.append(float(torch.cat(gradients).norm()))

    monkeypatch.setattr(torch.optim.Adam, "step", record)
    for clip in (None, 1e-3):
        torch.manual_seed(0)
        stage(tmp_path, clip=clip).train_step(Batch(inputs(4), inputs(4).source))
    assert norms[0] > 1e-2
    assert norms[1] == pytest.approx(1e-3, rel=1e-2)
