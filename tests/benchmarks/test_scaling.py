"""How cost grows: the counting against counting by hand, the model, and a run of a few small steps."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
import torch
from cost_study.crew import Crew
from cost_study.rates import Promise, Rates, fitted, relative_errors
from cost_study.steps import INFERENCE, OnPaper, Point, cost, sized, training, work
from cost_study.work import Cost, Work, counted

from pg2.models.pg2 import PG2
from pg2.training.recipe import load_recipe

BENCHMARK = Path(__file__).parents[2] / "benchmarks/scaling.py"


@pytest.fixture(scope="module")
def scaling() -> ModuleType:
    spec = importlib.util.spec_from_file_location("benchmark_scaling", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_product_is_counted_as_by_hand() -> None:
    a, b = torch.empty(3, 5, device="meta"), torch.empty(5, 7, device="meta")
    assert counted(lambda: (a @ b).view(7, 3).T) == Work(1, 2 * 3 * 5 * 7, 4 * (15 + 35 + 21))


def test_what_waits_for_the_backward_pass_is_counted() -> None:
    a, weight = torch.empty(3, 5, device="meta"), torch.empty(5, 7, device="meta", requires_grad=True)
    found = counted(lambda: (a @ weight).sum().backward(), trained=140.0)
    assert found.flops == 2 * (2 * 3 * 5 * 7), "forward, and the weight's gradient"
    assert found.kept == 4 * 15
    assert found.memory == 4 * 15 + 3 * 140


def test_a_step_is_counted_by_its_pairs() -> None:
    step, trained = training(sized("debug", 32, 8), "refined", 3, OnPaper(cpu=True))
    found, exact = cost("debug", "refined", 32, 8).at(3), counted(step, trained)
    assert (found.operations, found.flops, found.trained) == (exact.operations, exact.flops, exact.trained)
    assert found.moved == pytest.approx(exact.moved)
    assert cost("debug", "refined", 32, 8).fixed.flops == 0
    assert cost("debug", INFERENCE, 32, 8).at(2).trained == 0
    assert work(Point("debug", "coarse", 4, 32, 8, processes=2)) == cost("debug", "coarse", 32, 8).at(2)


def test_a_recipe_of_another_size() -> None:
    recipe = sized("paper/market1501", 256, 64)
    assert recipe.model.frame == (256, 128)
    assert (recipe.model.coarse.blocks, recipe.model.coarse.width) == (6, 64)
    assert recipe.model.refine is not None
    assert recipe.model.refine.model_dump()["blocks"] == 4
    assert recipe.refined is not None
    assert recipe.refined.adversarial is not None
    judge = recipe.refined.adversarial.discriminator
    assert (judge.layers, judge.width) == (5, 32)
    with torch.device("meta"):
        assert PG2(recipe.model).coarse.smallest == (8, 4), "as at 128x64"
    small = sized("fast/market1501", 64, 16)
    assert small.model.refine is not None
    assert small.model.refine.model_dump()["widths"] == (16, 32, 64, 96)
    assert sized("fast/market1501", 128, 32, "bf16") == load_recipe("fast/market1501")


WORKS = [Work(100 * a, 1e9 * b, 1e6 * c, 0, 4e6) for a in (1, 3) for b in (1, 20) for c in (1, 50)]


def test_rates_are_found_again() -> None:
    planted = Rates(1e-5, 2e-11, 3e-10, 4e-9)
    for processes in (1, 2):
        seconds = [planted.seconds(work, processes) for work in WORKS]
        found = fitted(WORKS, seconds, processes)
        assert found.flop == pytest.approx(planted.flop)
        assert max(map(abs, relative_errors(found, WORKS, seconds, processes))) < 1e-6
    assert planted.seconds(WORKS[0]) == pytest.approx(1e-3 + 2e-2 + 3e-4)
    late = [2 * planted.seconds(work) for work in WORKS]
    assert relative_errors(planted, WORKS, late) == pytest.approx([-0.5] * len(WORKS))


def test_no_rate_is_below_zero() -> None:
    seconds = [1 / work.moved for work in WORKS]
    found = fitted(WORKS, seconds)
    assert min(found.operation, found.flop, found.byte) >= 0


def test_a_promise_is_kept_by_the_slower_of_two() -> None:
    gpu = Promise(
        "", flops=1e12, moved=1e9, linked=1e6, flops_share=0.5, moved_share=1, linked_share=1, operation=1e-3
    )
    each = Cost(fixed=Work(10, 0, 1e6, 0, 1e6), pair=Work(0, 1e10, 4e6))
    assert gpu.seconds(each, 4) == pytest.approx(4e10 / 5e11 + (1e6 + 4 * 2e6) / 1e9)
    assert gpu.seconds(each, 4, gpus=2) == pytest.approx(2e10 / 5e11 + (1e6 + 2 * 2e6) / 1e9 + 1.0)
    few = Cost(fixed=Work(1000, 0, 0), pair=Work(0, 1, 0))
    assert gpu.seconds(few, 4) == pytest.approx(1.0), "the processor is what is waited for"


def test_the_first_steps_span_all(scaling: ModuleType) -> None:
    points = [Point("debug", "coarse", 2**n, 32, 8) for n in range(7)]
    assert [point.batch for point in scaling.in_order(points)] == [1, 16, 4, 64, 2, 32, 8]


def test_precisions_and_numbers_of_processes_take_turns(scaling: ModuleType) -> None:
    """Both precisions of a step cost the same work, and once all of one came before any of the other."""
    points = [
        Point("debug", "coarse", 2**n, 32, 8, processes, precision)
        for n in range(1, 5)
        for processes in (1, 2)
        for precision in ("fp32", "bf16")
    ]
    ordered = scaling.in_order(points)
    assert sorted(ordered) == sorted(points)
    for first in (ordered[:4], ordered[4:8]):
        assert len({(point.precision, point.processes) for point in first}) == 4
        assert len({point.batch for point in first}) == 1


def test_the_error_is_that_on_other_steps(scaling: ModuleType) -> None:
    """Every second step is fitted exactly, the others took twice as long as that predicts."""
    rates = Rates(0, 1e-9, 0)
    points = [Point("debug", "coarse", 2**n, 32, 8) for n in range(6)]
    measured = {point: rates.seconds(work(point)) * (1 + n % 2) for n, point in enumerate(points)}
    checked = scaling.fit_and_check(measured, scaling.Group("fp32", 1))
    assert checked.rates.flop == pytest.approx(1e-9, rel=1e-3)
    assert checked.errors == pytest.approx([-0.5] * 3, rel=1e-3)
    said = checked.said
    assert (said["fitted_to"], said["checked_on"], said["within"]) == (3, 3, 0)


def test_a_run_is_gone_on_with(
    scaling: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also by two processes. The exact networks take too long here, and are predicted."""
    out = tmp_path / "scaling.json"
    small = ["--recipes", "debug", "--batches", "2", "--sizes", "32", "--widths", "8", "--threads", "2"]
    command = [*small, "--longest", "5", "--budget", "5", "--out", str(out)]
    scaling.main(command)
    document = json.loads(out.read_text())
    assert [(row["processes"], row["seconds"] > 0) for row in document["points"]] == [(1, True), (2, True)]
    assert {row["why"] for row in document["left_out"]} == {"too long"}
    assert document["machine"]["threads"] == 2
    assert document["machine"]["versions"]["torch"] == torch.__version__
    printed = capsys.readouterr().out
    assert "### debug, coarse, fp32" in printed
    assert "| paper/market1501 coarse | 22,000 of 16 | 3.50 |" in printed

    monkeypatch.setattr(scaling, "Crew", None)
    scaling.main(command)
    assert json.loads(out.read_text())["points"] == document["points"], "nothing is measured again"
    with pytest.raises(SystemExit, match="give another --out"):
        scaling.main([*command, "--threads", "1"])


def test_what_fails_in_a_process_is_told() -> None:
    with Crew(1, 1) as crew, pytest.raises(RuntimeError, match='there is no recipe "none"'):
        crew.seconds(Point("none", "coarse", 2, 32, 8), 1, 1, 900)
