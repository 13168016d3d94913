"""What a person is like and wears: drawn once, the same in all pictures of that person."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

from pg2.rendering.geometry import Array

PALETTE = {
    "white": (0.93, 0.93, 0.92),
    "black": (0.09, 0.09, 0.10),
    "grey": (0.48, 0.49, 0.51),
    "light grey": (0.74, 0.74, 0.75),
    "navy": (0.11, 0.15, 0.29),
    "blue": (0.17, 0.35, 0.66),
    "light blue": (0.55, 0.70, 0.86),
    "denim": (0.24, 0.33, 0.47),
    "red": (0.72, 0.13, 0.15),
    "burgundy": (0.38, 0.09, 0.15),
    "pink": (0.90, 0.60, 0.66),
    "orange": (0.88, 0.45, 0.15),
    "mustard": (0.82, 0.62, 0.18),
    "yellow": (0.93, 0.83, 0.35),
    "green": (0.18, 0.45, 0.27),
    "olive": (0.36, 0.38, 0.21),
    "mint": (0.62, 0.82, 0.72),
    "teal": (0.10, 0.42, 0.45),
    "purple": (0.40, 0.24, 0.52),
    "lilac": (0.72, 0.63, 0.82),
    "beige": (0.80, 0.71, 0.58),
    "brown": (0.36, 0.23, 0.15),
    "cream": (0.94, 0.89, 0.78),
}
"""Colours of clothes, RGB 0 to 1."""

_SKIN = np.array(
    [
        (0.95, 0.80, 0.71),
        (0.91, 0.73, 0.61),
        (0.84, 0.64, 0.50),
        (0.72, 0.52, 0.38),
        (0.55, 0.37, 0.26),
        (0.38, 0.25, 0.18),
    ]
)
_HAIR = {
    "black": (0.07, 0.06, 0.06),
    "dark brown": (0.17, 0.11, 0.08),
    "brown": (0.30, 0.19, 0.11),
    "light brown": (0.46, 0.32, 0.19),
    "blond": (0.72, 0.57, 0.33),
    "red": (0.50, 0.22, 0.10),
    "grey": (0.55, 0.54, 0.53),
}
# How often each is drawn; for women and men where that differs.
_HAIR_OF_WOMEN = {
    "short": 0.10, "cropped": 0.02, "bob": 0.24, "long": 0.26, "bun": 0.15, "ponytail": 0.19, "afro": 0.04
}  # fmt: skip
_HAIR_OF_MEN = {
    "short": 0.36, "cropped": 0.17, "bald": 0.07, "quiff": 0.20, "cap": 0.10, "bob": 0.05, "afro": 0.05
}  # fmt: skip
_TOP = {"t-shirt": 0.36, "long sleeve": 0.25, "tank top": 0.14, "jacket": 0.25}
_BOTTOM_OF_WOMEN = {"trousers": 0.36, "shorts": 0.18, "skirt": 0.28, "leggings": 0.18}
_BOTTOM_OF_MEN = {"trousers": 0.72, "shorts": 0.28}
_TOP_PATTERN = {
    "plain": 0.36, "stripes": 0.17, "vertical stripes": 0.07, "checks": 0.10, "dots": 0.06, "logo": 0.14,
    "blocks": 0.10,
}  # fmt: skip
_BOTTOM_PATTERN = {"plain": 0.80, "vertical stripes": 0.05, "checks": 0.07, "side stripe": 0.08}
_NECK = {"crew": 0.45, "v": 0.20, "scoop": 0.20, "high": 0.15}
_SHOES = {"sneaker": 0.50, "flat": 0.25, "boot": 0.25}
_TROUSER_COLOURS = ("denim", "black", "navy", "grey", "beige", "olive", "brown", "white")
_SHOE_COLOURS = ("white", "black", "brown", "grey", "navy", "red", "beige")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Details:
    """What a photograph shows besides; lengths are metres for a stature of 1.65 m. See `outfits`.

    Attributes:
        shapes: of face and body, see `BodyModel.rest`.
        fabrics: of top, bottom and jacket, names of `layers.FABRICS`.
        front: of the top: "plain", or with "buttons" or a "zip".
        collar: of the top or the jacket: "none", "shirt" or "hood".
        drop: how much lower than usual the top ends.
        open: how far the jacket gapes, 0 (closed) to 1.
        coat_hem: height of a coat's hem above the floor, as a share of the stature; None: a jacket, if any.
        flare: how wide a skirt is, 0 to 1.
        locks: how far long hair falls in front of the shoulders; 0 where it falls behind them.
        waves: how wavy hair is, 0 to 1.
        fringe: hair over the forehead.
        hat: "none", "beanie", "brim" or "headscarf".
        bag: "none", "backpack", "crossbody" or "handbag".
        glasses: "none", "glasses" or "sunglasses".
        scarf: worn around the neck.
        beard: 0 (none) to 1 (full).
        brow: how much higher than usual, how tilted, how thick the brows are.
        colours: names in `PALETTE` of hat, bag and scarf.
    """

    shapes: dict[str, float]
    fabrics: tuple[str, str, str]
    front: str
    collar: str
    drop: float
    open: float
    coat_hem: float | None
    flare: float
    locks: float
    waves: float
    fringe: bool
    hat: str
    bag: str
    glasses: str
    scarf: bool
    beard: float
    brow: tuple[float, float, float]
    colours: tuple[str, str, str]


@dataclass(frozen=True)
class Attributes:
    """One person's looks; lengths are shares.

    Attributes:
        female: or male.
        phenotype: traits of the body, see `BodyModel.rest`.
        skin_tone: 0 (light) to 5 (dark).
        top: with a jacket, a t-shirt is worn below it.
        dress: skirt and top are one piece.
        top_second: the second colour of the top's pattern.
        sleeve: of a t-shirt, as a share of the upper arm.
        tuck: the top is tucked into the bottom.
        trouser_width: 0 (narrow) to 1 (wide).
        leg_hem: height of the bottom's hem above the floor, as a share of the stature.
        details: of a photograph; None in the other looks.
    """

    female: bool
    phenotype: dict[str, float]
    skin_tone: float
    hair_colour: str
    hair: str
    top: str
    bottom: str
    dress: bool
    top_colour: str
    top_second: str
    bottom_colour: str
    shoe_colour: str
    jacket_colour: str
    top_pattern: str
    bottom_pattern: str
    sleeve: float
    neck: str
    shoes: str
    tuck: bool
    trouser_width: float
    leg_hem: float
    details: Details | None = None

    @property
    def skin_rgb(self) -> Array:
        """Colour of the skin, [3], 0 to 1."""
        return np.array([np.interp(self.skin_tone, range(len(_SKIN)), _SKIN[:, k]) for k in range(3)])

    @property
    def hair_rgb(self) -> Array:
        """Colour of the hair, [3], 0 to 1."""
        return np.array(_HAIR[self.hair_colour])

    def record(self) -> dict[str, Any]:
        """For JSON, numbers rounded; without the many small shapes of a face."""
        rounded = {trait: round(value, 3) for trait, value in self.phenotype.items()}
        record = asdict(self) | {"phenotype": rounded, "skin_tone": round(self.skin_tone, 2)}
        if self.details is None:
            del record["details"]
        else:
            del record["details"]["shapes"]
        return record


def pick(rng: np.random.Generator, items: Sequence[_T]) -> _T:
    """One of the items, all equally likely."""
    return items[int(rng.choice(len(items)))]


def pick_weighted(rng: np.random.Generator, shares: dict[str, float]) -> str:
    """One of the names, as often as its share says; the shares add up to 1."""
    return list(shares)[int(rng.choice(len(shares), p=list(shares.values())))]


def draw_attributes(rng: np.random.Generator) -> Attributes:
    """Draw a person."""
    female = bool(rng.uniform() < 0.5)
    phenotype = _phenotype(rng, female)
    ancestry = np.array([phenotype[name] for name in ("african", "asian", "caucasian")])
    tone = float(np.clip(ancestry @ np.array([4.3, 1.6, 0.6]) + rng.uniform(-0.7, 0.7), 0, 5))
    hair_colour = pick(rng, list(_HAIR)[:3] if tone > 2.2 else list(_HAIR))
    hair = pick_weighted(rng, _HAIR_OF_WOMEN if female else _HAIR_OF_MEN)
    top = pick_weighted(rng, _TOP)
    bottom = pick_weighted(rng, _BOTTOM_OF_WOMEN if female else _BOTTOM_OF_MEN)
    dress = bool(bottom == "skirt" and top != "jacket" and rng.uniform() < 0.35)
    colours = _colours(rng, dress)
    top_pattern = pick_weighted(rng, _TOP_PATTERN)
    if dress and top_pattern in ("checks", "dots", "stripes"):
        bottom_pattern = top_pattern
    else:
        bottom_pattern = pick_weighted(rng, _BOTTOM_PATTERN)
    sleeve = round(float(rng.uniform(0.5, 0.8)), 2)
    neck, shoes = pick_weighted(rng, _NECK), pick_weighted(rng, _SHOES)
    tuck = bool(bottom != "leggings" and rng.uniform() < (0.8 if bottom == "skirt" else 0.3))
    width = round(float(rng.uniform()), 2)
    hems = {
        "trousers": round(float(rng.uniform(0, 0.06)), 3),
        "leggings": 0.05,
        "shorts": round(float(rng.uniform(0.33, 0.43)), 3),
        "skirt": round(float(rng.uniform(0.22, 0.38)), 3),
    }
    return Attributes(
        female=female,
        phenotype=phenotype,
        skin_tone=tone,
        hair_colour=hair_colour,
        hair=hair,
        top=top,
        bottom=bottom,
        dress=dress,
        top_pattern=top_pattern,
        bottom_pattern=bottom_pattern,
        sleeve=sleeve,
        neck=neck,
        shoes=shoes,
        tuck=tuck,
        trouser_width=width,
        leg_hem=hems[bottom],
        **colours,
    )


def _phenotype(rng: np.random.Generator, female: bool) -> dict[str, float]:
    ancestry = rng.dirichlet([0.6, 0.6, 0.6])
    ranges = {
        "gender": (0.85, 1.0) if female else (0.0, 0.15),
        "age": (0.55, 0.80),
        "muscle": (0.35, 0.70),
        "weight": (0.30, 0.68),
        "height": (0.30, 0.70),
        "proportions": (0.45, 0.90),
        "cupsize": (0.30, 0.60),
        "firmness": (0.40, 0.70),
    }
    traits = {trait: float(rng.uniform(low, high)) for trait, (low, high) in ranges.items()}
    return traits | dict(zip(("african", "asian", "caucasian"), map(float, ancestry), strict=True))


def _colours(rng: np.random.Generator, dress: bool) -> dict[str, Any]:
    """Clothes that can be told apart; the two parts of a dress have one colour."""
    names = list(PALETTE)
    # Six are drawn and four used: with fewer draws all seeds would give other people.
    top, second, bottom, _, jacket, _ = (pick(rng, names) for _ in range(6))
    if rng.uniform() < 0.6:
        bottom = pick(rng, _TROUSER_COLOURS)
    while second == top:
        second = pick(rng, names)
    if dress:
        bottom = top
    while bottom == top and not dress:
        bottom = pick(rng, names)
    shoe = pick(rng, _SHOE_COLOURS)
    while jacket in (top, second):
        jacket = pick(rng, names)
    return {
        "top_colour": top,
        "top_second": second,
        "bottom_colour": bottom,
        "shoe_colour": shoe,
        "jacket_colour": jacket,
    }
