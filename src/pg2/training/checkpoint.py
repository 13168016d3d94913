"""A checkpoint: one safetensors file that carries all of a stage's state, replaced atomically."""

import json
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pg2.errors import Pg2Error
from pg2.io.tensors import load_tensors, read_metadata, save_tensors
from pg2.training.sharding import cut_as, load_whole, whole

# What comes of a file that was written by something else; a RecursionError is JSON a thousand brackets deep.
_WRONG = (LookupError, ValueError, TypeError, RuntimeError, AttributeError, OverflowError)
_MOMENTS = {"step", "exp_avg", "exp_avg_sq"}  # what Adam keeps of each parameter

FORMAT = 1
CHECKPOINT = "checkpoint.safetensors"
"""The checkpoint's name in the folder of its stage."""


def _random_state() -> tuple[dict[str, Tensor], dict[str, Any]]:
    kind, keys, *rest = np.random.get_state(legacy=True)
    tensors = {
        "random/torch": torch.get_rng_state(),
        "random/numpy": torch.from_numpy(np.array(keys, np.int64)),
    }
    return tensors, {"python": random.getstate(), "numpy": [kind, *rest]}


def _restore_random_state(tensors: Mapping[str, Tensor], described: Mapping[str, Any]) -> None:
    torch.set_rng_state(tensors["random/torch"])
    kind, *rest = described["numpy"]
    np.random.set_state((kind, tensors["random/numpy"].numpy().astype(np.uint32), *rest))
    version, words, gauss = described["python"]
    random.setstate((version, tuple(words), gauss))


def save_checkpoint(
    path: Path,
    modules: Mapping[str, nn.Module],
    optimisers: Mapping[str, Optimizer],
    progress: Mapping[str, Any],
    writes: bool = True,
) -> None:
    """Write modules, optimisers, random states and `progress` (JSON values) as one file, atomically.

    `writes`: whether this process does. What is cut among processes is brought together, so that all of them
    have to call this.

    Raises:
        Pg2Error: the disk is full; the checkpoint that was there is untouched.
    """
    tensors, described = _random_state()
    for name, module in modules.items():
        tensors |= {f"module/{name}/{key}": value for key, value in module.state_dict().items()}
    groups: dict[str, Any] = {}
    for name, optimiser in optimisers.items():
        state = optimiser.state_dict()
        groups[name] = state["param_groups"]
        for number, entries in state["state"].items():
            tensors |= {f"optimiser/{name}/{number}/{key}": value for key, value in entries.items()}
    # On the device nothing is copied. safetensors refuses two names for one memory, as buffers may be.
    places: set[int] = set()
    for name, value in tensors.items():
        value = whole(value)
        if not writes:
            continue
        tensors[name] = value = value.detach().cpu()
        if value.numel() and value.data_ptr() in places:
            tensors[name] = value.clone()
        places.add(value.data_ptr())
    if not writes:
        return
    about = {"format": FORMAT, "progress": dict(progress), "groups": groups, "random": described}
    save_tensors(path, tensors, {"checkpoint": json.dumps(about)})


def load_checkpoint(
    path: Path, modules: Mapping[str, nn.Module], optimisers: Mapping[str, Optimizer]
) -> dict[str, Any]:
    """Restore all that `save_checkpoint` wrote, and return its `progress`.

    Modules that are not asked for stay unread, so that a later stage can take one module of an earlier.

    Raises:
        Pg2Error: the file is damaged, of a newer format, or of another model.
    """
    tensors, metadata = load_tensors(path)
    try:
        about = json.loads(metadata["checkpoint"])
        if about["format"] > FORMAT:
            raise Pg2Error(f"{path} was written by a newer pg2 (format {about['format']}); upgrade pg2")
        for name, module in modules.items():
            load_whole(module, _below(tensors, f"module/{name}/"))
        for name, optimiser in optimisers.items():
            _load_optimiser(optimiser, _below(tensors, f"optimiser/{name}/"), about["groups"][name])
        if optimisers:
            _restore_random_state(tensors, about["random"])
        progress: dict[str, Any] = about["progress"]
        if not isinstance(progress, dict):
            raise TypeError("no progress")
    except _WRONG as error:
        raise Pg2Error(f"{path} is not a checkpoint of this run ({type(error).__name__})") from error
    return progress


def _below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): value for key, value in tensors.items() if key.startswith(prefix)}


def _load_optimiser(
    optimiser: Optimizer, tensors: Mapping[str, Tensor], settings: Sequence[Mapping[str, Any]]
) -> None:
    """Restore the moments of an optimiser, "number of the parameter/entry", and its learning rates."""
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for key, value in tensors.items():
        number, entry = key.split("/")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:
            value = cut_as(value, parameter)
        state.setdefault(int(number), {})[entry] = value
    # Its settings are the recipe's, which a run does not change, but for the learning rate.
    groups = optimiser.state_dict()["param_groups"]
    for group, saved in zip(groups, settings, strict=True):
        group["lr"] = float(saved["lr"])
        if not math.isfinite(group["lr"]):
            raise ValueError("no learning rate")
    optimiser.load_state_dict({"state": state, "param_groups": groups})
    for parameter, entries in optimiser.state.items():
        if entries.keys() != _MOMENTS:
            raise ValueError(f"an optimiser that keeps {sorted(entries)}")
        for entry, value in entries.items():
            if value.shape == parameter.shape:
                # In the weights' own memory layout, without which each step is several times slower.
                entries[entry] = torch.empty_like(parameter).copy_(value)
            elif value.numel() > 1:
                raise ValueError(f"{entry} of another shape")


def read_progress(path: Path) -> dict[str, Any]:
    """The `progress` of a stage's checkpoint, of which the tensors are not read.

    Returns:
        step and seconds, and whatever else was saved with them; best is a number or None, sums are numbers by
        name, over the last `counted` steps.

    Raises:
        Pg2Error: the file is damaged, or no checkpoint.
    """
    try:
        progress = json.loads(read_metadata(path)["checkpoint"])["progress"]
        step, seconds, best = progress["step"], float(progress["seconds"]), progress.get("best")
        if type(step) is not int or step < 0 or not math.isfinite(seconds):
            raise ValueError("no number of steps")
        counted = progress.get("counted", 0)
        sums = {str(name): float(value) for name, value in progress.get("sums", {}).items()}
        if type(counted) is not int or not (0 < counted <= step if sums else counted == 0):
            raise ValueError("no number of steps that are summed")
        best = None if best is None else float(best)
        return {**progress, "seconds": seconds, "best": best, "sums": sums, "counted": counted}
    except _WRONG as error:
        raise Pg2Error(f"{path} is not a checkpoint of a run ({type(error).__name__})") from error
