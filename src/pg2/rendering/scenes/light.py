"""The light of a photograph: one key light, coloured and more or less soft; light from above and below."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from pg2.rendering.attributes import pick_weighted
from pg2.rendering.geometry import Array, unit

Draw = Callable[[float, float], float]
"""Of a uniform number between two."""


@dataclass(frozen=True, eq=False)
class SceneLight:
    """What falls on a person and on what is around them; colours are linear RGB, about 1.

    Attributes:
        name: for the record.
        direction: unit vector [3] towards the key light.
        key: [3], what it gives to a surface that faces it.
        sky, ground: [3], what comes from above and from below.
        softness: of shadows: half their blur in texels of the shadow map.
        near: metres at which a light that fades with distance gives what `key` says; 0: it does not fade.
    """

    name: str
    direction: Array
    key: Array
    sky: Array
    ground: Array
    softness: float
    near: float = 0.0

    def uniforms(self) -> dict[str, Any]:
        """As light.frag and scene.frag take it."""
        return {
            "key_light": self.direction,
            "key_colour": self.key,
            "sky_colour": self.sky,
            "ground_colour": self.ground,
            "softness": self.softness,
            "near_light": self.near,
            "level": self.level,
        }

    @property
    def level(self) -> float:
        """How bright a grey surface is that faces a person's front, per reflectance: by this is exposed."""
        ahead = max(float(self.direction @ np.array([0.0, -0.85, 0.5])), 0.15)
        return float((self.key * ahead * 0.8 + (self.sky + self.ground) / 2).mean())


_OUTSIDE = {"sun": 0.38, "overcast": 0.27, "shade": 0.20, "low sun": 0.15}
_INSIDE = {"window": 0.42, "lamps": 0.33, "flash": 0.15, "daylight": 0.10}


class _Kind(NamedTuple):
    """What is drawn of a light; ranges are uniform."""

    aside: Callable[[float, Draw], float]  # degrees from the camera, by a side from -1 to 1
    up: tuple[float, float]  # degrees
    key: tuple[float, float, float]
    strength: tuple[float, float]  # of the key
    sky: tuple[float, float, float]
    softness: tuple[float, float]


def _within(degrees: float) -> Callable[[float, Draw], float]:
    return lambda side, _: side * degrees


_KINDS = {
    "sun": _Kind(
        lambda _, u: u(-125, 125), (28, 68), (1.0, 0.93, 0.82), (1.1, 1.9), (0.36, 0.46, 0.62), (0.9, 1.6)
    ),
    "low sun": _Kind(
        lambda _, u: u(-150, 150), (9, 24), (1.15, 0.78, 0.46), (0.8, 1.4), (0.36, 0.40, 0.52), (1.2, 2.2)
    ),
    "overcast": _Kind(_within(60), (50, 75), (0.30, 0.31, 0.32), (0.6, 1.4), (0.74, 0.78, 0.84), (9, 14)),
    "shade": _Kind(_within(70), (30, 60), (0.30, 0.32, 0.35), (0.7, 1.3), (0.46, 0.53, 0.64), (7, 12)),
    "window": _Kind(
        lambda side, u: np.sign(side) * u(25, 100),
        (8, 35), (0.92, 0.97, 1.03), (0.6, 1.2), (0.36, 0.35, 0.33), (4, 8),
    ),
    "lamps": _Kind(_within(80), (50, 80), (0.95, 0.74, 0.48), (0.5, 1.0), (0.52, 0.42, 0.30), (5, 10)),
    "flash": _Kind(_within(8), (3, 12), (1.2, 1.2, 1.2), (0.8, 1.3), (0.26, 0.23, 0.19), (0.8, 1.5)),
    "daylight": _Kind(_within(50), (30, 60), (0.42, 0.44, 0.46), (0.7, 1.2), (0.58, 0.58, 0.58), (9, 14)),
    "studio": _Kind(_within(55), (20, 55), (0.72, 0.72, 0.72), (0.4, 1.2), (0.50, 0.50, 0.50), (4, 12)),
}  # fmt: skip


def draw_light(rng: np.random.Generator, place: str, camera_distance: float) -> SceneLight:
    """Draw the light of a place: "outside", "inside" or "studio"."""
    u = rng.uniform
    shares = {"outside": _OUTSIDE, "inside": _INSIDE, "studio": {"studio": 1.0}}[place]
    name = pick_weighted(rng, shares)
    side = float(u(-1, 1))
    tint = np.array([1 + u(-0.03, 0.03), 1.0, 1 + u(-0.04, 0.04)])
    kind = _KINDS[name]
    direction = _towards(float(kind.aside(side, u)), float(u(*kind.up)))
    key, sky, softness = np.array(kind.key) * u(*kind.strength), np.array(kind.sky), u(*kind.softness)
    near = camera_distance if name == "flash" else 0.0
    bounce = u(0.35, 0.75)
    sky = sky * u(0.8, 1.2) * tint
    warm = np.array([1.06, 1.0, 0.92]) if place == "outside" else np.ones(3)
    ground = (sky * 0.55 + key * 0.18) * bounce * warm
    return SceneLight(name, direction, key * tint, sky, ground, float(softness), near)


def _towards(aside: float, up: float) -> Array:
    """A unit vector; 0 degrees aside is where the camera is, 90 to its right."""
    around, high = np.radians([aside, up])
    return unit(np.array([np.sin(around) * np.cos(high), -np.cos(around) * np.cos(high), np.sin(high)]))
