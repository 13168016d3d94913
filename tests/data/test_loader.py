"""Batches: content, flips, shares of several processes."""

import numpy as np
import pytest
import torch

from pg2.data.loader import Loader
from pg2.data.pairs import PairOrder, Pairs
from pg2.data.prepared import PreparedDataset
from pg2.pose.keypoints import Pose


def order_of(data: PreparedDataset, flip: bool) -> PairOrder:
    usable = data.usable("train")
    return PairOrder(Pairs([data.records[i].person for i in usable], usable), 0, flip)


@pytest.mark.parametrize("flip", [False, True])
def test_a_batch_holds_the_pairs_of_the_order(tiny: PreparedDataset, flip: bool) -> None:
    order = order_of(tiny, flip)
    batch = Loader(tiny, order, 6).batch(2)
    assert batch.source.dtype == torch.uint8
    assert batch.source.shape == (6, 3, 32, 16)
    seen = set()
    for row in range(6):
        source, target, flipped = order[12 + row]
        seen.add(flipped)
        for index, image, points in (
            (source, batch.source[row], batch.source_keypoints[row]),
            (target, batch.target[row], batch.target_keypoints[row]),
        ):
            expected = tiny.image(index)
            pose = Pose(tiny.keypoints[index], tiny.frame)
            if flipped:
                expected, pose = expected[:, ::-1], pose.mirror()
            np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), expected)
            np.testing.assert_array_equal(points.numpy(), pose.points)
    assert seen == ({False, True} if flip else {False})


def test_shares_of_two_processes_make_the_whole_batch(tiny: PreparedDataset) -> None:
    order = order_of(tiny, True)
    whole = Loader(tiny, order, 4).batch(3)
    parts = [Loader(tiny, order, 4, rank, 2).batch(3) for rank in (0, 1)]
    for tensor, *shares in zip(whole, *parts, strict=True):
        torch.testing.assert_close(torch.cat(shares), tensor, equal_nan=True)


def test_prefetching_changes_nothing(tiny: PreparedDataset) -> None:
    loader = Loader(tiny, order_of(tiny, True), 3)
    for number, batch in enumerate(loader.batches(2, 6), start=2):
        assert torch.equal(batch.source, loader.batch(number).source)
    assert number == 5
    assert list(loader.batches(4, 4)) == []


def test_an_uneven_share_is_refused(tiny: PreparedDataset) -> None:
    with pytest.raises(ValueError, match="does not divide"):
        Loader(tiny, order_of(tiny, False), 5, 0, 2)
