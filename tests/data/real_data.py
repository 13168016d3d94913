"""Real data for the tests that look at some, where somebody has it: `PG2_TEST_DATA` says where.

A folder with market1501/ and deepfashion/ as released, each with its published keypoints, and
people-256-test/, people of `pg2 render`. Each may be missing.
"""

import os
from pathlib import Path

import pytest

VARIABLE = "PG2_TEST_DATA"


def place(name: str, beside: str) -> Path:
    """Where the data `name` is looked for: without the variable in `beside`, next to the project."""
    given = os.environ.get(VARIABLE)
    return Path(given) / name if given else Path(__file__).parents[3] / beside / name


def needs(data: Path) -> pytest.MarkDecorator:
    """Skip a test where this data is missing."""
    return pytest.mark.skipif(not data.is_dir(), reason=f"{data.name} is not here; {VARIABLE} says where")


MARKET = place("market1501", "shared/data")
DEEPFASHION = place("deepfashion", "shared/data")
RENDERED = place("people-256-test", "shared/synthetic")
