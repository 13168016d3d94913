"""Starting from another model: the same one exactly, a smaller one's picture enlarged."""

import pytest
import torch
from model_samples import inputs
from torch.nn import functional as F

from pg2.errors import Pg2Error
from pg2.models.config import CoarseConfig, DifferenceConfig, ModelConfig, PoseConfig
from pg2.models.pg2 import PG2


def config(
    factor: int = 1, unshuffle: int = 2, shrink: int = 2, embedding: str = "input", **changes: object
) -> ModelConfig:
    return ModelConfig(
        frame=(32 * factor, 16 * factor),
        pose=PoseConfig.model_validate({"embedding": embedding, "shrink": shrink * factor}),
        coarse=CoarseConfig(width=8, blocks=2, unshuffle=unshuffle * factor),
        refine=DifferenceConfig(width=8, blocks=2, unshuffle=2 * factor),
    ).model_copy(update=changes)


@pytest.mark.parametrize("embedding", ["input", "heatmaps", "coordinates"])
@pytest.mark.parametrize(("unshuffle", "shrink", "factor"), [(1, 1, 4), (2, 2, 2), (2, 1, 2), (4, 2, 1)])
def test_a_grown_model_makes_the_small_ones_picture(
    unshuffle: int, shrink: int, factor: int, embedding: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    small, large = (PG2(config(times, unshuffle, shrink, embedding)) for times in (1, factor))
    large.start_from(small)
    given = inputs(2, (32, 16))
    enlarged = given._replace(source=F.interpolate(given.source, scale_factor=factor))
    # Both see the same maps; drawn at another shrink factor, discs have another edge.
    drawn = small.coarse.draw(given.target_keypoints)
    monkeypatch.setattr(large.coarse, "draw", lambda _: drawn)
    made, wanted = large(enlarged), small(given)
    assert wanted.pictures["coarse"].std() > 0.01
    torch.testing.assert_close(made.image, F.interpolate(wanted.image, scale_factor=factor))
    for name, picture in wanted.pictures.items():
        torch.testing.assert_close(made.pictures[name], F.interpolate(picture, scale_factor=factor))


def test_a_stage_that_only_one_has_is_left_alone() -> None:
    one_stage, both = PG2(config(refine=None)), PG2(config())
    assert both.refine is not None
    before = {name: value.clone() for name, value in both.refine.state_dict().items()}
    both.start_from(one_stage)
    assert all(torch.equal(value, both.refine.state_dict()[name]) for name, value in before.items())
    PG2(config(refine=None)).start_from(both)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"frame": (48, 24)}, "a whole multiple"),
        ({"frame": (32, 32)}, "a whole multiple"),
        ({"coarse": CoarseConfig(width=16, blocks=2, unshuffle=2)}, "model.coarse.width must be 8, not 16"),
        (
            {"refine": DifferenceConfig(width=8, blocks=3, unshuffle=2)},
            "model.refine.blocks must be 2, not 3",
        ),
        ({"pose": PoseConfig(shrink=1)}, "model.pose.shrink must be 2, not 1"),
        ({"pose": PoseConfig(embedding="heatmaps", shrink=2)}, "embedding must be input, not heatmaps"),
    ],
)
def test_what_does_not_fit_is_named(changes: dict[str, object], words: str) -> None:
    with pytest.raises(Pg2Error, match=words):
        PG2(config(**changes)).start_from(PG2(config()))
