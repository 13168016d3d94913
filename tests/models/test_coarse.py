"""The exact networks by their parameter counts; the compact family; shapes and gradients."""

import pytest
import torch
from model_samples import inputs
from pydantic import ValidationError
from torch import nn

from pg2.models.coarse import CoarseGenerator
from pg2.models.config import CoarseConfig, ModelConfig, PoseConfig
from pg2.pose.maps import heatmaps


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_exact_g1_has_the_parameters_of_the_released_graph() -> None:
    with torch.device("meta"):
        assert count(CoarseGenerator(CoarseConfig(width=128, blocks=5), (128, 64))) == 70_795_075


def test_exact_g1_at_256() -> None:
    """Counted by hand from the paper's description: six levels."""
    with torch.device("meta"):
        g1 = CoarseGenerator(CoarseConfig(width=128, blocks=6), (256, 256))
        assert g1(inputs(1, (256, 256))).shape == (1, 3, 256, 256)
        assert g1.smallest == (8, 8)
        assert (g1.squeeze.in_features, g1.squeeze.out_features) == (8 * 8 * 768, 64)
        h = 128

        def conv(a: int, b: int, k: int = 3) -> int:
            return a * b * k * k + b

        encoder = conv(21, h) + sum(2 * conv(h * i, h * i) for i in range(1, 7))
        encoder += sum(conv(h * i, h * (i + 1)) for i in range(1, 6))
        dense = 64 * 768 * 64 + 64 + 64 * 128 * 64 + 128 * 64
        joined = [h + 6 * h] + [2 * h * i for i in (5, 4, 3, 2, 1)]
        decoder = sum(2 * conv(c, c) for c in joined)
        decoder += sum(conv(c, h * i, 1) for c, i in zip(joined, (5, 4, 3, 2, 1), strict=False))
        assert count(g1) == encoder + dense + decoder + conv(2 * h, 3)


def test_embeddings_change_the_stem_and_the_bottleneck_alone() -> None:
    """CE and HME (Table 1): 18 channels less at the input, z more values at the bottleneck."""

    def made(embedding: str) -> CoarseGenerator:
        with torch.device("meta"):
            pose = PoseConfig.model_validate({"embedding": embedding})
            return CoarseGenerator(CoarseConfig(width=128, blocks=5), (128, 64), pose)

    plain, embedded = count(made("input")), made("coordinates")
    entering, leaving = 18 * 9 * 128, 64 * 128 * 8 * 4
    assert embedded.pose is not None
    assert count(embedded) - count(embedded.pose) == plain - entering + leaving
    assert count(embedded.pose) == (54 * 64 + 64) + (64 * 64 + 64)
    drawn = made("heatmaps")
    assert drawn.pose is not None
    assert count(drawn) - count(drawn.pose) == plain - entering + leaving


@pytest.mark.parametrize("embedding", ["heatmaps", "coordinates"])
def test_an_embedded_pose_changes_the_picture(embedding: str) -> None:
    torch.manual_seed(0)
    model = CoarseGenerator(compact[0], (32, 16), PoseConfig.model_validate({"embedding": embedding}))
    given = inputs()
    assert not torch.equal(model(given), model(given._replace(target_keypoints=given.source_keypoints)))


def test_more_is_left_of_heat_maps_after_an_encoder_that_begins_larger() -> None:
    torch.manual_seed(0)
    config = CoarseConfig(width=8, blocks=4, unshuffle=2)
    model = CoarseGenerator(config, (64, 32), PoseConfig(embedding="heatmaps"))
    maps = torch.rand(8, 18, 64, 32)
    assert model.pose is not None
    model.initialise()
    image_weight, before = model.squeeze.weight.clone(), model.pose(maps).std(0).mean()
    model.enlarge_pose()
    assert model.pose(maps).std(0).mean() > 3 * before
    assert torch.equal(model.squeeze.weight, image_weight)


compact = [
    CoarseConfig(width=8, blocks=3, unshuffle=2, slim_decoder=True),
    CoarseConfig(width=8, blocks=2, unshuffle=4),
    CoarseConfig(width=8, blocks=4, slim_decoder=True),
    CoarseConfig(width=8, blocks=1),
]


@pytest.mark.parametrize("embedding", ["input", "heatmaps", "coordinates"])
@pytest.mark.parametrize("config", compact)
def test_every_parameter_of_g1_gets_a_gradient(config: CoarseConfig, embedding: str) -> None:
    torch.manual_seed(0)
    model = CoarseGenerator(config, (32, 16), PoseConfig.model_validate({"embedding": embedding}))
    image = model(inputs(8))
    assert image.shape == (8, 3, 32, 16)
    image.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_the_bottleneck_reaches_every_place() -> None:
    """The paper's reason for it: a corner of the input moves the far corner of the output."""
    torch.manual_seed(0)
    model = CoarseGenerator(CoarseConfig(width=8, blocks=2), (64, 32))
    given = inputs(1, (64, 32))
    other = given._replace(source=given.source.clone())
    other.source[0, :, 0, 0] ^= 255
    assert not torch.equal(model(given)[0, :, -1, -1], model(other)[0, :, -1, -1])


def test_the_model_draws_the_pose_as_its_own_settings_say() -> None:
    """Nobody else can give it maps of another radius."""
    torch.manual_seed(0)
    given = inputs(1)
    seen: list[torch.Tensor] = []
    for radius in (1.0, 3.0):
        model = CoarseGenerator(CoarseConfig(width=8, blocks=2), (32, 16), PoseConfig(radius=radius))
        model.stem.register_forward_hook(lambda _, arguments, __: seen.append(arguments[0][:, 3:]))
        model(given)
        assert torch.equal(seen[-1], heatmaps(given.target_keypoints, (32, 16), radius))
    assert seen[0].sum() < seen[1].sum()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"frame": (100, 64)}, "must divide by 16"),
        ({"frame": (128, 64), "coarse": {"blocks": 8}}, "must divide by 128"),
        ({"frame": (32, 16), "coarse": {"blocks": 2}, "refine": {"unshuffle": 8}}, "refine"),
    ],
)
def test_a_frame_that_does_not_divide_is_refused(values: dict[str, object], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        ModelConfig.model_validate(values)
