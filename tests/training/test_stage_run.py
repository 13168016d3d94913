"""A stage while it is trained: learning rates, the best score, and what is refused."""

import math
from pathlib import Path

import pytest
import torch
from model_samples import inputs
from training_samples import Processes, steps

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


@pytest.mark.parametrize("first", ["discriminator", "generator"])
def test_parts_of_a_batch_make_the_steps_of_the_whole(tmp_path: Path, first: str) -> None:
    """With all that ties the pictures of a batch together: D's batch norm, and means over the body."""
    whole = steps(tmp_path, first=first)
    norm = whole["moved"].norm()
    for count in (2, 4096):
        parts = steps(tmp_path, first=first, accumulate=count)
        assert (parts["moved"] - whole["moved"]).norm() < 0.01 * norm, count
        for name in whole.keys() - {"moved"}:
            torch.testing.assert_close(parts[name], whole[name], atol=1e-4, rtol=1e-3, msg=name)
    other = steps(tmp_path, first="generator" if first == "discriminator" else "discriminator")
    assert (other["moved"] - whole["moved"]).norm() > 0.02 * norm, "the bound must be able to fail"
    assert (other["moments"] - whole["moments"]).norm() > 6e-3 * whole["moments"].norm()


def test_the_generator_sees_a_part_at_a_time(tmp_path: Path) -> None:
    """What autograd keeps is what takes the memory."""
    kept = {}
    for count in (1, 4):
        sizes: list[int] = []

        def keep(tensor: torch.Tensor, sizes: list[int] = sizes) -> torch.Tensor:
            sizes.append(len(tensor) if tensor.shape[1:] == (8, 32, 16) else 0)
            return tensor

        state = stage(tmp_path, accumulate=count)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            state.train_step(Batch(inputs(8), inputs(8).source))
        kept[count] = max(sizes)
    assert kept == {1: 8, 4: 2}
