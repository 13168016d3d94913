"""Laying pictures out side by side: strips and labelled grids."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from pg2.errors import Pg2Error
from pg2.io.picture_files import MAX_PIXELS
from pg2.io.pixels import Image8

_TALL = 256  # smaller pictures are enlarged by a whole factor to at most this height
_GAP, _MARGIN = 6, 12
_HEADING, _NOTE = (30, 30, 30), (90, 90, 90)


def strip(pictures: Sequence[Image8], labels: Sequence[str] = ()) -> Image8:
    """Pictures beside each other on white, a label above each. See `grid`."""
    return grid([pictures], labels)


def grid(
    rows: Sequence[Sequence[Image8 | None]],
    column_labels: Sequence[str] = (),
    row_labels: Sequence[str] = (),
) -> Image8:
    """Rows of pictures on white, with headings above the columns and labels left of the rows.

    All pictures are brought to one height: that of the tallest, enlarged by a whole factor while it stays
    within 256 pixels. Labels may have several lines.

    Args:
        rows: uint8 [H, W, 3] each, of any sizes; None leaves a place empty. All rows are equally long.
        column_labels: one a column, or none at all.
        row_labels: one a row, or none at all.

    Returns:
        uint8 [H, W, 3].

    Raises:
        ValueError: no picture, uneven rows, or labels that do not match in number.
        Pg2Error: the sheet would have over 65 megapixels.
    """
    pictures = [picture for row in rows for picture in row if picture is not None]
    if not pictures or len({len(row) for row in rows}) != 1:
        raise ValueError("a sheet needs at least one picture, and as many places in every row")
    if len(column_labels) not in (0, len(rows[0])) or len(row_labels) not in (0, len(rows)):
        raise ValueError("a sheet takes one label a column and one a row, or none")
    tall = max(len(picture) for picture in pictures)
    height = tall * max(_TALL // tall, 1)

    font = ImageFont.load_default(max(height // 16, 12))
    pen = ImageDraw.Draw(Image.new("RGB", (1, 1)))

    def extent(text: str) -> tuple[int, int]:
        _, _, right, bottom = pen.multiline_textbbox((0, 0), text, font=font)
        return int(right) + 1, int(bottom) + 1

    def width_of(picture: Image8 | None) -> int:
        return 0 if picture is None else max(round(picture.shape[1] * height / picture.shape[0]), 1)

    widths = [max(width_of(picture) for picture in column) for column in zip(*rows, strict=True)]
    if column_labels:
        widths = [max(width, extent(text)[0]) for width, text in zip(widths, column_labels, strict=True)]
    aside = max((extent(text)[0] for text in row_labels), default=0) + (_MARGIN if row_labels else 0)
    above = max((extent(text)[1] for text in column_labels), default=0) + (_GAP if column_labels else 0)
    size = (
        2 * _MARGIN + aside + sum(widths) + _GAP * (len(widths) - 1),
        2 * _MARGIN + above + height * len(rows) + _GAP * (len(rows) - 1),
    )
    if size[0] * size[1] > MAX_PIXELS:
        raise Pg2Error(
            f"a sheet of {len(rows)} x {len(rows[0])} pictures would have {size[0] * size[1] // 1_000_000} "
            f"megapixels, over the limit of {MAX_PIXELS // 1_000_000}; take fewer pictures"
        )

    sheet = Image.new("RGB", size, "white")
    pen = ImageDraw.Draw(sheet)
    lefts = [_MARGIN + aside + sum(widths[:i]) + _GAP * i for i in range(len(widths))]
    for left, width, text in zip(lefts, widths, column_labels, strict=False):
        pen.multiline_text(
            (left + width / 2, _MARGIN + above - _GAP), text, _HEADING, font, anchor="md", align="center"
        )
    for number, row in enumerate(rows):
        top = _MARGIN + above + number * (height + _GAP)
        if row_labels:
            middle = (_MARGIN + aside - _MARGIN, top + height / 2)
            pen.multiline_text(middle, row_labels[number], _NOTE, font, anchor="rm", align="right")
        for left, width, picture in zip(lefts, widths, row, strict=True):
            if picture is not None:
                scaled = Image.fromarray(picture).resize(
                    (width_of(picture), height), Image.Resampling.LANCZOS
                )
                sheet.paste(scaled, (left + (width - scaled.width) // 2, top))
    return np.asarray(sheet)
