"""Exact flow, on flat made-up people; tests/rendering/test_correspondence.py has those that are rendered."""

import numpy as np
import pytest

from pg2.data.correspondence import Correspondence, Seen, SourceSurface, correspond
from pg2.errors import Pg2Error
from pg2.io.geometry_file import Geometry

PIXEL = 8
"""Millimetres that a pixel shows."""


def flat(
    left: int = 0, top: int = 0, *, layer: int = 1, person: int = 0, size: tuple[int, int] = (64, 48)
) -> Geometry:
    """A picture of a sheet whose place (0, 0) lies at this pixel, with a margin of 8 pixels of background."""
    height, width = size
    y, x = np.meshgrid(np.arange(0.5, height, 2), np.arange(0.5, width, 2), indexing="ij")
    place = np.stack([(x - left) * PIXEL, 0 * x, (y - top) * PIXEL]).astype(np.int16)
    layers = np.full(x.shape, layer, np.uint8)
    layers[:4], layers[-4:], layers[:, :4], layers[:, -4:] = 0, 0, 0, 0
    mask = np.repeat(np.repeat(np.where(layers, 255, 0), 2, 0), 2, 1).astype(np.uint8)
    return Geometry(np.where(layers, place, 0).astype(np.int16), layers, mask, (0, person), 0)


def pair(source: Geometry, target: Geometry, stride: int = 4) -> Correspondence:
    return correspond(SourceSurface(source), target, stride)


def own_centres(size: tuple[int, int], stride: int) -> np.ndarray:
    rows, columns = ((np.arange(side // stride) + 0.5) * stride - 0.5 for side in size)
    return np.stack(np.meshgrid(columns, rows), -1)


@pytest.mark.parametrize("stride", [2, 4, 8])
def test_a_picture_lies_on_itself(stride: int) -> None:
    found = pair(flat(), flat(), stride)
    assert found.places.shape == (64 // stride, 48 // stride, 2)
    assert (found.places.dtype, found.seen.dtype) == (np.float32, np.uint8)
    margin = 8 // stride
    inside = np.zeros(found.seen.shape, bool)
    inside[margin:-margin, margin:-margin] = True
    assert (found.seen == np.where(inside, Seen.VISIBLE, Seen.BACKGROUND)).all()
    np.testing.assert_allclose(found.places[inside], own_centres((64, 48), stride)[inside], atol=0.1)


@pytest.mark.parametrize(("left", "top"), [(4, 0), (3, -5), (-1, 1)])
def test_a_sheet_that_has_moved_is_followed_to_a_part_of_a_pixel(left: int, top: int) -> None:
    found = pair(flat(), flat(left, top))
    expected = own_centres((64, 48), 4) - (left, top)
    visible = found.seen == Seen.VISIBLE
    assert visible.sum() > 60
    # At the rim the nearest place is taken, within what counts as the same.
    well = visible & ((expected > 9) & (expected < (38, 54))).all(-1)
    assert well.sum() > 50
    np.testing.assert_allclose(found.places[well], expected[well], atol=0.15)


def test_a_mirrored_pair_has_mirrored_flow() -> None:
    def mirrored(one: Geometry) -> Geometry:
        return Geometry(one.place[..., ::-1], one.layer[:, ::-1], one.mask[:, ::-1], one.person, one.picture)

    source, target = flat(), flat(-23, 3)
    found = pair(source, target).mirror(48)
    expected = pair(mirrored(source), mirrored(target))
    assert (found.seen == expected.seen).all()
    assert len(set(found.seen.ravel())) == 3
    np.testing.assert_allclose(found.places, expected.places, atol=1e-3)
    assert found.places.dtype == np.float32


def test_what_the_source_does_not_show_is_borrowed_or_hidden() -> None:
    found = pair(flat(), flat(-24, 0))
    # The target's rightmost columns show places that lie up to 24 pixels, 19 cm, beside the source's.
    assert set(np.unique(found.seen)) == {Seen.BACKGROUND, Seen.VISIBLE, Seen.BORROWED}
    row = found.seen[8]
    assert row.tolist() == [0, 0] + [1] * 3 + [2] * 5 + [0, 0]
    # The nearest is the rim of the sheet in the same row.
    np.testing.assert_allclose(found.places[8, 9], [38.5, 33.5], atol=1.1)
    far = pair(flat(), flat(-70, 0))
    assert set(np.unique(far.seen)) == {Seen.BACKGROUND, Seen.HIDDEN}
    assert not far.places.any()


def test_another_layer_is_no_counterpart() -> None:
    found = pair(flat(), flat(layer=2))
    assert set(np.unique(found.seen)) == {Seen.BACKGROUND, Seen.HIDDEN}
    nobody = flat(layer=0)
    assert (pair(flat(), nobody).seen == Seen.BACKGROUND).all()
    assert set(np.unique(pair(nobody, flat()).seen)) == {Seen.BACKGROUND, Seen.HIDDEN}


def test_folds_are_not_blended() -> None:
    """Where two places far apart meet within a cell, one of them is taken, not their mean."""
    target = flat()
    target.place[0, :, 13:] += 2000
    found = pair(flat(), target)
    # The cell of columns 12 and 13 shows both.
    np.testing.assert_allclose(found.places[8, 6], own_centres((64, 48), 4)[8, 6], atol=0.1)
    assert (found.seen[2:-2, 7:-2] == Seen.HIDDEN).all()


def test_a_cell_belongs_to_the_person_where_half_of_it_does() -> None:
    target = flat()
    target.layer[:, 13] = target.layer[13, :] = 0
    seen = pair(flat(), target).seen
    assert seen[8, 6] == seen[6, 8] == Seen.VISIBLE
    assert seen[6, 6] == Seen.BACKGROUND


def test_two_people_are_refused() -> None:
    with pytest.raises(Pg2Error, match="person 0 of seed 0 and person 1 of seed 0 have no places in common"):
        pair(flat(), flat(person=1))


def test_cells_that_do_not_fit() -> None:
    for stride in (3, 5, 32):
        with pytest.raises(ValueError, match="cannot be cut into cells"):
            pair(flat(), flat(), stride)
