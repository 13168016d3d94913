"""The network that reads poses off pictures: what another reading costs, and that it learns to read."""

import math

import pytest
import torch
from data_samples import standing

from pg2.data.loader import Batch
from pg2.models.inputs import Inputs
from pg2.pose.keypoints import MIRRORED
from pg2.pose.maps import pose_mask
from pg2.pose.show import draw_skeleton
from pg2.training.reader import PoseHead, Reader, ReaderConfig, reading_difference, reading_loss
from pg2.training.terms import Ready

CELLS = math.pi * 9


def test_the_loss_is_cross_entropy_in_discs_a_keypoint() -> None:
    read = torch.full((2, 18, 8, 8), -30.0)
    wanted = torch.zeros(2, 18, 8, 8)
    assert reading_loss(read, wanted) < 1e-6
    wanted[0, 3, 2, 5] = 1  # one cell of one of 36 maps, at log odds of -30
    assert reading_loss(read, wanted) == pytest.approx(30 / 36 / CELLS, rel=1e-5)


def test_there_is_no_difference_in_the_same_and_the_wanted_one_is_given() -> None:
    torch.manual_seed(0)
    a, b = torch.randn(2, 1, 18, 8, 8)
    assert reading_difference(a, a) == pytest.approx(0, abs=1e-6)
    wanted = b.clone().requires_grad_()
    read = a.clone().requires_grad_()
    off = reading_difference(read, wanted)
    off.backward()
    assert off > 0
    assert wanted.grad is None
    assert read.grad is not None
    # Towards the wanted reading it falls.
    assert reading_difference(a + 0.1 * (b - a), b) < reading_difference(a, b)


@pytest.mark.parametrize("size", [(64, 32), (50, 34)])
def test_the_head_has_the_size_of_the_finest_features(size: tuple[int, int]) -> None:
    height, width = size
    layers = [torch.randn(2, 4, -(-height // by), -(-width // by)) for by in (1, 2, 4, 8)]
    assert PoseHead([4] * 4, 8)(layers).shape == (2, 18, height, width)


@pytest.mark.parametrize("frame", [(256, 256), (64, 32)])
def test_pictures_are_read_at_a_quarter_of_their_size_or_enlarged(frame: tuple[int, int]) -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    reader = Reader(ReaderConfig(width=8))
    read = reader.network(reader._features(torch.zeros(1, 3, *frame)))
    assert read.shape[2:] == ((64, 64) if frame[0] == 256 else (32, 16))


def shown(mirrored: bool, count: int = 6, side: int = 64) -> Ready:
    """People who stand here or there, drawn as skeletons; mirrored: they face the other way."""
    pose = torch.from_numpy(standing(side, side)).float()
    poses = pose + torch.randint(-6, 7, (2, count, 1, 2))
    poses = poses[:, :, MIRRORED] if mirrored else poses
    source, target = (draw_skeleton(pose, (side, side)) for pose in poses)
    batch = Batch(Inputs(source, *poses), target)
    return Ready(batch, source, target, pose_mask(poses[1], (side, side)))


def test_it_learns_to_read_and_notices_who_faces_the_wrong_way() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    torch.manual_seed(0)
    reader = Reader(ReaderConfig(weight=2.0, width=16))
    network, ways = reader.network, [shown(mirrored=False), shown(mirrored=True)]
    optimiser = torch.optim.Adam(network.parameters(), 3e-3)
    losses = []
    for step in range(40):
        loss = reader.reading(ways[step % 2], network)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-4:]) < 0.4 * sum(losses[:4])
    right, wrong = ways
    image = wrong.target.clone().requires_grad_()
    turned = reader.term(right, image, network)
    turned.backward()
    assert image.grad is not None
    assert image.grad.abs().sum() > 0
    with torch.no_grad():
        same = reader.term(right, right.target, network)
        noisy = reader.term(right, right.target + 0.1 * torch.randn_like(right.target), network)
    assert same == pytest.approx(0, abs=1e-6)
    assert turned > 3 * noisy
