"""Checkpoints: complete, atomic, and refused when they are not ours."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from pg2.errors import Pg2Error
from pg2.io.tensors import load_tensors
from pg2.training.checkpoint import load_checkpoint, read_progress, save_checkpoint


def trained(seed: int) -> tuple[nn.Module, torch.optim.Adam]:
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))
    optimiser = torch.optim.Adam(module.parameters(), 0.1, betas=(0.5, 0.999))
    step(module, optimiser)
    return module, optimiser


def step(module: nn.Module, optimiser: torch.optim.Adam) -> None:
    module(torch.randn(5, 3)).square().sum().backward()
    optimiser.step()
    optimiser.zero_grad()


def test_training_goes_on_bit_for_bit(tmp_path: Path) -> None:
    module, optimiser = trained(0)
    random.seed(3)
    np.random.seed(4)
    save_checkpoint(tmp_path / "c", {"m": module}, {"o": optimiser}, {"step": 7})
    expected_draws = random.random(), np.random.rand(), torch.rand(1).item()
    torch.manual_seed(9)
    step(module, optimiser)

    other, other_optimiser = trained(1)
    assert load_checkpoint(tmp_path / "c", {"m": other}, {"o": other_optimiser}) == {"step": 7}
    assert (random.random(), np.random.rand(), torch.rand(1).item()) == expected_draws
    torch.manual_seed(9)
    step(other, other_optimiser)
    for name, value in module.state_dict().items():
        assert torch.equal(value, other.state_dict()[name]), name


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module, optimiser = trained(0)
    save_checkpoint(tmp_path / "c", {"m": module}, {"o": optimiser}, {"step": 1})
    before = (tmp_path / "c").read_bytes()

    def full(_: object, path: Path, *__: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pg2.io.tensors.save_file", full)
    with pytest.raises(Pg2Error, match="no space left on device"):
        save_checkpoint(tmp_path / "c", {"m": module}, {"o": optimiser}, {"step": 2})
    assert (tmp_path / "c").read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["c"]


def test_files_that_are_no_checkpoint_of_this(tmp_path: Path) -> None:
    module, optimiser = trained(0)
    path = tmp_path / "c"
    with pytest.raises(Pg2Error, match="is missing"):
        load_checkpoint(path, {"m": module}, {})
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(Pg2Error, match="damaged or truncated"):
        load_checkpoint(path, {"m": module}, {})
    save_file({"a": torch.zeros(1)}, path)
    with pytest.raises(Pg2Error, match="not a checkpoint of this run"):
        load_checkpoint(path, {"m": module}, {})
    save_checkpoint(path, {"m": nn.Linear(9, 9)}, {}, {})
    with pytest.raises(Pg2Error, match="not a checkpoint of this run"):
        load_checkpoint(path, {"m": module}, {})
    save_file({"a": torch.zeros(1)}, path, {"checkpoint": '{"format": 99}'})
    with pytest.raises(Pg2Error, match="newer pg2"):
        load_checkpoint(path, {"m": module}, {"o": optimiser})


def test_damage_of_every_part_is_refused(tmp_path: Path) -> None:
    """Whatever a checkpoint holds is refused when it is read, not met in the middle of the training."""
    module, optimiser = trained(0)
    path = tmp_path / "c"
    save_checkpoint(path, {"m": module}, {"o": optimiser}, {"step": 1})
    tensors, metadata = load_tensors(path)
    about = json.loads(metadata["checkpoint"])

    def refused(about: Any, tensors: dict[str, torch.Tensor]) -> None:
        text = about if isinstance(about, str) else json.dumps(about)
        save_file(tensors, path, {"checkpoint": text})
        other, other_optimiser = trained(1)
        with pytest.raises(Pg2Error, match="is not a checkpoint of this run"):
            load_checkpoint(path, {"m": other}, {"o": other_optimiser})

    for name in ("format", "progress", "groups", "random"):
        refused({key: value for key, value in about.items() if key != name}, tensors)
        for value in ("x", [], 5, None):
            if (name, value) != ("format", 5):  # of a newer pg2
                refused({**about, name: value}, tensors)
    refused({**about, "groups": {"o": []}}, tensors)
    refused({**about, "random": {**about["random"], "python": [3, [10**30] * 625, None]}}, tensors)
    refused([], tensors)
    refused("[" * 100_000, tensors)
    moment = "optimiser/o/0/exp_avg"
    refused(about, {**tensors, moment: torch.zeros(2, 2)})
    refused(about, {name: value for name, value in tensors.items() if name != moment})
    refused(about, {**tensors, "optimiser/o/99/exp_avg": torch.zeros(2, 2)})
    refused(about, {**tensors, "optimiser/o/x/y": torch.zeros(2, 2)})


def test_the_settings_of_an_optimiser_are_the_recipe_s(tmp_path: Path) -> None:
    module, optimiser = trained(0)
    optimiser.param_groups[0]["betas"] = ("much", "more")
    save_checkpoint(tmp_path / "c", {"m": module}, {"o": optimiser}, {"step": 1})
    other, other_optimiser = trained(1)
    load_checkpoint(tmp_path / "c", {"m": other}, {"o": other_optimiser})
    assert other_optimiser.param_groups[0]["betas"] == (0.5, 0.999)
    step(other, other_optimiser)


@pytest.mark.parametrize(
    "progress",
    [
        [],
        {},
        {"step": 5},
        {"step": "5", "seconds": 1.0},
        {"step": 5.5, "seconds": 1.0},
        {"step": -1, "seconds": 1.0},
        {"step": 5, "seconds": "long"},
        {"step": 5, "seconds": float("inf")},
        {"step": 5, "seconds": 1.0, "best": "much"},
        {"step": 5, "seconds": 1.0, "sums": [1.0], "counted": 1},
        {"step": 5, "seconds": 1.0, "sums": {"l1": "much"}, "counted": 1},
        {"step": 5, "seconds": 1.0, "sums": {"l1": 1.0}},
        {"step": 5, "seconds": 1.0, "sums": {"l1": 1.0}, "counted": 6},
    ],
)
def test_progress_is_numbers(tmp_path: Path, progress: Any) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "c", {"checkpoint": json.dumps({"progress": progress})})
    with pytest.raises(Pg2Error, match="c is not a checkpoint of a run"):
        read_progress(tmp_path / "c")


def test_progress_is_read_without_the_tensors(tmp_path: Path) -> None:
    module, optimiser = trained(0)
    progress = {
        "step": 7,
        "seconds": 2,
        "best": None,
        "owes_validation": True,
        "sums": {"l1": 0.5},
        "counted": 2,
    }
    save_checkpoint(tmp_path / "c", {"m": module}, {"o": optimiser}, progress)
    assert read_progress(tmp_path / "c") == progress
