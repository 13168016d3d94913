"""From where one person is photographed: a place for the camera, and how much of them its pictures show."""

from dataclasses import dataclass

import numpy as np

from pg2.rendering.attributes import pick_weighted
from pg2.rendering.camera import Camera, aimed_camera
from pg2.rendering.geometry import Array

SHOTS = {
    "full": {"whole": 1.0},
    "mixed": {"whole": 0.75, "hips": 0.25},
    "any": {"far": 0.16, "whole": 0.42, "knees": 0.14, "hips": 0.21, "chest": 0.07},
}
"""By framing: how often a person is seen far away, whole, or down to the knees, the hips, the chest."""

# From how far each is taken, in metres.
_DISTANCE = {
    "far": (6.0, 15.0),
    "whole": (2.4, 8.5),
    "knees": (2.0, 6.0),
    "hips": (1.5, 5.0),
    "chest": (1.0, 3.0),
}
_FIXED = 0.7
_STATURE = 1.68


@dataclass(frozen=True, eq=False)
class Viewpoint:
    """A place for the camera.

    Attributes:
        place: [3] in metres from where the person stands.
        tilt: of the camera about its axis, in degrees.
        fixed: all pictures show as much of the person; otherwise each is framed anew from the same place.
        framing: a name of `SHOTS`.
        shot: a fixed camera's picture.
    """

    place: Array
    tilt: float
    fixed: bool
    framing: str
    shot: "Shot"

    @property
    def distance(self) -> float:
        """From the person, in metres."""
        return float(np.linalg.norm(self.place))

    @property
    def seen(self) -> tuple[float, float] | None:
        """From which to which height a fixed camera's pictures reach, about, in metres."""
        return (self.shot.low * _STATURE, self.shot.high * _STATURE) if self.fixed else None

    def frame(self, size: tuple[int, int], stature: float, rng: np.random.Generator) -> tuple[Camera, str]:
        """The camera of the next picture, moved a little, and what it shows."""
        shot = self.shot if self.fixed else draw_shot(self.framing, rng)
        bigger, moves = rng.uniform(0.98, 1.02), rng.uniform(-0.02, 0.02, 2)
        height = (shot.high - shot.low) * bigger
        low = shot.low + moves[0] * height
        return aimed_camera(
            self.place, size, low * stature, (low + height) * stature, shot.aside + moves[1], self.tilt
        ), shot.name


@dataclass(frozen=True)
class Shot:
    """What a picture shows.

    Attributes:
        name: "far", "whole", "knees", "hips" or "chest".
        low, high: of the picture, in statures above the floor.
        aside: where across the picture the person stands, -1 to 1.
    """

    name: str
    low: float
    high: float
    aside: float


def draw_viewpoint(framing: str, rng: np.random.Generator) -> Viewpoint:
    """Draw where a person is photographed from."""
    shot = draw_shot(framing, rng)
    near, far = _DISTANCE[shot.name]
    distance = float(np.exp(rng.uniform(np.log(near), np.log(far))))
    # Held at the eyes, mostly; sometimes low, or above a head.
    kind = rng.uniform()
    height = (
        rng.uniform(1.3, 1.7)
        if kind < 0.7
        else rng.uniform(0.5, 1.3)
        if kind < 0.88
        else rng.uniform(1.7, 2.6)
    )
    middle = (shot.low + shot.high) / 2 * _STATURE
    height = float(np.clip(height, middle - 0.4 * distance, middle + 0.4 * distance))
    tilt = float(np.clip(rng.normal(0, 1.2), -4, 4))
    return Viewpoint(np.array([0.0, -distance, height]), tilt, bool(rng.uniform() < _FIXED), framing, shot)


def draw_shot(framing: str, rng: np.random.Generator) -> Shot:
    """Draw how much of a person is seen, and where in the picture."""
    name = pick_weighted(rng, SHOTS[framing])
    u = rng.uniform
    if name in ("far", "whole"):
        height = 1 / float(u(0.32, 0.62) if name == "far" else u(0.72, 0.93))
        low = -float(u(0.12, 0.6) if name == "far" else u(0.3, 0.7)) * (height - 1)
        aside = float(u(-0.55, 0.55) if name == "far" else u(-0.22, 0.22))
        return Shot(name, low, low + height, aside)
    low, high = {
        "knees": (u(0.20, 0.36), u(1.02, 1.14)),
        "hips": (u(0.38, 0.53), u(1.01, 1.12)),
        "chest": (u(0.62, 0.74), u(1.01, 1.10)),
    }[name]
    return Shot(name, float(low), float(high), float(u(-0.18, 0.18)))
