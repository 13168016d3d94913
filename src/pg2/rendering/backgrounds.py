"""What is behind a person: studio paper, or a street out of focus; and the shadows under the feet."""

import colorsys
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from pg2.pose.keypoints import KEYPOINTS
from pg2.rendering.camera import Camera
from pg2.rendering.geometry import Array

_FOOT = 0.17
_CANVAS = 256


@dataclass(frozen=True)
class FootShadow:
    """A soft spot on the floor, in pixels: its centre, its half axes, and how dark it is (0 to 1)."""

    x: float
    y: float
    half_width: float
    half_height: float
    strength: float

    def spread(self, size: tuple[int, int], wider: float, higher: float, blur: float) -> Array:
        """The spot in a picture of `size`, [H, W], 1 at its centre; enlarged, and `blur` pixels higher."""
        y, x = np.mgrid[: size[0], : size[1]]
        across = (x - self.x) / (wider * self.half_width)
        along = (y - self.y) / (higher * self.half_height + blur)
        return np.asarray(np.exp(-(across**2) - along**2))


def foot_shadows(camera: Camera, keypoints: Array, floor: float) -> list[FootShadow]:
    """The shadows of both feet; weaker for a raised one.

    Args:
        camera: which sees them.
        keypoints: [18, 3] in metres.
        floor: its height in metres.
    """
    shadows = []
    for name in ("right_ankle", "left_ankle"):
        ankle = keypoints[KEYPOINTS.index(name)]
        x, y = ankle[:2]
        spots = np.array([(x, y, floor), (x + _FOOT, y, floor), (x, y + _FOOT, floor)])
        centre, aside, behind = camera.pixels(spots)
        lifted = float(np.clip((ankle[2] - floor - 0.08) / 0.25, 0, 1))
        shadows.append(
            FootShadow(
                x=float(centre[0]),
                y=float(centre[1]),
                half_width=abs(float(aside[0] - centre[0])),
                half_height=max(
                    abs(float(behind[1] - centre[1])), _FOOT * camera.zoom * 0.04 * camera.size[0]
                ),
                strength=1 - 0.7 * lifted,
            )
        )
    return shadows


def studio(size: tuple[int, int], shadows: list[FootShadow], tint: Array) -> Array:
    """Light-grey seamless paper, float [H, W, 3], 0 to 1, times `tint` [3]."""
    height, width = size
    y, x = np.mgrid[:height, :width]
    glow = np.exp(-(((x / width - 0.5) / 0.5) ** 2 + ((y / height - 0.42) / 0.5) ** 2))
    shade = np.zeros(size)
    for shadow in shadows:
        shade = np.maximum(shade, shadow.strength * 0.30 * shadow.spread(size, 1, 1.3, 1))
        shade = np.maximum(shade, shadow.strength * 0.10 * shadow.spread(size, 2.2, 3, 2))
    return np.asarray((0.905 + 0.03 * glow)[..., None] * tint * (1 - shade[..., None]))


def street(size: tuple[int, int], shadows: list[FootShadow], rng: np.random.Generator) -> Array:
    """A street out of focus, float [H, W, 3], 0 to 1: houses with windows, pavement, some things on it."""
    picture = Image.new("RGB", (_CANVAS, _CANVAS), _hue(rng, (0.05, 0.3), (0.7, 0.98)))
    canvas = ImageDraw.Draw(picture)
    horizon = int(_CANVAS * rng.uniform(0.45, 0.72))
    _draw_houses(canvas, horizon, rng)
    _draw_ground(canvas, horizon, rng)
    blurred = picture.filter(ImageFilter.GaussianBlur(rng.uniform(1.2, 3.5)))
    colours = np.asarray(blurred.resize(size[::-1], Image.Resampling.BILINEAR)) / 255.0
    colours = np.clip(colours * rng.uniform(0.8, 1.1) + rng.normal(0, 0.008, colours.shape), 0, 1)
    shade = np.zeros(size)
    for shadow in shadows:
        shade = np.maximum(shade, shadow.strength * 0.45 * shadow.spread(size, 1, 1.3, 1))
    return np.asarray(colours * (1 - shade[..., None]))


def _hue(
    rng: np.random.Generator, saturation: tuple[float, float], value: tuple[float, float]
) -> tuple[int, ...]:
    """A colour of any hue, RGB 0 to 255."""
    colour = colorsys.hsv_to_rgb(rng.uniform(), rng.uniform(*saturation), rng.uniform(*value))
    return tuple(int(255 * channel) for channel in colour)


def _draw_houses(canvas: ImageDraw.ImageDraw, horizon: int, rng: np.random.Generator) -> None:
    left = -10
    while left < _CANVAS:
        width, top = int(rng.uniform(30, 110)), int(horizon * rng.uniform(-0.2, 0.5))
        wall = _hue(rng, (0.0, 0.35), (0.3, 0.85))
        canvas.rectangle([left, top, left + width, horizon], fill=wall)
        pane = tuple(int(channel * rng.uniform(0.5, 1.25)) for channel in wall)
        step = int(rng.uniform(12, 26))
        if rng.uniform() < 0.8:
            for y in range(max(top, 0) + 6, horizon - 8, step):
                for x in range(left + 4, left + width - 6, step):
                    canvas.rectangle([x, y, x + step * 0.5, y + step * 0.55], fill=pane)
        left += width


def _draw_ground(canvas: ImageDraw.ImageDraw, horizon: int, rng: np.random.Generator) -> None:
    """Pavement with lines, and trees, poles and parked things at its far end."""
    canvas.rectangle([0, horizon, _CANVAS, _CANVAS], fill=_hue(rng, (0, 0.12), (0.35, 0.75)))
    for _ in range(int(rng.uniform(1, 5))):
        y = int(rng.uniform(horizon, _CANVAS))
        ends = [0, y, _CANVAS, y + int(rng.uniform(-14, 14))]
        canvas.line(ends, fill=_hue(rng, (0, 0.1), (0.3, 0.9)), width=int(rng.uniform(1, 6)))
    for _ in range(int(rng.uniform(0, 4))):
        x, width, height = int(rng.uniform(0, _CANVAS)), int(rng.uniform(6, 50)), int(rng.uniform(20, 110))
        draw = canvas.ellipse if rng.uniform() < 0.5 else canvas.rectangle
        box = [x, horizon - height, x + width, horizon + int(rng.uniform(0, 22))]
        draw(box, fill=_hue(rng, (0.1, 0.6), (0.15, 0.7)))
