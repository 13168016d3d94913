"""Two processes compute what one computes, batch norm and means over what counts in a batch included."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing
from training_samples import BATCH, normed, second_stage, steps, work

Found = dict[str, Any]

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this PyTorch has no gloo"
)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """What each of two processes found."""
    folder = tmp_path_factory.mktemp("two")
    torch.multiprocessing.spawn(work, (2, folder), nprocs=2)
    return [torch.load(folder / f"{rank}.pt") for rank in range(2)]


def test_batch_norm_sees_the_whole_batch(two: list[Found]) -> None:
    values = torch.randn(BATCH, 3, 4, 4, generator=torch.Generator().manual_seed(5))
    whole, half = normed(values), normed(values[: BATCH // 2])
    for name, value in whole.items():
        parts = [found["norm"][name] for found in two]
        joined = torch.cat(parts) if value.dim() == 4 else parts[0]
        if name == "weight.grad":
            joined = (parts[0] + parts[1]) / 2
        torch.testing.assert_close(joined, value, atol=1e-4, rtol=1e-4, msg=name)
        if value.dim() == 4:
            assert not torch.allclose(half[name], value[: BATCH // 2], atol=1e-2, rtol=1e-2), name


def test_a_weighted_mean_is_that_of_all_processes(two: list[Found]) -> None:
    """0 of weight 1, and 6 of weight 3: 6 / 4; the mean of two means would be 1."""
    assert (two[0]["weighted"] + two[1]["weighted"]) / 2 == 1.5
    assert (two[0]["nothing"] + two[1]["nothing"]) / 2 == 1.0, "no weight at all counts as 1"


def test_gradients_are_joined_and_missing_ones_stay_missing(two: list[Found]) -> None:
    for found in two:
        assert found["none"] is None
        assert torch.equal(found["some"], torch.full((2, 2), 0.5))


def test_two_processes_make_the_steps_of_one(two: list[Found], tmp_path: Path) -> None:
    """A second stage with every loss; one of the two takes its share in two parts."""
    whole = steps(tmp_path)
    half = steps(tmp_path, 0, 2)
    norm = whole["moved"].norm()
    for found in two:
        parts = found["steps"]
        assert torch.equal(parts["moved"], two[0]["steps"]["moved"]), "all have the same weights"
        assert (parts["moved"] - whole["moved"]).norm() < 0.01 * norm
        assert (parts["moments"] - whole["moments"]).norm() < 0.01 * whole["moments"].norm()
        for name in whole.keys() - {"moved", "moments"}:
            torch.testing.assert_close(parts[name], whole[name], atol=1e-4, rtol=1e-3, msg=name)
    assert (half["moved"] - whole["moved"]).norm() > 0.2 * norm, "the bound must be able to fail"


def test_weights_that_are_cut_make_the_steps_of_whole_ones(two: list[Found], tmp_path: Path) -> None:
    """Without a bound on the gradients, which would hide sums in place of means."""
    whole = steps(tmp_path, clip=None)
    for found in two:
        parts = found["sharded"]
        for name in ("moved", "moments"):
            assert torch.equal(parts[name], two[0]["sharded"][name])
            assert (parts[name] - whole[name]).norm() < 0.01 * whole[name].norm(), name
        for name in whole.keys() - {"moved", "moments"}:
            torch.testing.assert_close(parts[name], whole[name], atol=1e-4, rtol=1e-3, msg=name)


def test_a_share_that_is_not_finite_stops_all_processes(two: list[Found]) -> None:
    for found in two:
        assert "weights of the generator are not finite" in found["spoilt"]


def test_each_process_keeps_its_share_of_the_generator(two: list[Found], tmp_path: Path) -> None:
    alone = second_stage(tmp_path, sharded=True, ema=0.9)
    every = {name: sum(map(torch.numel, part.parameters())) for name, part in alone.modules.items()}
    for name in ("generator", "average"):
        counts = [found["kept"][name] for found in two]
        assert sum(counts) == every["generator"], name
        assert max(counts) < 0.6 * every["generator"], name
    assert [found["kept"]["discriminator"] for found in two] == [every["discriminator"]] * 2
