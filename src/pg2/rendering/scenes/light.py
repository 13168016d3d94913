"""The light of a photograph: one key light, coloured and more or less soft; light from above and below."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from pg2.rendering.attributes import pick_weighted
from pg2.rendering.geometry import Array, unit


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


def draw_light(rng: np.random.Generator, place: str, camera_distance: float) -> SceneLight:
    """Draw the light of a place: "outside", "inside" or "studio"."""
    u = rng.uniform
    shares = {"outside": _OUTSIDE, "inside": _INSIDE, "studio": {"studio": 1.0}}[place]
    name = pick_weighted(rng, shares)
    side = float(u(-1, 1))
    tint = np.array([1 + u(-0.03, 0.03), 1.0, 1 + u(-0.04, 0.04)])
    near = 0.0
    if name == "sun":
        direction = _towards(float(u(-125, 125)), float(u(28, 68)))
        key, sky, softness = (
            np.array([1.0, 0.93, 0.82]) * u(1.1, 1.9),
            np.array([0.36, 0.46, 0.62]),
            u(0.9, 1.6),
        )
    elif name == "low sun":
        direction = _towards(float(u(-150, 150)), float(u(9, 24)))
        key, sky, softness = (
            np.array([1.15, 0.78, 0.46]) * u(0.8, 1.4),
            np.array([0.36, 0.40, 0.52]),
            u(1.2, 2.2),
        )
    elif name == "overcast":
        direction = _towards(side * 60, float(u(50, 75)))
        key, sky, softness = (
            np.array([0.30, 0.31, 0.32]) * u(0.6, 1.4),
            np.array([0.74, 0.78, 0.84]),
            u(9, 14),
        )
    elif name == "shade":
        direction = _towards(side * 70, float(u(30, 60)))
        key, sky, softness = (
            np.array([0.30, 0.32, 0.35]) * u(0.7, 1.3),
            np.array([0.46, 0.53, 0.64]),
            u(7, 12),
        )
    elif name == "window":
        direction = _towards(np.sign(side) * float(u(25, 100)), float(u(8, 35)))
        key, sky, softness = np.array([0.92, 0.97, 1.03]) * u(0.6, 1.2), np.array([0.36, 0.35, 0.33]), u(4, 8)
    elif name == "lamps":
        direction = _towards(side * 80, float(u(50, 80)))
        key, sky, softness = (
            np.array([0.95, 0.74, 0.48]) * u(0.5, 1.0),
            np.array([0.52, 0.42, 0.30]),
            u(5, 10),
        )
    elif name == "flash":
        direction = _towards(side * 8, float(u(3, 12)))
        key, sky, softness = (
            np.array([1.2, 1.2, 1.2]) * u(0.8, 1.3),
            np.array([0.26, 0.23, 0.19]),
            u(0.8, 1.5),
        )
        near = camera_distance
    elif name == "daylight":
        direction = _towards(side * 50, float(u(30, 60)))
        key, sky, softness = (
            np.array([0.42, 0.44, 0.46]) * u(0.7, 1.2),
            np.array([0.58, 0.58, 0.58]),
            u(9, 14),
        )
    else:
        direction = _towards(side * 55, float(u(20, 55)))
        key, sky, softness = (
            np.array([0.72, 0.72, 0.72]) * u(0.4, 1.2),
            np.array([0.50, 0.50, 0.50]),
            u(4, 12),
        )
    bounce = u(0.35, 0.75)
    sky = sky * u(0.8, 1.2) * tint
    warm = np.array([1.06, 1.0, 0.92]) if place == "outside" else np.ones(3)
    ground = (sky * 0.55 + key * 0.18) * bounce * warm
    return SceneLight(name, direction, key * tint, sky, ground, float(softness), near)


def _towards(aside: float, up: float) -> Array:
    """A unit vector; 0 degrees aside is where the camera is, 90 to its right."""
    around, high = np.radians([aside, up])
    return unit(np.array([np.sin(around) * np.cos(high), -np.cos(around) * np.cos(high), np.sin(high)]))
