"""Work that does harm; in a module of its own, so that another process can import it."""

import sys
import time
from collections.abc import Callable

from fault_study.watched import Outcome


def harmful() -> Callable[[str, int | None], Outcome]:
    """What does harm, by name."""

    def do(name: str, number: int | None) -> Outcome:
        if number is None:
            return Outcome("accepted")
        if name == "sleeps":
            time.sleep(60)
        elif name == "works":
            while True:
                pass
        elif name == "hoards":
            assert bytes(b"x" * 200_000_000)
        elif name == "dies":
            sys.exit(3)
        elif name == "fails":
            raise ValueError("planted")
        return Outcome("refused")

    return do
