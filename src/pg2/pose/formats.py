"""The files in which the field publishes keypoints and pairs, and the spellings of their names."""

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pg2.errors import Pg2Error
from pg2.io.files import Stored, read_text
from pg2.pose.keypoints import COUNT, MOST, Points

CSV_HEADER = "name:keypoints_y:keypoints_x"

_MOST_BYTES = 256_000_000  # of a list of keypoints; a line takes 150 to 400
_MOST_PAIRS = 32_000_000  # bytes of a pair list; a line takes 40 to 80

_LONGEST = 8000  # characters of a line: a name, and 36 numbers


_Coordinate = Annotated[float, Field(ge=-MOST, le=MOST)]

PointList = Annotated[list[tuple[_Coordinate, _Coordinate] | None], Field(min_length=COUNT, max_length=COUNT)]
"""Keypoints as pg2 writes them into JSON, for pydantic: 18 (x, y) in pixels, None where missing."""


def to_list(points: Points, digits: int | None = None) -> list[list[float] | None]:
    """Keypoints, float32 [18, 2], as a `PointList`; with so many digits behind the point."""

    def number(value: float) -> float:
        return float(value) if digits is None else round(float(value), digits)

    return [None if np.isnan(x) else [number(x), number(y)] for x, y in points]


def from_list(points: Sequence[Sequence[float] | None]) -> Points:
    """The inverse of `to_list`: float32 [18, 2], NaN where missing."""
    return np.array([point or (np.nan, np.nan) for point in points], dtype=np.float32)


def read_keypoints_csv(path: str | Path | Stored) -> dict[str, Points]:
    """Read the published annotation format: `name: [y0, ..., y17]: [x0, ..., x17]`, -1 = missing.

    Returns:
        name -> float32 [18, 2] (x, y), NaN where missing.

    Raises:
        Pg2Error: absent file, another header, or a line that is not of that form.
    """
    lines = read_text(path, "a list of keypoints", _MOST_BYTES).splitlines()
    if not lines or lines[0].strip() != CSV_HEADER:
        raise Pg2Error(f'{path} is not a keypoint file: its first line must be "{CSV_HEADER}"')
    poses: dict[str, Points] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            if len(line) > _LONGEST:
                raise ValueError(f"more than {_LONGEST} characters")
            name, ys, xs = line.rsplit(":", 2)
            exact = np.array([json.loads(xs), json.loads(ys)], dtype=np.float64).T
            if exact.shape != (COUNT, 2) or not (np.abs(exact) <= MOST).all():
                raise ValueError("not 18 points")
        # An OverflowError is a whole number of hundreds of digits, a RecursionError brackets as many deep.
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Pg2Error(
                f"{path}, line {number}: expected NAME: [18 y values]: [18 x values], -1 where missing"
            ) from error
        points = exact.astype(np.float32)
        points[(points < 0).any(axis=1)] = np.nan
        poses[name.strip()] = points
    return poses


def format_keypoints_csv(poses: Iterable[tuple[str, Points]]) -> str:
    """The published format as text; the inverse of `read_keypoints_csv`.

    Whole coordinates are written as integers, others with three decimals.
    """

    def numbers(values: Points) -> str:
        shown = (-1.0 if math.isnan(value) else round(float(value), 3) for value in values)
        return "[" + ", ".join(f"{value:g}" if value.is_integer() else str(value) for value in shown) + "]"

    rows = (f"{name}: {numbers(points[:, 1])}: {numbers(points[:, 0])}" for name, points in poses)
    return "\n".join([CSV_HEADER, *rows]) + "\n"


# fashionWOMENTees_Tanksid0000790303_1front.jpg or fasionWOMENTeesTanksid0000790303_1front.jpg.
_FASHION = re.compile(r"fash?ion(?P<category>(?:WO)?MEN\w*?)id(?P<picture>\d+_\w+\.jpg)")


def spelling(name: str) -> str:
    """One spelling for the two that lists of DeepFashion have: fashion...Tees_Tanks and fasion...TeesTanks.

    Every other name stays as it is.
    """
    match = _FASHION.fullmatch(name)
    return f"fashion{match['category'].replace('_', '')}id{match['picture']}" if match else name


def read_pairs_csv(path: str | Path) -> list[tuple[str, str]]:
    """Read a pair list: CSV with the header `from,to`, a source and a target picture name a line.

    Raises:
        Pg2Error: absent, another header, a line without both names, or no pair at all.
    """
    text = read_text(path, "a pair list", _MOST_PAIRS)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
    except csv.Error as error:
        raise Pg2Error(f"cannot read the pair list {path}: {error}") from error
    if not rows or not {"from", "to"} <= rows[0].keys():
        raise Pg2Error(f'{path} is not a pair list: a CSV with the header "from,to" and at least one pair')
    if not all(row["from"] and row["to"] for row in rows):
        raise Pg2Error(f"{path} has a line without both names")
    return [(row["from"], row["to"]) for row in rows]
