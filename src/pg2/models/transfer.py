"""Starting a model from another one's weights: the same, or one that was trained on smaller pictures."""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.errors import Pg2Error
from pg2.models.coarse import POSE_CHANNELS
from pg2.models.config import CoarseConfig, ModelConfig, RefineConfig
from pg2.models.pg2 import PG2


def start_from(model: PG2, start: PG2) -> None:
    """Copy the weights of `start` into `model`; a stage that only one of them has is left alone.

    Where `model`'s pictures are k times as large and its stems unshuffle by k times as much, both work on
    the same grid inside, and only stem and head have other shapes. They are spread so that at first `model`
    makes what `start` makes of the source scaled down k times, enlarged k times. So a model grows from
    small pictures, on which poses are learned in a fraction of the time, to large ones.

    Raises:
        Pg2Error: the networks differ in another setting than that.
    """
    new, old = model.config, start.config
    factor = _factor(new, old)
    ratio, maps = old.coarse.unshuffle // old.pose.shrink, 0 if model.coarse.pose else POSE_CHANNELS
    _copy(
        model.coarse,
        start.coarse,
        _stem_inputs(3, old.coarse.unshuffle, factor, new.pose.shrink, ratio, maps),
        _stem_inputs(3, old.coarse.unshuffle, 1, old.pose.shrink, ratio, maps),
    )
    if model.refine is not None and start.refine is not None:
        assert old.refine is not None
        side = old.refine.unshuffle
        _copy(
            model.refine,
            start.refine,
            _stem_inputs(6, side, factor, 1, side * factor, 0),
            _stem_inputs(6, side, 1, 1, side, 0),
        )


def _factor(new: ModelConfig, old: ModelConfig) -> int:
    """How many times larger the new pictures are.

    Raises:
        Pg2Error: the settings do not fit together.
    """
    factor = new.frame[0] // old.frame[0]
    if new.frame != (old.frame[0] * factor, old.frame[1] * factor):
        raise Pg2Error(
            f"a model for {old.frame[0]}x{old.frame[1]} cannot start one for {new.frame[0]}x{new.frame[1]}; "
            "a whole multiple of its frame is needed"
        )
    stages: list[tuple[str, CoarseConfig | RefineConfig, CoarseConfig | RefineConfig]]
    stages = [("coarse", new.coarse, old.coarse)]
    if new.refine is not None and old.refine is not None:
        stages.append(("refine", new.refine, old.refine))
    for stage, here, there in stages:
        wanted = there.model_dump() | {"unshuffle": there.unshuffle * factor}
        # How a network starts from nothing does not matter here.
        wanted.pop("zero_start", None)
        for name, value in wanted.items():
            if getattr(here, name) != value:
                raise Pg2Error(
                    f"the model to start from does not fit the recipe: model.{stage}.{name} must be {value}, "
                    f"not {getattr(here, name)}"
                )
    if new.pose.embedding != old.pose.embedding:
        raise Pg2Error(
            "the model to start from does not fit the recipe: model.pose.embedding must be "
            f"{old.pose.embedding}, not {new.pose.embedding}"
        )
    if new.pose.shrink != old.pose.shrink * factor:
        raise Pg2Error(
            "the model to start from does not fit the recipe: model.pose.shrink must be "
            f"{old.pose.shrink * factor}, not {new.pose.shrink}"
        )
    return factor


def _stem_inputs(channels: int, side: int, factor: int, shrink: int, ratio: int, maps: int) -> Tensor:
    """What each input channel of a stem's conv holds, as a number that both models agree on, [inputs].

    Made by sending numbered places of one cell of the grid through the same rearrangement as a picture.

    Args:
        channels: of the picture.
        side: of a cell in pixels of the smaller model.
        factor: 1 for the smaller model; times which the larger one's cells are larger.
        shrink: factor of the picture's first unshuffling, that brings it to the heat maps' size.
        ratio: factor of the second one, of everything.
        maps: number of heat maps.
    """
    places = torch.arange(channels * side * side, dtype=torch.float32).view(1, channels, side, side)
    places = F.interpolate(places, scale_factor=factor, mode="nearest")
    places = F.pixel_unshuffle(places, shrink)
    drawn = channels * side * side + torch.arange(maps * ratio * ratio, dtype=torch.float32)
    both = torch.cat((places, drawn.view(1, maps, ratio, ratio)), 1) if maps else places
    return F.pixel_unshuffle(both, ratio).flatten().long()


def _copy(model: nn.Module, start: nn.Module, new_inputs: Tensor, old_inputs: Tensor) -> None:
    """Copy a generator, its stem and head spread where the new one's are larger."""
    state, own = start.state_dict(), model.state_dict()
    # An old channel that several new ones hold is their mean.
    times = new_inputs.bincount()[new_inputs]
    weight = state["stem.1.weight"][:, old_inputs.argsort()[new_inputs]]
    state["stem.1.weight"] = weight / times[:, None, None]
    before, after = (int((tensors["head.0.bias"].numel() // 3) ** 0.5) for tensors in (state, own))
    cells = torch.arange(3 * before * before).view(3, before, before)
    cells = cells.repeat_interleave(after // before, 1).repeat_interleave(after // before, 2).flatten()
    for name in ("head.0.weight", "head.0.bias"):
        state[name] = state[name][cells]
    model.load_state_dict(state)
