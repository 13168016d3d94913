"""The transport refiner: what it fetches without training, gradients, and inputs that are hardly there."""

from typing import Any

import pytest
import torch
from model_samples import inputs
from torch.nn import functional as F

from pg2.errors import Pg2Error
from pg2.io.pixels import to_unit
from pg2.models.config import TransportConfig
from pg2.models.inputs import Inputs
from pg2.models.refine import transport
from pg2.models.refine.transport import TransportRefiner
from pg2.pose.parts import part_transforms

FRAME = (64, 32)
SMALL = {"kind": "transport", "widths": (8, 16), "finish": 8, "stride": 4}


def refiner(**settings: object) -> TransportRefiner:
    torch.manual_seed(0)
    network = TransportRefiner(TransportConfig.model_validate(SMALL | settings), FRAME)
    network.initialise()
    return network


def smooth(count: int = 2) -> Inputs:
    """Pictures without edges, and upright people."""
    torch.manual_seed(1)
    noise = torch.rand(count, 3, 8, 4)
    source = (F.interpolate(noise, FRAME, mode="bicubic").clamp(0, 1) * 255).to(torch.uint8)
    x = torch.tensor([16, 16, 10, 8, 7, 22, 24, 25, 12, 12, 12, 20, 20, 20, 15, 17, 13, 19.0])
    y = torch.tensor([8, 14, 15, 24, 32, 15, 24, 32, 33, 44, 56, 33, 44, 56, 7, 7, 8, 8.0])
    pose = torch.stack((x, y), -1).expand(count, -1, -1).clone()
    return Inputs(source, pose, pose.clone())


def test_in_its_own_pose_the_source_is_fetched_as_it_is() -> None:
    given = smooth()
    output = refiner(reach=0.0)(given, torch.zeros(2, 3, *FRAME))
    torch.testing.assert_close(output.pictures["warped"], to_unit(given.source), atol=0.03, rtol=0)


def test_a_shifted_pose_fetches_the_shifted_picture() -> None:
    given = smooth()
    shifted = given._replace(target_keypoints=given.target_keypoints + torch.tensor((3.0, 2.0)))
    network = refiner(reach=0.0, sharpness=20.0)
    warped = network(shifted, torch.zeros(2, 3, *FRAME)).pictures["warped"]
    wanted = torch.roll(to_unit(given.source), (2, 3), (2, 3))
    trunk = (..., slice(22, 32), slice(17, 21))
    torch.testing.assert_close(warped[trunk], wanted[trunk], atol=0.02, rtol=0)


def everywhere(network: TransportRefiner) -> TransportRefiner:
    """One that sees the target's person wherever it looks, and copies all of it."""
    with torch.no_grad():
        for name in ("finer", "full"):
            layer = getattr(network, name)
            layer.weight.zero_()
        network.full.bias.fill_(9.0)
    return network


def test_beyond_the_edge_colours_go_on_and_detail_does_not() -> None:
    given = smooth()
    stripes = torch.where(torch.arange(32) % 4 < 2, 255, 0).to(torch.uint8).expand(2, 3, 64, 32)
    # The upper body alone is in the source: the target's legs are fetched from below it.
    source_pose = given.source_keypoints + torch.tensor((0.0, 34.0))
    network = everywhere(refiner(reach=0.0))
    output = network(given._replace(source=stripes, source_keypoints=source_pose), torch.zeros(2, 3, *FRAME))
    below = output.maps["fetched"][..., 1] > 63 + 6
    assert below.sum() > 300
    warped, mask = output.pictures["warped"].movedim(1, -1), output.pictures["mask"][:, 0]
    assert warped[below].abs().max() < 0.3
    assert mask[below].max() == 0
    within = (output.maps["fetched"][..., 1] < 63) & (output.pictures["silhouette"][:, 0] > 0.9)
    assert within.any()
    assert mask[within].min() > 0.9


def test_nobody_is_far_from_the_pose() -> None:
    """Though the network sees somebody everywhere."""
    frame = (256, 256)
    torch.manual_seed(0)
    network = TransportRefiner(TransportConfig.model_validate(SMALL), frame)
    network.initialise()
    given = inputs(1, frame)
    small = smooth(1).source_keypoints * 1.5 + torch.tensor((150.0, 20.0))
    given = given._replace(source_keypoints=small, target_keypoints=small)
    silhouette = everywhere(network)(given, torch.zeros(1, 3, *frame)).pictures["silhouette"][0, 0]
    x, y = small[0].T.round().long()
    assert silhouette[y, x].min() > 0.99
    assert silhouette[:, :80].max() == 0
    # Below the trunk there may be more of the person than the pose says.
    assert silhouette[-1, int(x[8])] > 0.99


def test_pictures_and_maps_have_the_shapes_that_are_said() -> None:
    network = refiner()
    output = network(smooth(), torch.zeros(2, 3, *FRAME))
    assert list(output.pictures) == list(network.pictures)
    assert output.image.shape == output.pictures["warped"].shape == (2, 3, *FRAME)
    for mask in ("mask", "silhouette"):
        values = output.pictures[mask].detach()
        assert values.shape == (2, 1, *FRAME)
        assert bool(((values >= 0) & (values <= 1)).all())
    assert output.maps["places"].shape == (2, 16, 8, 2)


@pytest.mark.parametrize("segment", [(), (8, 16)])
def test_every_parameter_gets_a_gradient(segment: tuple[int, ...]) -> None:
    network = refiner(segment=segment)
    output = network(inputs(4, FRAME), torch.randn(4, 3, *FRAME))
    maps = ("copied", "source_silhouette", "odds", "painted")
    parts = (output.image, output.pictures["warped"], *(output.maps[name] for name in maps))
    sum(part.square().mean() for part in parts).backward()  # type: ignore[union-attr]
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize(
    ("source", "target"),
    [
        ("all", "none"),
        ("none", "all"),
        ("none", "none"),
        ("upper", "lower"),
        ("far", "far"),
        ("one place", "all"),
    ],
)
@pytest.mark.parametrize(("background", "segment"), [("keep", ()), ("keep", (8, 16)), ("expected", ())])
def test_poses_that_are_hardly_there_give_a_picture(
    source: str, target: str, background: str, segment: tuple[int, ...]
) -> None:
    given = smooth()
    pose = given.source_keypoints

    def made(kind: str) -> torch.Tensor:
        changed = pose.clone()
        if kind == "none":
            changed[:] = torch.nan
        elif kind == "upper":
            changed[:, 8:14] = torch.nan
        elif kind == "lower":
            changed[:, [*range(8), 14, 15, 16, 17]] = torch.nan
        elif kind == "far":
            changed += 1e5
        elif kind == "one place":
            changed[:] = 5.0
        return changed

    output = refiner(background=background, segment=segment)(
        Inputs(given.source, made(source), made(target)), torch.zeros(2, 3, *FRAME)
    )
    for picture in (output.image, *output.pictures.values(), *output.maps.values()):
        assert picture.isfinite().all()


def test_it_runs_anywhere() -> None:
    with torch.device("meta"):
        network = TransportRefiner(TransportConfig.model_validate(SMALL), FRAME)
    output = network(inputs(2, FRAME).to("meta"), torch.zeros(2, 3, *FRAME, device="meta"))
    assert output.image.shape == (2, 3, *FRAME)


def test_it_goes_on_from_its_own_size_alone() -> None:
    network, start = refiner(), TransportRefiner(TransportConfig.model_validate(SMALL), FRAME)
    start.initialise()
    network.start_from(start, 1)
    assert torch.equal(network.stem.weight, start.stem.weight)
    with pytest.raises(Pg2Error, match="not 2 times as small"):
        network.start_from(start, 2)
    wider = TransportRefiner(TransportConfig.model_validate(SMALL | {"finish": 16}), FRAME)
    with pytest.raises(Pg2Error, match=r"model\.refine\.finish must be 16, not 8"):
        network.start_from(wider, 1)


def test_another_background_is_no_other_network() -> None:
    given, coarse = smooth(), torch.zeros(2, 3, *FRAME)
    kept, expected = refiner(), refiner(background="expected")
    expected.start_from(kept, 1)
    outputs = [network(given, coarse) for network in (kept, expected)]
    assert torch.equal(outputs[0].pictures["warped"], outputs[1].pictures["warped"])
    assert not torch.equal(outputs[0].image, outputs[1].image)
    assert outputs[1].maps["changed"].min() == 1.0, "nothing of the source's ground is kept"


def test_an_expected_ground_is_painted_like_the_person() -> None:
    given = smooth()
    nobody = torch.full_like(given.source_keypoints, torch.nan)
    given = Inputs(given.source, nobody, nobody)
    network = refiner(background="expected")
    network.full.bias.data.view(6, -1)[1:3] = -9.0  # nobody is there, in either picture
    network.full.bias.data.view(6, -1)[3:] = 0.5
    output = network(given, torch.zeros(2, 3, *FRAME))
    torch.testing.assert_close(output.image, output.maps["painted"], atol=0.02, rtol=0)
    assert output.image.mean() > 0.4


def test_a_model_with_shade_starts_one_without_and_back() -> None:
    shaded, plain = refiner(), refiner(shade=0)
    assert len(plain.way.bias) == len(shaded.way.bias) - 3
    plain.start_from(shaded, 1)
    assert torch.equal(plain.way.weight, shaded.way.weight[:-3])
    shaded.start_from(plain, 1)
    assert not shaded.way.weight[-3:].any()
    given, coarse = smooth(), torch.zeros(2, 3, *FRAME)
    with torch.no_grad():
        torch.testing.assert_close(plain(given, coarse).image, shaded(given, coarse).image)


def test_a_network_that_segments_sees_the_source_alone_and_may_join_or_leave() -> None:
    plain, segmenting, again = refiner(), refiner(segment=(8, 16)), refiner(segment=(8, 16))
    fresh = segmenting.segment.head.weight.clone()  # type: ignore[union-attr]
    segmenting.start_from(plain, 1)
    assert torch.equal(segmenting.stem.weight, plain.stem.weight)
    assert torch.equal(segmenting.segment.head.weight, fresh)  # type: ignore[union-attr]
    segmenting.segment.head.weight.data.add_(0.1)  # type: ignore[union-attr]
    again.start_from(segmenting, 1)
    assert torch.equal(again.segment.head.weight, segmenting.segment.head.weight)  # type: ignore[union-attr]
    plain.start_from(again, 1)

    given, coarse = smooth(), torch.zeros(2, 3, *FRAME)
    turned = given._replace(target_keypoints=given.target_keypoints.flip(1))
    with torch.no_grad():
        here, there = (segmenting(both, coarse).maps["source_silhouette"] for both in (given, turned))
        other = segmenting(given._replace(source=255 - given.source), coarse).maps["source_silhouette"]
    torch.testing.assert_close(here, there)
    assert not torch.allclose(here, other, atol=1e-3)


def test_where_nobody_is_the_ground_is_the_source_itself() -> None:
    given = smooth()
    network = refiner()
    network.full.bias.data.view(6, -1)[1:3] = -9.0  # nobody is seen, in either picture
    with torch.no_grad():
        network.way.weight[-3:] = 0.0
        nobody = torch.full_like(given.source_keypoints, torch.nan)
        output = network(Inputs(given.source, nobody, nobody), torch.zeros(2, 3, *FRAME))
        posed = network(given, torch.zeros(2, 3, *FRAME))
    assert output.maps["changed"].max() < 0.01
    torch.testing.assert_close(output.image, to_unit(given.source), atol=0.02, rtol=0)
    # The pose alone is enough to know that the trunk hides the ground; the corner is free.
    assert posed.maps["changed"][:, :, 22:32, 15:18].min() == 1.0
    assert posed.maps["changed"][:, :, 58:, :3].max() < 0.01


def test_what_the_poses_say_together_turns_the_parts() -> None:
    given = smooth()
    network = refiner(reach=0.0)
    before = network(given, torch.zeros(2, 3, *FRAME)).maps["ways"]
    with torch.no_grad():
        network.turn.bias.view(10, 2, 3)[1, 0, 2] = 0.2  # the trunk, x, everywhere
    moved = network(given, torch.zeros(2, 3, *FRAME)).maps["ways"] - before
    wanted = torch.zeros_like(moved)
    wanted[:, 1, ..., 0] = 0.5 * torch.tensor(0.2).tanh() * part_transforms(*given[1:]).scale[:, None, None]
    torch.testing.assert_close(moved, wanted, atol=1e-3, rtol=0)


def test_a_head_from_behind_has_hair_in_place_of_the_face() -> None:
    """The face is white, the hair around it black, the rest grey: nothing white is left of it."""
    given = smooth(1)
    source = torch.full_like(given.source, 128)
    source[..., 1:7, 10:23] = 0
    source[..., 7:12, 12:21] = 255
    target = given.target_keypoints.clone()
    target[:, [0, 14, 15]] = torch.nan  # nose and eyes
    network = everywhere(refiner(reach=0.0))
    network.full.bias.data.view(6, -1)[3:] = 0.0  # what is painted is the coarse picture
    coarse = torch.zeros(1, 3, *FRAME)
    shown = network(given._replace(source=source), coarse)
    turned = network(given._replace(source=source, target_keypoints=target), coarse)
    face = (..., slice(8, 11), slice(14, 19))
    assert shown.image[face].min() > 0.9
    assert turned.image[face].max() < -0.5
    assert turned.pictures["mask"][face].max() < 0.1
    trunk = (..., slice(22, 32), slice(12, 20))
    torch.testing.assert_close(turned.image[trunk], shown.image[trunk], atol=0.05, rtol=0)
    # Hair is of one colour, with half of the light on it that the paint has.
    torch.manual_seed(2)
    paint = 0.3 * torch.randn(1, 3, *FRAME)
    spotted = network(given._replace(source=source, target_keypoints=target), paint).image[face]
    light = paint[face].mean(1, keepdim=True)
    expected = 0.5 * (light - light.mean())
    torch.testing.assert_close(spotted - spotted.mean(), expected.expand_as(spotted), atol=0.06, rtol=0)


def test_what_is_painted_around_a_face_has_the_colour_of_the_hair() -> None:
    """The face is white, the hair black; nothing is fetched, and all is painted grey."""
    given = smooth(1)
    source = torch.full_like(given.source, 128)
    source[..., 1:7, 10:23] = 0
    source[..., 7:12, 12:21] = 255
    network = everywhere(refiner(reach=0.0))
    bias = network.full.bias.data.view(6, -1)
    bias[0], bias[3:] = -9.0, 0.0  # the copy mask; what is painted is the coarse picture
    made = network(given._replace(source=source), torch.zeros(1, 3, *FRAME)).image
    assert made[..., 2:4, 14:19].max() < -0.5
    assert made[..., 9:11, 15:18].abs().max() < 0.1  # the face
    assert made[..., 14:, :].abs().max() < 0.1
    faceless = given.source_keypoints.clone()
    faceless[:, [0, 14, 15]] = torch.nan
    unknown = network(given._replace(source=source, source_keypoints=faceless), torch.zeros(1, 3, *FRAME))
    assert unknown.image.abs().max() < 0.1


def test_a_trunk_has_no_holes() -> None:
    given = smooth()
    network = everywhere(refiner(reach=0.0))
    network.full.bias.data.view(6, -1)[1] = -9.0  # nobody is seen in the target
    silhouette = network(given, torch.zeros(2, 3, *FRAME)).pictures["silhouette"]
    assert silhouette[..., 19:30, 14:19].min() > 0.99
    assert silhouette[..., 40:, :].max() < 0.01  # legs are not so sure
    assert silhouette[..., :6].max() < 0.01


def test_an_arm_before_the_trunk_is_not_painted_as_a_garment(monkeypatch: pytest.MonkeyPatch) -> None:
    given, network = smooth(1), refiner(reach=0.0)
    trunks: list[torch.Tensor] = []

    def noted(painted: torch.Tensor, warped: torch.Tensor, shown: torch.Tensor, *rest: Any) -> torch.Tensor:
        trunks.append(rest[0])
        return painted

    monkeypatch.setattr(transport, "clothed", noted)
    crossed = given.target_keypoints.clone()
    crossed[:, 4] = torch.tensor([17.0, 26.0])  # the wrist is before the belly
    for target in (given.target_keypoints, crossed):
        network(given._replace(target_keypoints=target), torch.zeros(1, 3, *FRAME))
    hanging, across = trunks
    assert hanging[..., 25:27, 14:16].min() > 0.95
    assert across[..., 25:27, 14:16].max() < 0.8  # of a network that has learned nothing
    assert across[..., 18:20, 15:17].min() > 0.95


def test_the_ground_of_the_source_is_not_worn() -> None:
    """What was fetched from beside the source's person is painted in place of it."""
    given = smooth()
    network = everywhere(refiner(reach=0.0, segment=(8, 16)))
    assert network.segment is not None
    masks = []
    for seen in (9.0, -9.0):
        network.segment.head.weight.data.zero_()
        network.segment.head.bias.data.fill_(seen)
        masks.append(network(given, torch.zeros(2, 3, *FRAME)).pictures["mask"])
    trunk = (..., slice(20, 30), slice(13, 20))
    assert masks[0][trunk].min() > 0.99
    assert masks[1].max() < 0.01


class Seen(torch.nn.Module):
    """In place of a network that segments: log odds that are given."""

    def __init__(self, person: torch.Tensor) -> None:
        super().__init__()
        self.odds = 18.0 * person - 9.0

    def forward(self, *given: torch.Tensor) -> torch.Tensor:
        return self.odds


def test_what_hangs_together_with_the_person_leaves_the_ground_with_them() -> None:
    given = smooth()
    network = everywhere(refiner(stride=2, segment=(8, 16)))
    network.full.bias.data.view(6, -1)[
        1
    ] = -9.0  # nobody is seen in the target, who would cover the ground, too
    person = torch.zeros(2, 1, *FRAME)
    person[..., 44:52, :24] = 1.0  # a skirt that reaches to the edge of the picture
    beside = person.clone()
    beside[..., 4:12] = 0.0  # something that stands beside the person
    changed = []
    for seen in (person, beside):
        network.segment = Seen(seen)  # type: ignore[assignment]
        changed.append(network(given, torch.zeros(2, 3, *FRAME)).maps["changed"])
    place = (..., slice(46, 50), slice(0, 2))
    assert changed[0][place].min() > 0.9
    assert changed[1][place].max() < 0.1


@pytest.mark.parametrize("settings", [{"segment": (8, 16)}, {"segment": (), "background": "expected"}])
def test_any_frame_that_fits_the_levels_will_do(settings: dict[str, object]) -> None:
    """Whole numbers of cells, however many; and a face that is turned away."""
    torch.manual_seed(0)
    frame = (96, 80)
    network = TransportRefiner(TransportConfig.model_validate(SMALL | {"shade": 0} | settings), frame)
    network.initialise()
    given = smooth()
    source = F.interpolate(given.source.float(), frame).to(torch.uint8)
    target = given.target_keypoints.clone()
    target[:, [0, 14, 15]] = torch.nan
    output = network(Inputs(source, given.source_keypoints, target), torch.zeros(2, 3, *frame))
    assert output.image.shape == (2, 3, *frame)
    assert output.image.isfinite().all()
    output.image.square().mean().backward()
    for name, weight in network.named_parameters():
        assert weight.grad is None or weight.grad.isfinite().all(), name


def test_no_loss_of_the_picture_moves_where_is_fetched_to_close_the_mask() -> None:
    given = smooth()
    target = given.target_keypoints.clone()
    target[:, [0, 14, 15]] = torch.nan
    network = everywhere(refiner(segment=(8, 16)))
    output = network(given._replace(target_keypoints=target), torch.zeros(2, 3, *FRAME))
    (moved,) = torch.autograd.grad(output.pictures["mask"].sum(), output.maps["fetched"], allow_unused=True)
    # What lies beyond the source's edge is no detail; that alone may move it.
    inside = (output.maps["fetched"] > 0).all(-1) & (output.maps["fetched"] < 30).all(-1)
    assert moved is None or not moved[inside].any()
