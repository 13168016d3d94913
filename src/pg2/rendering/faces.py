"""What makes one face and one figure differ from another: shapes of the MakeHuman mesh, once a person."""

import numpy as np

# Each has a -decr and an -incr; and how far it is taken at most.
_MORE_OR_LESS = {
    "head/head-fat": 0.6,
    "head/head-scale-horiz": 0.5,
    "head/head-scale-vert": 0.4,
    "nose/nose-scale-horiz": 0.6,
    "nose/nose-scale-vert": 0.6,
    "nose/nose-scale-depth": 0.4,
    "nose/nose-hump": 0.5,
    "nose/nose-flaring": 0.7,
    "nose/nose-width2": 0.7,
    "nose/nose-volume": 0.4,
    "mouth/mouth-scale-horiz": 0.6,
    "mouth/mouth-scale-vert": 0.5,
    "mouth/mouth-lowerlip-volume": 0.6,
    "mouth/mouth-upperlip-volume": 0.6,
    "cheek/{}-cheek-bones": 0.7,
    "cheek/{}-cheek-volume": 0.7,
    "eyes/{}-eye-scale": 0.5,
    "eyes/{}-eye-height2": 0.6,
    "chin/chin-height": 0.6,
    "chin/chin-width": 0.8,
    "chin/chin-prominent": 0.6,
    "chin/chin-bones": 0.6,
    "forehead/forehead-temple": 0.6,
    "forehead/forehead-scale-vert": 0.4,
    "ears/{}-ear-scale": 0.5,
    "ears/{}-ear-wing": 0.6,
    "neck/neck-scale-horiz": 0.5,
    "hip/hip-scale-horiz": 0.6,
    "torso/torso-scale-horiz": 0.4,
    "torso/torso-scale-depth": 0.4,
    "torso/torso-vshape": 0.5,
    "stomach/stomach-pregnant": 0.3,
    "buttocks/buttocks-volume": 0.7,
}
_EITHER_OR = {
    ("mouth/mouth-trans-down", "mouth/mouth-trans-up"): 0.4,
    ("mouth/mouth-angles-down", "mouth/mouth-angles-up"): 0.4,
    ("nose/nose-point-down", "nose/nose-point-up"): 0.6,
    ("nose/nose-base-down", "nose/nose-base-up"): 0.5,
    ("nose/nose-curve-concave", "nose/nose-curve-convex"): 0.6,
    ("eyes/{}-eye-trans-in", "eyes/{}-eye-trans-out"): 0.5,
    ("eyes/{}-eye-trans-down", "eyes/{}-eye-trans-up"): 0.4,
    ("eyes/{}-eye-corner2-down", "eyes/{}-eye-corner2-up"): 0.7,
    ("eyebrows/eyebrows-trans-down", "eyebrows/eyebrows-trans-up"): 0.5,
    ("eyebrows/eyebrows-angle-down", "eyebrows/eyebrows-angle-up"): 0.6,
}
_HEADS = ("oval", "round", "rectangular", "square", "triangular", "invertedtriangular", "diamond")
_SMILE = {"mouth-corner-puller": 1.0, "eye-{}-slit": 0.35, "mouth-part-later": 0.15}
_SURPRISE = {"eyebrows-{}-up": 0.6, "eye-{}-opened-up": 0.2}
_FROWN = {"eyebrows-{}-down": 0.5, "mouth-depression": 0.2}
_MOODS = ((_SMILE, 0.55), (_SURPRISE, 0.15), (_FROWN, 0.08))


def draw_shapes(rng: np.random.Generator, old: float, ancestry: str) -> dict[str, float]:
    """Draw a face and what macros do not say of a body.

    Args:
        rng: draws them.
        old: 0 to 1, how far wrinkles and folds have come.
        ancestry: whose smile it is: "african", "asian" or "caucasian".

    Returns:
        Name of a target of the mesh -> how much of it, 0 to 1; see `BodyModel.rest`.
    """
    shapes: dict[str, float] = {}

    def add(name: str, amount: float) -> None:
        for side in ("l", "r") if "{}" in name else ("",):
            full = name.format(side)
            shapes[full] = shapes.get(full, 0.0) + round(amount, 3)

    for name, most in _MORE_OR_LESS.items():
        amount = most * float(np.clip(rng.normal(0, 0.55), -1, 1))
        add(f"{name}-{'incr' if amount > 0 else 'decr'}", abs(amount))
    for (one, other), most in _EITHER_OR.items():
        amount = most * float(np.clip(rng.normal(0, 0.55), -1, 1))
        add(one if amount > 0 else other, abs(amount))
    add(f"head/head-{_HEADS[int(rng.integers(len(_HEADS)))]}", float(rng.uniform(0, 0.7)))
    add("head/head-age-incr", 0.6 * old)
    mood, strength = rng.uniform(), float(rng.uniform(0.3, 0.9))
    for expression, share in _MOODS:
        if 0 <= mood < share:
            for name, part in expression.items():
                for side in ("left", "right") if "{}" in name else ("",):
                    add(f"expression/units/{ancestry}/{name.format(side)}", part * strength)
        mood -= share
    return shapes
