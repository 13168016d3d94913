"""The exact flow of batches: from rendered people, mirrored with the pictures, and refused when wrong."""

from pathlib import Path

import pytest
import torch
from data_samples import write_rendered

from pg2.data.correspondence import Seen
from pg2.data.exact import ExactFlow
from pg2.data.loader import Loader, assemble
from pg2.data.pairs import PairOrder, Pairs
from pg2.data.prepared import GEOMETRY, PreparedDataset
from pg2.data.sources.folder import prepare_folder
from pg2.errors import Pg2Error


@pytest.fixture
def rendered(tmp_path: Path) -> Path:
    """See `write_rendered`."""
    return write_rendered(tmp_path / "raw")


@pytest.fixture
def data(rendered: Path, tmp_path: Path) -> PreparedDataset:
    prepare_folder(rendered, tmp_path / "data")
    return PreparedDataset(tmp_path / "data")


def test_a_prepared_set_carries_the_geometry(data: PreparedDataset) -> None:
    assert data.has_geometry
    data.verify()
    assert data.geometry(1).mask[30, 30] == 255
    assert not data.scaled((32, 32)).has_geometry


def test_the_flow_of_a_pair_is_where_the_person_stood(data: PreparedDataset) -> None:
    flow = ExactFlow(data, 4).of([(0, 1, False), (0, 1, True), (0, 0, False)])
    assert flow.places.shape == (3, 16, 16, 2)
    inside = flow.seen == Seen.VISIBLE
    assert (inside.flatten(1).sum(1) >= 5 * 12 - 12).all()
    centres = (torch.arange(16) + 0.5) * 4 - 0.5
    columns = centres.expand(16, 16)
    for number, shift in ((0, -20.0), (1, 20.0), (2, 0.0)):
        there = inside[number]
        moved = flow.places[number, ..., 0][there] - columns[there]
        torch.testing.assert_close(moved, torch.full_like(moved, shift), atol=1.0, rtol=0)
    # The mirrored pair is the mirrored picture of the pair.
    assert torch.equal(flow.seen[1], flow.seen[0].flip(-1))
    assert torch.equal(flow.target_mask[1], flow.target_mask[0].flip(-1))
    torch.testing.assert_close(
        flow.places[1, ..., 0][inside[1]], 63 - flow.places[0].flip(1)[..., 0][inside[1]]
    )


def test_the_loader_brings_it_along(data: PreparedDataset) -> None:
    pairs = Pairs([record.person for record in data.records], range(4))
    loader = Loader(data, PairOrder(pairs, 0, True), 2, flow=ExactFlow(data, 4))
    batch = next(loader.batches(0, 1))
    assert batch.exact is not None
    assert batch.to(torch.device("meta")).exact.seen.device.type == "meta"  # type: ignore[union-attr]
    assert batch.exact.source_mask.shape == (2, 1, 64, 64)
    assert assemble(data, [(0, 1, False)]).exact is None


def test_two_people_have_no_flow(data: PreparedDataset) -> None:
    with pytest.raises(Pg2Error, match="two pictures of one person"):
        ExactFlow(data, 4).of([(0, 2, False)])


def test_a_geometry_that_is_missing_or_of_another_picture_is_named(rendered: Path, tmp_path: Path) -> None:
    file = rendered / "00001/00.geometry.npz"
    other = (rendered / "00000/00.geometry.npz").read_bytes()
    file.write_bytes(other)
    with pytest.raises(Pg2Error, match=r"00001/00\.geometry\.npz is the geometry of another picture"):
        prepare_folder(rendered, tmp_path / "data")
    file.unlink()
    with pytest.raises(Pg2Error, match=r"cannot read the geometry .*00001/00\.geometry\.npz"):
        prepare_folder(rendered, tmp_path / "data")
    assert not (tmp_path / "data").exists()


def test_people_who_are_cut_to_another_frame_have_none(rendered: Path, tmp_path: Path) -> None:
    prepare_folder(rendered, tmp_path / "small", (32, 16))
    data = PreparedDataset(tmp_path / "small")
    assert not data.has_geometry
    assert not (data.path / GEOMETRY).exists()
