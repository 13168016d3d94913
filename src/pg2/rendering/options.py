"""What a set of rendered people is made with. Imports nothing heavy: bad settings are refused at once."""

from dataclasses import dataclass

from pg2.errors import Pg2Error

LOOKS = ("studio", "street", "photo")
"""People before grey paper; the same people before a blurred street; or what photographs show."""
FRAMINGS = ("full", "mixed", "any")
"""Whole people only; about a quarter of the pictures from the head to the thighs; or, of photographs,
anything from head and shoulders to far away."""

MIN_SIDE, MAX_SIDE, SIDE_STEP = 32, 1024, 16
MAX_PEOPLE, MAX_POSES = 100_000, 100


@dataclass(frozen=True)
class RenderOptions:
    """On these, and on their number, people depend.

    Attributes:
        poses: pictures of each person.
        size: (height, width) of the pictures in pixels, multiples of 16.
        seed: other people for another one.
        look: one of `LOOKS`.
        framing: one of `FRAMINGS`; "" stands for "any" of photographs, "full" otherwise.
        geometry: also write which place on the person each pixel shows; the pictures stay the same.
    """

    poses: int
    size: tuple[int, int]
    seed: int = 0
    look: str = "studio"
    framing: str = ""
    geometry: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be rendered.

        Raises:
            Pg2Error: a setting is out of range.
        """
        if not 1 <= self.poses <= MAX_POSES:
            raise Pg2Error(f"give 1 to {MAX_POSES} poses a person, not {self.poses}")
        height, width = self.size
        if not all(MIN_SIDE <= side <= MAX_SIDE and side % SIDE_STEP == 0 for side in self.size):
            raise Pg2Error(
                f"people are rendered at {MIN_SIDE} to {MAX_SIDE} pixels a side, in multiples of "
                f"{SIDE_STEP}, such as 256x256 or 128x64, not {height}x{width}"
            )
        if not 0 <= self.seed < 2**32:
            raise Pg2Error(f"a seed is a whole number from 0 to {2**32 - 1}, not {self.seed}")
        if self.look not in LOOKS:
            raise Pg2Error(f'there is no look "{self.look}"; choose {" or ".join(LOOKS)}')
        if not self.framing:
            object.__setattr__(self, "framing", "any" if self.look == "photo" else "full")
        if self.framing not in FRAMINGS:
            raise Pg2Error(f'there is no framing "{self.framing}"; choose {" or ".join(FRAMINGS)}')
        if self.framing == "any" and self.look != "photo":
            raise Pg2Error(f'the framing "any" is for --look photo; choose full or mixed for {self.look}')
