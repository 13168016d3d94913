"""People of photographs: bodies, skin and hair evenly spread, and a fuller wardrobe than the studio's."""

from typing import Any

import numpy as np

from pg2.rendering.attributes import PALETTE, Attributes, Details, pick, pick_weighted
from pg2.rendering.faces import draw_shapes

_HAIR_OF_WOMEN = {
    "long": 0.40, "bob": 0.17, "ponytail": 0.14, "bun": 0.12, "short": 0.08, "afro": 0.05, "cropped": 0.04,
}  # fmt: skip
_HAIR_OF_MEN = {
    "short": 0.38, "cropped": 0.20, "quiff": 0.17, "bald": 0.07, "cap": 0.07, "bob": 0.04, "afro": 0.05,
    "long": 0.02,
}  # fmt: skip
_HAIR_COLOURS = {
    "black": 0.30, "dark brown": 0.26, "brown": 0.16, "light brown": 0.10, "blond": 0.12, "red": 0.06,
}  # fmt: skip
_TOP = {"t-shirt": 0.28, "long sleeve": 0.30, "tank top": 0.10, "jacket": 0.32}
_BOTTOM_OF_WOMEN = {"trousers": 0.40, "shorts": 0.10, "skirt": 0.36, "leggings": 0.14}
_BOTTOM_OF_MEN = {"trousers": 0.80, "shorts": 0.20}
_TOP_PATTERN = {
    "plain": 0.40, "stripes": 0.11, "vertical stripes": 0.04, "checks": 0.04, "dots": 0.04, "logo": 0.05,
    "blocks": 0.05, "floral": 0.07, "plaid": 0.06, "print": 0.08, "melange": 0.04, "animal": 0.02,
}  # fmt: skip
_BOTTOM_PATTERN = {
    "plain": 0.80, "vertical stripes": 0.03, "checks": 0.03, "side stripe": 0.04, "plaid": 0.04,
    "floral": 0.04, "animal": 0.02,
}  # fmt: skip
_FABRIC_OF_TOP = {"jersey": 0.42, "knit": 0.20, "linen": 0.22, "satin": 0.08, "wool": 0.05, "denim": 0.03}
_FABRIC_OF_BOTTOM = {
    "denim": 0.40, "jersey": 0.18, "linen": 0.20, "wool": 0.10, "leather": 0.06, "satin": 0.06
}  # fmt: skip
_FABRIC_OF_JACKET = {
    "denim": 0.18, "leather": 0.18, "wool": 0.30, "jersey": 0.16, "linen": 0.12, "knit": 0.06
}  # fmt: skip
_NECK = {"crew": 0.45, "v": 0.20, "scoop": 0.20, "high": 0.15}
_SHOES = {"sneaker": 0.48, "flat": 0.26, "boot": 0.26}
_HAT = {"none": 0.84, "beanie": 0.07, "brim": 0.05, "headscarf": 0.04}
_BAG = {"none": 0.60, "backpack": 0.12, "crossbody": 0.15, "handbag": 0.13}
_GLASSES = {"none": 0.80, "glasses": 0.13, "sunglasses": 0.07}
_LEATHER = ("black", "brown", "burgundy", "beige", "navy", "brown")
_DYES = {
    "denim": ("denim", "navy", "light blue", "black", "grey", "blue", "white"),
    "leather": _LEATHER,
    "wool": (
        "beige", "grey", "black", "navy", "cream", "brown", "burgundy", "olive", "light grey", "mustard",
        "red", "pink",
    ),
}  # fmt: skip
_NEUTRAL = ("white", "black", "grey", "light grey", "navy", "denim", "beige", "cream", "brown", "olive")


def draw_outfit(rng: np.random.Generator) -> Attributes:
    """Draw a person as they may walk into a photograph."""
    female = bool(rng.uniform() < 0.5)
    tone = float(rng.uniform(0, 5))
    phenotype = _phenotype(rng, female, tone)
    old = float(np.clip((phenotype["age"] - 0.70) / 0.25, 0, 1))
    clothes = _clothes(rng, female)
    fabrics = _fabrics(rng, clothes)
    hat, hair = _head(rng, female)
    return Attributes(
        female=female,
        phenotype=phenotype,
        skin_tone=tone,
        hair=hair,
        hair_colour=_hair_colour(rng, tone, old),
        details=_details(rng, female, old, phenotype, clothes, fabrics, hat),
        **clothes,
        **_colours(rng, clothes, fabrics),
    )


def _phenotype(rng: np.random.Generator, female: bool, tone: float) -> dict[str, float]:
    """As wide a range of adults as the mesh makes well; the features go with the skin, loosely."""
    dark = tone / 5
    ancestry = rng.dirichlet([0.15 + 1.3 * dark, 0.6, 0.15 + 1.3 * (1 - dark)])
    ranges = {
        "gender": (0.80, 1.0) if female else (0.0, 0.18),
        "age": (0.50, 0.95),
        "muscle": (0.25, 0.85),
        "weight": (0.15, 0.95),
        "height": (0.20, 0.80),
        "proportions": (0.25, 0.95),
        "cupsize": (0.15, 0.80),
        "firmness": (0.30, 0.80),
    }
    traits = {trait: float(rng.uniform(low, high)) for trait, (low, high) in ranges.items()}
    return traits | dict(zip(("african", "asian", "caucasian"), map(float, ancestry), strict=True))


def _clothes(rng: np.random.Generator, female: bool) -> dict[str, Any]:
    top = pick_weighted(rng, _TOP)
    bottom = pick_weighted(rng, _BOTTOM_OF_WOMEN if female else _BOTTOM_OF_MEN)
    dress = bool(bottom == "skirt" and rng.uniform() < 0.55)
    top_pattern = pick_weighted(rng, _TOP_PATTERN)
    bottom_pattern = pick_weighted(rng, _BOTTOM_PATTERN)
    if dress:
        bottom_pattern = "plain" if top_pattern in ("logo", "print", "blocks") else top_pattern
    hems = {
        "trousers": rng.uniform(0, 0.10),
        "leggings": rng.uniform(0.04, 0.08),
        "shorts": rng.uniform(0.30, 0.43),
        "skirt": rng.uniform(0.06, 0.40),
    }
    sleeve = rng.uniform(0.35, 0.85) if rng.uniform() < 0.75 else rng.uniform(0.9, 1.6)
    tucked = {"leggings": 0.0, "skirt": 0.6}.get(bottom, 0.25)
    return {
        "top": top,
        "bottom": bottom,
        "dress": dress,
        "top_pattern": top_pattern,
        "bottom_pattern": bottom_pattern,
        "sleeve": round(float(sleeve), 2),
        "neck": pick_weighted(rng, _NECK),
        "shoes": pick_weighted(rng, _SHOES),
        "tuck": bool(dress or rng.uniform() < tucked),
        "trouser_width": round(float(rng.uniform()), 2),
        "leg_hem": round(float(hems[bottom]), 3),
    }


def _fabrics(rng: np.random.Generator, clothes: dict[str, Any]) -> tuple[str, str, str]:
    top, bottom, jacket = (
        pick_weighted(rng, shares) for shares in (_FABRIC_OF_TOP, _FABRIC_OF_BOTTOM, _FABRIC_OF_JACKET)
    )
    if clothes["bottom"] == "leggings":
        bottom = "jersey"
    return top, top if clothes["dress"] else bottom, jacket


def _colours(
    rng: np.random.Generator, clothes: dict[str, Any], fabrics: tuple[str, str, str]
) -> dict[str, Any]:
    """Colours that the fabrics come in; those of top, pattern and bottom can be told apart."""
    names = list(PALETTE)

    def dye(fabric: str, neutral: float) -> str:
        if fabric in _DYES and rng.uniform() < 0.9:
            return pick(rng, _DYES[fabric])
        return pick(rng, _NEUTRAL if rng.uniform() < neutral else names)

    top, bottom, jacket = (
        dye(fabric, share) for fabric, share in zip(fabrics, (0.45, 0.65, 0.6), strict=True)
    )
    while bottom == top:
        bottom = pick(rng, _NEUTRAL)
    second = top
    while second == top:
        second = pick(rng, _NEUTRAL if rng.uniform() < 0.4 else names)
    return {
        "top_colour": top,
        "top_second": second,
        "bottom_colour": top if clothes["dress"] else bottom,
        "jacket_colour": jacket,
        "shoe_colour": pick(rng, _NEUTRAL if rng.uniform() < 0.85 else names),
    }


def _head(rng: np.random.Generator, female: bool) -> tuple[str, str]:
    """A hat, and hair that fits below it."""
    hat = pick_weighted(rng, _HAT)
    if hat == "headscarf" and not female:
        hat = "none"
    hair = pick_weighted(rng, _HAIR_OF_WOMEN if female else _HAIR_OF_MEN)
    if hat != "none" and hair not in ("short", "cropped", "bob", "long"):
        hair = "long" if female else "short"
    return hat, "cropped" if hat == "headscarf" else hair


def _hair_colour(rng: np.random.Generator, tone: float, old: float) -> str:
    colour = pick_weighted(rng, _HAIR_COLOURS)
    if tone > 2.8 and rng.uniform() < 0.8:
        colour = pick(rng, ("black", "dark brown"))
    return "grey" if rng.uniform() < 0.85 * old else colour


def _details(
    rng: np.random.Generator,
    female: bool,
    old: float,
    phenotype: dict[str, float],
    clothes: dict[str, Any],
    fabrics: tuple[str, str, str],
    hat: str,
) -> Details:
    u = rng.uniform
    ancestry = max(("african", "asian", "caucasian"), key=lambda name: phenotype[name])
    shirt = clothes["top"] in ("t-shirt", "long sleeve") and fabrics[0] in ("linen", "denim", "satin")
    front = pick_weighted(rng, {"buttons": 0.7, "plain": 0.3} if shirt else {"plain": 0.93, "zip": 0.07})
    jacket = clothes["top"] == "jacket"
    soft = fabrics[2 if jacket else 0] in ("jersey", "knit")
    collar = pick_weighted(
        rng, {"shirt": 0.65, "none": 0.35} if (front == "buttons" or jacket) else {"none": 0.85, "hood": 0.15}
    )
    if jacket and soft:
        collar = pick_weighted(rng, {"hood": 0.6, "none": 0.4})
    coat = jacket and fabrics[2] in ("wool", "linen", "leather", "denim") and u() < 0.5
    colours = (
        pick(rng, list(PALETTE)),
        pick(rng, _LEATHER if u() < 0.7 else list(PALETTE)),
        pick(rng, list(PALETTE)),
    )
    stubble = float(u(0.15, 0.5) if u() < 0.5 else u(0.6, 1.0))
    return Details(
        shapes=draw_shapes(rng, old, ancestry),
        fabrics=fabrics,
        front=front,
        collar="none" if hat == "headscarf" or clothes["top"] == "tank top" else collar,
        drop=round(float(u(-0.05, 0.09)), 3),
        open=round(float(u(0, 1) if u() < 0.7 else 0.0), 2),
        coat_hem=round(float(u(0.16, 0.42)), 3) if coat else None,
        flare=round(float(u()), 2),
        locks=round(float(u(0.3, 1)), 2) if u() < 0.6 else 0.0,
        waves=round(float(u(0, 1) ** 1.5), 2),
        fringe=bool(u() < (0.3 if female else 0.2)),
        hat=hat,
        bag=pick_weighted(rng, _BAG),
        glasses=pick_weighted(rng, _GLASSES),
        scarf=bool(u() < (0.18 if jacket else 0.04) and hat != "headscarf"),
        beard=0.0 if female or u() < 0.5 else round(stubble, 2),
        brow=(
            round(float(u(-0.002, 0.005)), 4),
            round(float(u(-0.15, 0.2)), 3),
            round(float(u(0.7, 1.5)), 2),
        ),
        colours=colours,
    )
