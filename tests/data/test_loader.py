"""Batches: content, flips, order, shares of several processes, and what the threads leave behind."""

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pg2.data.loader import Alternating, Batch, Loader, assemble
from pg2.data.pairs import PairOrder, Pairs
from pg2.data.prepared import PreparedDataset
from pg2.errors import Pg2Error
from pg2.io.pictures import Image8
from pg2.pose.keypoints import Pose


def order_of(data: PreparedDataset, flip: bool = True, seed: int = 0) -> PairOrder:
    usable = data.usable("train")
    return PairOrder(Pairs([data.records[i].person for i in usable], usable), seed, flip)


def tensors(batch: Batch) -> list[torch.Tensor]:
    return [*batch.inputs, batch.target]


def assert_equal(one: Batch, other: Batch) -> None:
    for left, right in zip(tensors(one), tensors(other), strict=True):
        torch.testing.assert_close(left, right, rtol=0, atol=0, equal_nan=True)


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("pg2-loader")]


def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The indices of the pictures that are read from disk from now on."""
    read: list[int] = []
    real = PreparedDataset.image

    def image(self: PreparedDataset, index: int) -> Image8:
        read.append(index)
        return real(self, index)

    monkeypatch.setattr(PreparedDataset, "image", image)
    return read


@pytest.mark.parametrize("flip", [False, True])
def test_a_batch_holds_the_pairs_of_the_order(tiny: PreparedDataset, flip: bool) -> None:
    order = order_of(tiny, flip)
    batch = Loader(tiny, order, 6).batch(2)
    assert batch.inputs.source.dtype == batch.target.dtype == torch.uint8
    assert batch.inputs.source.shape == batch.target.shape == (6, 3, 32, 16)
    seen = set()
    for row in range(6):
        source, target, flipped = order[12 + row]
        seen.add(flipped)
        for index, image, points in (
            (source, batch.inputs.source[row], batch.inputs.source_keypoints[row]),
            (target, batch.target[row], batch.inputs.target_keypoints[row]),
        ):
            expected = tiny.image(index)
            pose = Pose(tiny.keypoints[index], tiny.frame)
            if flipped:
                expected, pose = expected[:, ::-1], pose.mirror()
            np.testing.assert_array_equal(image.permute(1, 2, 0).numpy(), expected)
            np.testing.assert_array_equal(points.numpy(), pose.points)
    assert seen == ({False, True} if flip else {False})


def reference(data: PreparedDataset, seed: int) -> Iterator[tuple[int, int, bool]]:
    """The order written out: what every run so far was trained in, and resumed runs rely on."""
    usable = data.usable("train")
    people = [data.records[i].person for i in usable]
    pairs = [
        (source, target)
        for person in dict.fromkeys(people)
        for source in usable
        for target in usable
        if data.records[source].person == data.records[target].person == person and source != target
    ]
    for epoch in range(4):
        generator = np.random.default_rng([seed, epoch])
        order = generator.permutation(len(pairs))
        coins = generator.random(len(pairs))
        for place, coin in zip(order, coins, strict=True):
            yield *pairs[place], bool(coin < 0.5)


@pytest.mark.parametrize("start", [0, 6, 13])
def test_a_run_resumed_at_any_batch_gets_the_batches_of_the_order(tiny: PreparedDataset, start: int) -> None:
    drawn = list(reference(tiny, seed=3))
    assert len(drawn) == 4 * 36
    stop = 20  # of 5 pairs: into the third epoch, and batches 7 and 14 lie across the ends of two
    batches = list(Loader(tiny, order_of(tiny, seed=3), 5).batches(start, stop))
    assert len(batches) == stop - start
    for number, batch in enumerate(batches, start):
        assert_equal(batch, assemble(tiny, drawn[5 * number : 5 * number + 5]))


@pytest.mark.parametrize("jitter", [0.0, 0.05])
def test_shares_of_two_processes_make_the_whole_batch(tiny: PreparedDataset, jitter: float) -> None:
    order = order_of(tiny)
    whole = Loader(tiny, order, 4, jitter=jitter).batch(3)
    parts = [next(Loader(tiny, order, 4, rank, 2, jitter=jitter).batches(3, 4)) for rank in (0, 1)]
    for tensor, *shares in zip(tensors(whole), *map(tensors, parts), strict=True):
        torch.testing.assert_close(torch.cat(shares), tensor, equal_nan=True)


def test_an_uneven_share_is_refused(tiny: PreparedDataset) -> None:
    with pytest.raises(ValueError, match="does not divide"):
        Loader(tiny, order_of(tiny), 5, 0, 2)


def test_no_batches_of_an_empty_range(tiny: PreparedDataset) -> None:
    assert list(Loader(tiny, order_of(tiny), 3).batches(4, 4)) == []


def test_threads_read_the_pictures_and_a_few_batches_ahead(
    tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    readers = set()
    real = PreparedDataset.image

    def image(self: PreparedDataset, index: int) -> Image8:
        readers.add(threading.current_thread().name.rpartition("_")[0])
        return real(self, index)

    monkeypatch.setattr(PreparedDataset, "image", image)
    order = order_of(tiny)
    drawn: list[int] = []
    monkeypatch.setattr(PairOrder, "__getitem__", lambda self, at: drawn.append(at) or (0, 1, False))
    coming = Loader(tiny, order, 2).batches(0, 1000)
    next(coming)
    time.sleep(0.05)
    assert readers == {"pg2-loader"}
    assert 4 <= len(drawn) < 40
    coming.close()


def test_a_consumer_that_stops_early_leaves_no_thread(tiny: PreparedDataset) -> None:
    coming = Loader(tiny, order_of(tiny), 3).batches(0, 1000)
    next(coming)
    assert threads()
    coming.close()
    assert not threads()
    for batch in Loader(tiny, order_of(tiny), 3).batches(0, 1000):
        assert len(batch.target) == 3
        break
    assert not threads()


def test_a_picture_that_cannot_be_read_fails_its_own_batch(
    tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = order_of(tiny)
    first = {index for position in range(4) for index in order[position][:2]}
    broken = next(position for position in range(36) if not set(order[position][:2]) <= first)
    [bad, *_] = set(order[broken][:2]) - first
    real = PreparedDataset.image

    def image(self: PreparedDataset, index: int) -> Image8:
        if index == bad:
            raise Pg2Error("fails its checksum")
        return real(self, index)

    monkeypatch.setattr(PreparedDataset, "image", image)
    coming = Loader(tiny, order, 1).batches(0, 36)
    for _ in range(broken):
        next(coming)
    with pytest.raises(Pg2Error, match="fails its checksum"):
        next(coming)
    assert not threads()


def test_pictures_are_read_once_while_they_fit(
    tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = counted(monkeypatch)
    loader = Loader(tiny, order_of(tiny), 6)
    for number in range(12):
        loader.batch(number)
    assert sorted(read) == tiny.usable("train")


def test_batches_for_a_gpu_are_pinned(tiny: PreparedDataset, monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[torch.Size] = []

    def pin(self: torch.Tensor) -> torch.Tensor:
        pinned.append(self.shape)
        return self

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    order = order_of(tiny)
    for device, count in (("cuda", 4), ("cpu", 0), ("mps", 0)):
        pinned.clear()
        batch = Loader(tiny, order, 2, device=torch.device(device)).batch(0)
        assert len(pinned) == count
        assert_equal(batch, Loader(tiny, order, 2).batch(0))


def test_a_batch_moves_with_all_it_holds(tiny: PreparedDataset) -> None:
    moved = Loader(tiny, order_of(tiny), 2).batch(0).to(torch.device("meta"))
    assert {tensor.device.type for tensor in tensors(moved)} == {"meta"}


def test_the_sources_keypoints_alone_are_moved_the_same_way_each_time(tiny: PreparedDataset) -> None:
    plain, moved, again, other = (
        Loader(tiny, order_of(tiny), 6, jitter=jitter, seed=seed).batch(3)
        for jitter, seed in ((0.0, 1), (0.05, 1), (0.05, 1), (0.05, 2))
    )
    assert_equal(moved, again)
    assert torch.equal(moved.inputs.source, plain.inputs.source)
    torch.testing.assert_close(
        moved.inputs.target_keypoints, plain.inputs.target_keypoints, rtol=0, atol=0, equal_nan=True
    )
    offset = moved.inputs.source_keypoints - plain.inputs.source_keypoints
    assert torch.equal(offset.isnan(), plain.inputs.source_keypoints.isnan())
    assert 1.0 < offset[~offset.isnan()].std() < 2.2, "a twentieth of 32 pixels"
    assert not torch.equal(other.inputs.source_keypoints, moved.inputs.source_keypoints)


@pytest.mark.parametrize("start", [0, 1, 4])
def test_two_loaders_take_turns(tiny: PreparedDataset, start: int) -> None:
    both = [Loader(tiny, order_of(tiny, seed=seed), 2) for seed in (0, 1)]
    for number, batch in enumerate(Alternating(both).batches(start, start + 5), start):
        assert_equal(batch, both[number % 2].batch(number // 2))
    assert not threads()
