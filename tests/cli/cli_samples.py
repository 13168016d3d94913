"""What tests of several commands use: a photo, what a command did, how it refuses."""

from pathlib import Path

from PIL import Image

from pg2.io.packaged import SAMPLES

PHOTO = str(SAMPLES / "00003/00.jpg")


class Ran:
    """What a command line did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err


def size_of(picture: Path) -> tuple[int, int]:
    with Image.open(picture) as opened:
        return opened.size


def assert_refused(ran: Ran, said: str) -> None:
    assert ran.code == 2
    assert said in ran.err
    assert ran.err.startswith("pg2: ")
    assert len(ran.err.strip().splitlines()) == 1
