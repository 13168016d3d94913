"""Strips and grids: sizes, places, labels, bounds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pg2.errors import Pg2Error
from pg2.io.pixels import Image8
from pg2.reports.grids import grid, strip

RED, GREEN, BLUE = (255, 0, 0), (0, 255, 0), (0, 0, 255)


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (128, 64)) -> Image8:
    return np.full((*size, 3), colour, np.uint8)


def area(sheet: Image8, colour: tuple[int, int, int]) -> int:
    return int((sheet == np.uint8(colour)).all(-1).sum())


def box(sheet: Image8, colour: tuple[int, int, int]) -> tuple[int, int]:
    """Top left corner of a colour."""
    rows, columns = np.nonzero((sheet == np.uint8(colour)).all(-1))
    return int(rows.min()), int(columns.min())


def test_small_pictures_are_doubled_and_stand_in_order_on_white() -> None:
    sheet = strip([plain(RED), plain(GREEN), plain(BLUE)])
    assert area(sheet, RED) == area(sheet, GREEN) == area(sheet, BLUE) == 256 * 128
    tops, lefts = zip(*(box(sheet, colour) for colour in (RED, GREEN, BLUE)), strict=True)
    assert len(set(tops)) == 1
    assert lefts[0] < lefts[1] < lefts[2]
    assert (sheet[:5] == 255).all()
    assert (sheet[:, -5:] == 255).all()


def test_large_pictures_keep_their_size_and_others_are_brought_to_their_height() -> None:
    sheet = strip([plain(RED, (300, 200)), plain(GREEN, (150, 60))])
    assert area(sheet, RED) == 300 * 200
    assert area(sheet, GREEN) == 300 * 120


def test_a_grid_with_an_empty_place_and_labels() -> None:
    rows = [[None, plain(RED)], [plain(GREEN), plain(BLUE)]]
    bare = grid(rows)
    labelled = grid(rows, ["source", "target\npose"], ["best 1\n0.912", "a much longer label"])
    for colour in (RED, GREEN, BLUE):
        assert area(labelled, colour) == area(bare, colour) == 256 * 128
    assert box(labelled, RED)[1] == box(labelled, BLUE)[1] > box(labelled, GREEN)[1]
    assert box(labelled, RED)[0] > box(bare, RED)[0] + 20
    assert box(labelled, GREEN)[1] > box(bare, GREEN)[1] + 20
    # The headings and the row labels are written, and on white only.
    assert (labelled[: box(labelled, RED)[0], :] < 128).any()
    assert (labelled[:, : box(labelled, GREEN)[1]] < 128).any()


def test_a_long_label_widens_its_column() -> None:
    narrow, wide = (
        strip([plain(RED), plain(GREEN)], [label, "b"]) for label in ("a", "a label of many more words")
    )
    assert wide.shape[1] > narrow.shape[1] + 50
    assert area(wide, RED) == area(narrow, RED)


@pytest.mark.parametrize(
    ("rows", "columns", "labels"),
    [
        ([], [], []),
        ([[]], [], []),
        ([[None]], [], []),
        ([[plain(RED)], [plain(RED), plain(RED)]], [], []),
        ([[plain(RED)]], ["a", "b"], []),
        ([[plain(RED)]], [], ["a", "b"]),
    ],
)
def test_what_is_no_grid_is_refused(
    rows: list[list[Image8 | None]], columns: list[str], labels: list[str]
) -> None:
    with pytest.raises(ValueError, match="a sheet"):
        grid(rows, columns, labels)


def test_a_gigantic_sheet_is_refused_before_it_is_made() -> None:
    picture = plain(RED, (1000, 1000))
    with pytest.raises(Pg2Error, match="11 x 11 pictures would have 122 megapixels"):
        grid([[picture] * 11] * 11)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 300), st.integers(1, 100))
def test_every_picture_is_there(rows: int, columns: int, height: int, width: int) -> None:
    sheet = grid([[plain(RED, (height, width))] * columns] * rows)
    factor = max(256 // height, 1)
    assert area(sheet, RED) == rows * columns * height * width * factor**2
