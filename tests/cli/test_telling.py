"""How much of several results is known, in one sentence."""

from pg2.cli.telling import of_several


def test_a_range_is_said_where_there_is_one() -> None:
    assert of_several([0.5, 0.7], 0, 2) == (
        "60 % of the people is copied from the photos (50 to 70 %), the rest is invented"
    )
    assert of_several([0.85], 0, 1) == "85 % of the people is copied from the photos, the rest is invented"


def test_doubts_are_counted_and_nothing_is_said_of_nothing() -> None:
    assert of_several([], 3, 4) == "3 of 4 poses show what their photo does not"
    assert of_several([], 0, 4) == ""
