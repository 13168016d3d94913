"""Starting from another model: the same one exactly, a smaller one's picture enlarged."""

import pytest
import torch
from torch.nn import functional as F

from pg2.errors import Pg2Error
from pg2.models.config import CoarseConfig, ModelConfig, PoseConfig, RefineConfig
from pg2.models.pg2 import PG2
from pg2.models.transfer import start_from


def config(
    factor: int = 1, unshuffle: int = 2, shrink: int = 2, embedding: str = "input", **changes: object
) -> ModelConfig:
    return ModelConfig(
        frame=(32 * factor, 16 * factor),
        pose=PoseConfig.model_validate({"embedding": embedding, "shrink": shrink * factor}),
        coarse=CoarseConfig(width=8, blocks=2, unshuffle=unshuffle * factor),
        refine=RefineConfig(width=8, blocks=2, unshuffle=2 * factor),
    ).model_copy(update=changes)


@pytest.mark.parametrize("embedding", ["input", "heatmaps", "coordinates"])
@pytest.mark.parametrize(("unshuffle", "shrink", "factor"), [(1, 1, 4), (2, 2, 2), (2, 1, 2), (4, 2, 1)])
def test_a_grown_model_makes_the_small_ones_picture(
    unshuffle: int, shrink: int, factor: int, embedding: str
) -> None:
    torch.manual_seed(0)
    small, large = (PG2(config(times, unshuffle, shrink, embedding)) for times in (1, factor))
    start_from(large, small)
    source = torch.rand(2, 3, 32 * factor, 16 * factor)
    pose = (
        torch.rand(2, 18, 3) if embedding == "coordinates" else torch.rand(2, 18, 32 // shrink, 16 // shrink)
    )
    made = large(source, pose)
    wanted = small(F.avg_pool2d(source, factor), pose)
    assert wanted.coarse.std() > 0.01
    for one, other in zip(made, wanted, strict=True):
        torch.testing.assert_close(one, F.interpolate(other, scale_factor=factor))


def test_a_stage_that_only_one_has_is_left_alone() -> None:
    one_stage, both = PG2(config(refine=None)), PG2(config())
    assert both.refine is not None
    before = {name: value.clone() for name, value in both.refine.state_dict().items()}
    start_from(both, one_stage)
    assert all(torch.equal(value, both.refine.state_dict()[name]) for name, value in before.items())
    start_from(PG2(config(refine=None)), both)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frame": (48, 24)}, "a whole multiple"),
        ({"frame": (32, 32)}, "a whole multiple"),
        ({"coarse": CoarseConfig(width=16, blocks=2, unshuffle=2)}, "model.coarse.width must be 8, not 16"),
        ({"refine": RefineConfig(width=8, blocks=3, unshuffle=2)}, "model.refine.blocks must be 2, not 3"),
        ({"pose": PoseConfig(shrink=1)}, "model.pose.shrink must be 2, not 1"),
        ({"pose": PoseConfig(embedding="heatmaps", shrink=2)}, "embedding must be input, not heatmaps"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(Pg2Error, match=words):
        start_from(PG2(config(**changes)), PG2(config()))
