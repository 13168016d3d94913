"""How much of a result is known: what commands say of it on stderr."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pg2.pipeline import Result


_NO_LEGS = "the photo shows no legs"  # of the doubts, see pg2.pose.facing


def tell(rows: "Sequence[Sequence[Result]]") -> None:
    """Say in one sentence how much of the pictures is known, and what may help."""
    results = [result for row in rows for result in row]
    if len(results) == 1:
        said = results[0].about
    else:
        said = of_several(
            [result.copied for result in results if result.copied is not None],
            sum(bool(result.doubts) for result in results),
            len(results),
        )
    if any(_NO_LEGS in result.doubts for result in results):
        said += "; --in-place keeps half a person half"
    if said:
        print(f"pg2: {said}", file=sys.stderr)


def of_several(copied: Sequence[float], doubtful: int, pictures: int) -> str:
    """How much of several pictures is known, as one sentence without its full stop; "" with nothing to say.

    Args:
        copied: the shares that are known.
        doubtful: how many pictures come with doubts.
        pictures: how many there are.
    """
    shares = ""
    if copied:
        least, most = (round(100 * share) for share in (min(copied), max(copied)))
        mean = round(100 * sum(copied) / len(copied))
        span = f" ({least} to {most} %)" if least < most else ""
        shares = f"{mean} % of the people is copied from the photos{span}, the rest is invented"
    few = f"{doubtful} of {pictures} poses show what their photo does not" if doubtful else ""
    return "; ".join(filter(None, (shares, few)))
