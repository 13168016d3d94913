"""Who is kept for testing."""

import pytest

from pg2.data.shares import check_share, split_of, warn_of_an_empty_split
from pg2.errors import Pg2Error

PEOPLE = [f"person {number}" for number in range(400)]


def test_a_larger_share_keeps_whom_a_smaller_one_had() -> None:
    tested = [{name for name in PEOPLE if split_of(name, share) == "test"} for share in (0.0, 0.1, 0.5, 1.0)]
    assert not tested[0]
    assert 20 < len(tested[1]) < 60
    assert tested[1] < tested[2] < tested[3]
    assert len(tested[3]) == 400


def test_a_share_that_is_nobody_or_everybody_is_said(recwarn: pytest.WarningsRecorder) -> None:
    warn_of_an_empty_split(PEOPLE, 0.5)
    warn_of_an_empty_split(PEOPLE, 0.0)
    warn_of_an_empty_split(PEOPLE, 1.0)
    assert not recwarn.list
    with pytest.warns(UserWarning, match=r"takes none of these 2 people.* and 0\.\d+ takes one"):
        warn_of_an_empty_split(PEOPLE[:2], 0.0001)
    with pytest.warns(UserWarning, match="takes all of these 1 people"):
        warn_of_an_empty_split(PEOPLE[:1], 0.9999)


def test_what_is_no_share() -> None:
    for share in (-0.1, 1.1, float("nan")):
        with pytest.raises(Pg2Error, match="between 0 and 1"):
            check_share(share)
