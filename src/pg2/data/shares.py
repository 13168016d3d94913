"""Which people are kept for testing, by nothing but their names."""

import hashlib
import math
import warnings
from collections.abc import Collection

from pg2.errors import Pg2Error


def check_share(test_share: float) -> None:
    """Refuse what is no share.

    Raises:
        Pg2Error: it is not between 0 and 1.
    """
    if not 0.0 <= test_share <= 1.0:
        raise Pg2Error(f"the share of people for testing must be between 0 and 1, not {test_share}")


def _place(person: str) -> float:
    """A fixed place between 0 and 1 for every name."""
    return int.from_bytes(hashlib.sha256(person.encode()).digest()[:4]) / 2**32


def split_of(person: str, test_share: float) -> str:
    """The split of a person: "test" for this share of all people, 0 to 1; it stays when others are added."""
    return "test" if _place(person) < test_share else "train"


def warn_of_an_empty_split(people: Collection[str], test_share: float) -> None:
    """Say that a share of these people is nobody, or everybody; best before poses are looked for."""
    tested = sum(split_of(person, test_share) == "test" for person in people)
    if test_share > 0 and not tested:
        enough = math.floor(100 * min(map(_place, people)) + 1) / 100
        warnings.warn(
            f"a test share of {test_share:g} takes none of these {len(people)} people, so there are 0 test "
            f"pictures; the names decide who is taken, and {enough:g} takes one",
            stacklevel=3,
        )
    if test_share < 1 and tested == len(people):
        warnings.warn(
            f"a test share of {test_share:g} takes all of these {len(people)} people, so there are 0 "
            "training pictures",
            stacklevel=3,
        )
