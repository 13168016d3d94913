"""The files in which the field publishes keypoints and pairs, and the spellings of their names."""

import csv
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from pg2.errors import Pg2Error
from pg2.pose.keypoints import COUNT, Points

CSV_HEADER = "name:keypoints_y:keypoints_x"


def read_keypoints_csv(path: str | Path) -> dict[str, Points]:
    """Read the published annotation format: `name: [y0, ..., y17]: [x0, ..., x17]`, -1 = missing.

    Returns:
        name -> float32 [18, 2] (x, y), NaN where missing.

    Raises:
        Pg2Error: absent file, another header, or a line that is not of that form.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Pg2Error(f"cannot read keypoints {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Pg2Error(f"{path} is not a text file of keypoints") from error
    if not lines or lines[0].strip() != CSV_HEADER:
        raise Pg2Error(f'{path} is not a keypoint file: its first line must be "{CSV_HEADER}"')
    poses: dict[str, Points] = {}
    for number, line in enumerate(lines[1:], start=2):
        if not line.strip():
            continue
        try:
            name, ys, xs = line.rsplit(":", 2)
            points = np.array([json.loads(xs), json.loads(ys)], dtype=np.float32).T
            if points.shape != (COUNT, 2) or not np.isfinite(points).all():
                raise ValueError("not 18 finite points")
        except (ValueError, TypeError) as error:
            raise Pg2Error(
                f"{path}, line {number}: expected NAME: [18 y values]: [18 x values], -1 where missing"
            ) from error
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
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise Pg2Error(f"cannot read the pair list {path}: {error}") from error
    if not rows or not {"from", "to"} <= rows[0].keys():
        raise Pg2Error(f'{path} is not a pair list: a CSV with the header "from,to" and at least one pair')
    if not all(row["from"] and row["to"] for row in rows):
        raise Pg2Error(f"{path} has a line without both names")
    return [(row["from"], row["to"]) for row in rows]
