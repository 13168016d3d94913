"""The place and the light of one person's photographs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pg2.rendering.attributes import pick_weighted
from pg2.rendering.scenes import things
from pg2.rendering.scenes.light import SceneLight, draw_light
from pg2.rendering.scenes.open_air import park, shore
from pg2.rendering.scenes.papers import paper
from pg2.rendering.scenes.pieces import Finish, Piece, moved, quad
from pg2.rendering.scenes.rooms import room
from pg2.rendering.scenes.streets import street, wall

_PLACES: dict[str, Callable[[np.random.Generator, float], list[Piece]]] = {
    "paper": paper,
    "room": room,
    "street": street,
    "wall": wall,
    "park": park,
    "shore": shore,
}
_SHARES = {"paper": 0.22, "room": 0.27, "street": 0.23, "wall": 0.12, "park": 0.11, "shore": 0.05}
_LIGHTS = {"paper": "studio", "room": "inside"}
_OCCLUDED = 0.15


@dataclass(frozen=True, eq=False)
class Scene:
    """Where a person stands: at the origin, on the floor at height 0, the camera towards -y.

    Attributes:
        place: a name of what it is, for the record.
        behind: what is around and behind them.
        before: what is between them and the camera, and hides some of them.
        light: what falls on it all.
        haze: how much of what is 250 m away is lost in the air, 0 to 1.
    """

    place: str
    behind: list[Piece]
    before: list[Piece]
    light: SceneLight
    haze: float


def draw_scene(rng: np.random.Generator, camera_distance: float) -> Scene:
    """Draw a place for a person who is photographed from a distance in metres."""
    place = pick_weighted(rng, _SHARES)
    light = draw_light(rng, _LIGHTS.get(place, "outside"), camera_distance)
    behind = _PLACES[place](rng, camera_distance)
    outside = place not in _LIGHTS
    if outside:
        sky = light.sky / light.sky.max()
        zenith = things.paint(
            rng, Finish.SKY, np.sqrt(sky * [0.75, 0.9, 1.1]), np.sqrt(sky * 0.9 + 0.1), rng.uniform(0, 1)
        )
        behind.append(quad((-400, 180, -30), (800, 0, 0), (0, 0, 300), zenith, throws=False))
    before = _before(rng, camera_distance, outside) if place != "paper" and rng.uniform() < _OCCLUDED else []
    return Scene(place, behind, before, light, haze=float(0.45 * rng.uniform() ** 2) if outside else 0.0)


def _before(rng: np.random.Generator, camera_distance: float, outside: bool) -> list[Piece]:
    """Something nearer than the person, at one side or before the legs."""
    y = -float(rng.uniform(0.45, max(0.5, min(0.6 * camera_distance, 2.5))))
    side = float(rng.choice([-1, 1]))
    # What stands aside covers at most about half of a person.
    aside = side * rng.uniform(0.18, 0.5)
    kinds = ["bush", "bush", "post", "bench"] if outside else ["table", "chair", "plant", "plant"]
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "bush":
        return moved(things.bush(rng, rng.uniform(0.5, 1.1)), 0, (aside, y, 0))
    if kind == "post":
        return moved(things.lamp_post(rng), 0, (aside, y, 0))
    if kind == "bench":
        return moved(things.bench(rng), 180.0, (side * rng.uniform(0.5, 1.0), y - 0.3, 0))
    if kind == "table":
        return moved(things.table(rng), 0, (aside, y, 0))
    if kind == "chair":
        return moved(things.chair(rng), float(rng.uniform(140, 220)), (aside, y, 0))
    return moved(things.house_plant(rng), 0, (aside, y, 0))
