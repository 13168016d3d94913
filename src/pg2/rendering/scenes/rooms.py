"""Rooms: walls, floor, ceiling, and what stands along the wall behind a person."""

from collections.abc import Callable

import numpy as np

from pg2.rendering.attributes import pick_weighted
from pg2.rendering.scenes import things
from pg2.rendering.scenes.pieces import Finish, Paint, Piece, box, moved, quad
from pg2.rendering.scenes.things import hue, paint, wood

_LOW: dict[str, Callable[[np.random.Generator], list[Piece]]] = {
    "bed": things.bed,
    "sofa": things.sofa,
    "cupboard": things.cupboard,
    "table": things.table,
    "chair": things.chair,
    "radiator": things.radiator,
}
_HIGH: dict[str, Callable[[np.random.Generator], list[Piece]]] = {
    "shelf": things.shelf,
    "door": things.door,
    "window": things.window,
    "lamp": things.lamp,
    "plant": things.house_plant,
}


def room(rng: np.random.Generator, camera_distance: float) -> list[Piece]:
    """A room whose back wall lies 0.5 to 3.5 m behind the origin, seen more or less straight on."""
    yaw = float(np.clip(rng.normal(0, 16), -38, 38))
    back = float(rng.uniform(0.6, 3.4))
    # The camera stands in the room, too.
    needed = camera_distance * abs(np.sin(np.radians(yaw))) + 0.6
    left, right = (-(needed + rng.uniform(0.2, 2.5)) for _ in range(2))
    right = -right
    front, high = -camera_distance - 1.5, float(rng.uniform(2.35, 3.0))
    wall, floor = _wall(rng), _floor(rng)
    white = hue(rng, (0, 0.08), (0.85, 1.0))
    skirting = paint(rng, Finish.PLAIN, white if rng.uniform() < 0.6 else wood(rng))
    wide, deep = right - left, back - front
    pieces = [
        quad((left, front, 0), (wide, 0, 0), (0, deep, 0), floor, throws=False),
        quad((left, back, 0), (wide, 0, 0), (0, 0, high), wall, throws=False),
        quad((left, front, 0), (0, deep, 0), (0, 0, high), wall, throws=False),
        quad((right, front, 0), (0, deep, 0), (0, 0, high), wall, throws=False),
        quad(
            (left, front, high), (wide, 0, 0), (0, deep, 0), paint(rng, Finish.PLASTER, white), throws=False
        ),
    ]
    tall = rng.uniform(0.06, 0.15)
    pieces += box((left, back - 0.015, 0), (right, back, tall), skirting)
    pieces += box((left, front, 0), (left + 0.015, back, tall), skirting)
    pieces += box((right - 0.015, front, 0), (right, back, tall), skirting)
    pieces += _along_the_wall(rng, left, right, back)
    if rng.uniform() < 0.35:
        rug = paint(rng, Finish.FABRIC, hue(rng), hue(rng), rng.uniform(0.2, 0.9))
        size = rng.uniform(1.2, 2.6)
        pieces.append(
            quad((-size / 2, -size / 2, 0.004), (size, 0, 0), (0, size * 0.8, 0), rug, throws=False)
        )
    for wall_x, turned in ((left, 90.0), (right, -90.0)):
        if rng.uniform() < 0.6:
            side = things.window(rng) if rng.uniform() < 0.5 else things.picture_frame(rng)
            pieces += moved(side, turned, (wall_x, rng.uniform(front * 0.3, back - 1), 0))
    return moved(pieces, yaw)


def _wall(rng: np.random.Generator) -> Paint:
    kind = pick_weighted(
        rng, {"paint": 0.58, "wallpaper": 0.15, "brick": 0.08, "planks": 0.08, "tiles": 0.11}
    )
    pale = hue(rng, (0, 0.35), (0.6, 0.98))
    if kind == "paint":
        return paint(rng, Finish.PLASTER, pale if rng.uniform() < 0.75 else hue(rng, (0.1, 0.6), (0.25, 0.8)))
    if kind == "wallpaper":
        return paint(rng, Finish.FABRIC, pale, pale * rng.uniform(0.75, 0.93), rng.uniform(0.04, 0.2))
    if kind == "brick":
        brick = np.array([0.62, 0.40, 0.32]) if rng.uniform() < 0.6 else np.array([0.9, 0.89, 0.87])
        return paint(rng, Finish.BRICK, brick, brick * 0.75)
    if kind == "planks":
        return paint(rng, Finish.PLANKS, wood(rng))
    return paint(rng, Finish.TILES, hue(rng, (0, 0.4), (0.6, 0.98)), scale=rng.uniform(0.1, 0.3))


def _floor(rng: np.random.Generator) -> Paint:
    kind = pick_weighted(rng, {"planks": 0.52, "tiles": 0.2, "carpet": 0.28})
    if kind == "planks":
        return paint(rng, Finish.PLANKS, wood(rng), scale=rng.uniform(0.7, 1.6))
    if kind == "tiles":
        return paint(rng, Finish.TILES, hue(rng, (0, 0.25), (0.35, 0.92)), scale=rng.uniform(0.3, 0.6))
    return paint(rng, Finish.GRAVEL, hue(rng, (0, 0.4), (0.25, 0.8)))


def _along_the_wall(rng: np.random.Generator, left: float, right: float, back: float) -> list[Piece]:
    """Things side by side along the back wall, and pictures above the low ones."""
    pieces: list[Piece] = []
    x = left + rng.uniform(0.1, 0.7)
    busy = rng.uniform(0.45, 1.0)
    while x < right - 0.5:
        if rng.uniform() > busy:
            gap = rng.uniform(0.5, 1.6)
            if rng.uniform() < 0.5:
                pieces += moved(things.picture_frame(rng), 0, (x + gap / 2, back, 0))
            x += gap
            continue
        low = rng.uniform() < 0.55
        among = _LOW if low else _HIGH
        thing = among[list(among)[int(rng.integers(len(among)))]](rng)
        reach = np.concatenate([piece.points[:, 0] for piece in thing])
        # What would reach the person is left out.
        depth = -min(float(piece.points[:, 1].min()) for piece in thing)
        x -= float(reach.min())
        if x + reach.max() < right and back - depth > 0.45:
            pieces += moved(thing, 0, (x, back - 0.02, 0))
            if low and rng.uniform() < 0.6:
                pieces += moved(things.picture_frame(rng), 0, (x, back, 0))
        x += float(reach.max()) + rng.uniform(0.1, 0.9)
    return pieces
