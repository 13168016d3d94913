"""The place and the light of one person's photographs."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pg2.rendering.attributes import pick_weighted
from pg2.rendering.geometry import Array
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


def draw_scene(rng: np.random.Generator, camera: Array, seen: tuple[float, float] | None = None) -> Scene:
    """Draw a place for a person to be photographed in.

    Args:
        rng: draws it.
        camera: [3], where the camera stands.
        seen: from which to which height above the origin its picture reaches, in metres; None: pictures
            differ in that, and nothing hides the person.
    """
    distance = float(np.linalg.norm(camera))
    place = pick_weighted(rng, _SHARES)
    light = draw_light(rng, _LIGHTS.get(place, "outside"), distance)
    behind = _PLACES[place](rng, distance)
    outside = place not in _LIGHTS
    if outside:
        sky = light.sky / light.sky.max()
        blue, pale = np.sqrt(sky * [0.75, 0.9, 1.1]), np.sqrt(sky * 0.9 + 0.1)
        paint = things.paint(rng, Finish.SKY, blue, pale, rng.uniform(0, 1))
        behind.append(quad((-400, 180, -30), (800, 0, 0), (0, 0, 300), paint, throws=False))
    before: list[Piece] = []
    if place != "paper" and seen is not None and rng.uniform() < _OCCLUDED:
        before = _before(rng, distance, outside)
        if _hides_much(before, camera, seen):
            before = []
    haze = float(0.45 * rng.uniform() ** 2) if outside else 0.0
    return Scene(place, behind, before, light, haze)


def _before(rng: np.random.Generator, camera_distance: float, outside: bool) -> list[Piece]:
    """Something nearer than the person, at one side or before the legs."""
    y = -float(rng.uniform(0.45, max(0.5, min(0.6 * camera_distance, 2.5))))
    side = float(rng.choice([-1, 1]))
    aside = side * rng.uniform(0.18, 0.7)
    kinds = ["bush", "bush", "post", "bench"] if outside else ["table", "chair", "plant", "plant"]
    kind = kinds[int(rng.integers(len(kinds)))]
    if kind == "bush":
        return moved(things.bush(rng, rng.uniform(0.4, 1.1)), 0, (aside, y, 0))
    if kind == "post":
        return moved(things.lamp_post(rng), 0, (aside, y, 0))
    if kind == "bench":
        return moved(things.bench(rng), 180.0, (side * rng.uniform(0.5, 1.0), y - 0.3, 0))
    if kind == "table":
        return moved(things.table(rng), 0, (aside, y, 0))
    if kind == "chair":
        return moved(things.chair(rng), float(rng.uniform(140, 220)), (aside, y, 0))
    return moved(things.house_plant(rng), 0, (aside, y, 0))


def _hides_much(before: list[Piece], camera: Array, seen: tuple[float, float]) -> bool:
    """Whether more than about half of what a picture shows of a person is behind it."""
    points = np.concatenate([piece.points for piece in before])
    # Where they are seen on the person, [N, 2] as (x, z): carried on from the camera to the plane y = 0.
    further = camera[1] / np.minimum(camera[1] - points[:, 1], -0.05)
    across, up = ((points - camera) * further[:, None])[:, [0, 2]].T + camera[[0, 2], None]
    low, high = seen
    aside = across.min() > -0.05 or across.max() < 0.05
    on_person = up[np.abs(across) < 0.35]
    return not aside and len(on_person) > 0 and bool(on_person.max() > low + 0.5 * (high - low))
