"""Streets that lead away or pass behind, and walls close behind a person."""

import numpy as np

from pg2.rendering.attributes import pick_weighted
from pg2.rendering.scenes import things
from pg2.rendering.scenes.pieces import Finish, Paint, Piece, box, moved, quad
from pg2.rendering.scenes.things import hue, paint, wood


def street(rng: np.random.Generator, camera_distance: float) -> list[Piece]:
    """Houses on both sides of a street that leads away, or a row of houses across."""
    yaw = float(np.clip(rng.normal(0, 10), -25, 25))
    pieces = [_ground(rng, camera_distance)]
    pieces += _along(rng, camera_distance, yaw) if rng.uniform() < 0.6 else _across(rng)
    for _ in range(int(rng.integers(0, 5))):
        aside = rng.choice([-1, 1]) * rng.uniform(0.8, 5.0)
        pieces += moved(things.passer_by(rng), 0, (aside, rng.uniform(7, 30), 0))
    return moved(pieces, yaw)


def wall(rng: np.random.Generator, camera_distance: float) -> list[Piece]:
    """A wall, a gate or a shop window 0.3 to 2 m behind."""
    back = float(rng.uniform(0.35, 2.0))
    surface = _wall_paint(rng)
    pieces = [
        _ground(rng, camera_distance),
        quad((-12, back, 0), (24, 0, 0), (0, 0, 7), surface, throws=False),
    ]
    if rng.uniform() < 0.3:
        # Two kinds of wall meet.
        other = _wall_paint(rng)
        x = rng.choice([-1, 1]) * rng.uniform(0.2, 2.0)
        pieces.append(quad((x, back - 0.02, 0), (12, 0, 0), (0, 0, 7), other, throws=False))
    if rng.uniform() < 0.4:
        base = paint(rng, Finish.PLASTER, surface.colour * rng.uniform(0.5, 0.9))
        pieces += box((-12, back - 0.04, 0), (12, back, rng.uniform(0.2, 1.1)), base)
    for make, share in ((things.door, 0.3), (things.picture_frame, 0.3), (things.window, 0.12)):
        if rng.uniform() < share:
            pieces += moved(make(rng), 0, (rng.uniform(-2.2, 2.2), back - 0.02, 0))
    if rng.uniform() < 0.25 and back > 0.8:
        aside = rng.choice([-1, 1]) * rng.uniform(1.5, 3.0)
        pieces += moved(things.bush(rng, rng.uniform(0.4, 0.8)), 0, (aside, back - 0.3, 0))
    if rng.uniform() < 0.3:
        # Writing on the wall.
        colour, wide = hue(rng, (0.3, 1.0), (0.3, 1.0)), rng.uniform(0.8, 2.5)
        art = paint(rng, Finish.PICTURE, colour, hue(rng, (0.3, 1.0)), 0.0)
        corner = (rng.uniform(-2.5, 1.5), back - 0.03, rng.uniform(0.3, 1.3))
        pieces.append(quad(corner, (wide, 0, 0), (0, 0, wide * 0.6), art, throws=False, whole=True))
    return moved(pieces, float(np.clip(rng.normal(0, 14), -35, 35)))


def ground(camera_distance: float, finish: Paint) -> Piece:
    """All the ground that the camera may see."""
    front = -camera_distance - 3
    return quad((-90, front, 0), (180, 0, 0), (0, 150, 0), finish, throws=False)


def _ground(rng: np.random.Generator, camera_distance: float) -> Piece:
    grey = hue(rng, (0, 0.15), (0.35, 0.75))
    if rng.uniform() < 0.5:
        return ground(camera_distance, paint(rng, Finish.TILES, grey, grey * 0.75, rng.uniform(0.2, 0.7)))
    return ground(camera_distance, paint(rng, Finish.GRAVEL, grey))


def _wall_paint(rng: np.random.Generator) -> Paint:
    kind = pick_weighted(
        rng, {"plaster": 0.3, "brick": 0.25, "slats": 0.13, "tiles": 0.12, "planks": 0.08, "shop": 0.12}
    )
    if kind == "brick":
        brick = (
            np.array([0.58, 0.34, 0.27]) * rng.uniform(0.7, 1.3)
            if rng.uniform() < 0.6
            else hue(rng, (0, 0.3))
        )
        return paint(rng, Finish.BRICK, np.clip(brick, 0, 1), np.clip(brick * 0.7, 0, 1))
    if kind == "slats":
        return paint(rng, Finish.SLATS, hue(rng, (0, 0.7), (0.2, 0.9)), scale=rng.uniform(0.06, 0.25))
    if kind == "tiles":
        return paint(rng, Finish.TILES, hue(rng, (0, 0.4), (0.3, 0.9)), scale=rng.uniform(0.3, 1.2))
    if kind == "planks":
        return paint(rng, Finish.PLANKS, wood(rng), scale=rng.uniform(0.8, 1.8))
    if kind == "shop":
        return paint(
            rng,
            Finish.SHOP,
            hue(rng, (0, 0.8), (0.1, 0.8)),
            hue(rng, (0.2, 0.9), (0.5, 1.0)),
            rng.uniform(0.7, 1.5),
        )
    return paint(rng, Finish.PLASTER, hue(rng, (0, 0.5), (0.4, 0.95)))


def _house(rng: np.random.Generator) -> Paint:
    return paint(
        rng,
        Finish.FACADE,
        hue(rng, (0, 0.45), (0.35, 0.92)),
        hue(rng, (0, 0.3), (0.1, 0.4)),
        rng.uniform(1.4, 3.2),
    )


def _row(rng: np.random.Generator, length: float) -> list[Piece]:
    """Houses side by side along x, their fronts at y = 0, with shops below some."""
    pieces: list[Piece] = []
    x = 0.0
    while x < length:
        wide, high = rng.uniform(5, 14), rng.uniform(6, 18)
        front = rng.uniform(-0.3, 0.3)
        pieces += box((x, front, 0), (x + wide, front + 9, high), _house(rng))
        if rng.uniform() < 0.5:
            shop = paint(
                rng, Finish.SHOP, hue(rng, (0, 0.8), (0.1, 0.8)), hue(rng, (0.2, 0.9), (0.5, 1.0)), 1.0
            )
            pieces.append(
                quad((x + 0.3, front - 0.05, 0), (wide - 0.6, 0, 0), (0, 0, 3.2), shop, throws=False)
            )
            if rng.uniform() < 0.5:
                awning = paint(rng, Finish.FABRIC, hue(rng, (0.2, 0.9)), np.array([0.93, 0.92, 0.9]), 0.5)
                pieces.append(quad((x + 0.3, front - 1.3, 2.5), (wide - 0.6, 0, 0), (0, 1.3, 0.6), awning))
        x += wide
    return pieces


def _along(rng: np.random.Generator, camera_distance: float, yaw: float) -> list[Piece]:
    start = -camera_distance - 2
    # The camera stands in the street, too.
    needed = camera_distance * abs(np.sin(np.radians(yaw))) + 0.8
    pieces: list[Piece] = []
    for side in (-1, 1):
        aside = needed + rng.uniform(1.2, 8.0)
        if rng.uniform() < 0.85:
            row = moved(_row(rng, 70.0), 90.0 * -side, (0, 0, 0))
            # The fronts look towards the street: left rows run away, right rows come back.
            pieces += moved(row, 0, (side * aside, start if side < 0 else start + 70.0, 0))
        road = paint(rng, Finish.GRAVEL, hue(rng, (0, 0.1), (0.25, 0.42)))
        if aside > 5:
            x = side * (aside - 3.5) if side > 0 else -aside + 0.8
            pieces.append(quad((x, start, 0.015), (2.7, 0, 0), (0, 90, 0), road, throws=False))
            pieces += box(
                (x - 0.12, start, 0),
                (x, start + 90, 0.1),
                paint(rng, Finish.PLAIN, hue(rng, (0, 0.08), (0.5, 0.7))),
            )
            for y in np.arange(rng.uniform(4, 8), 34, rng.uniform(5.5, 12)):
                if rng.uniform() < 0.7:
                    pieces += moved(things.car(rng), 90.0, (x + 0.4, y, 0))
        for y in np.arange(rng.uniform(4, 10), 38, rng.uniform(6, 14)):
            thing = things.tree(rng, rng.uniform(3.5, 7.5)) if rng.uniform() < 0.5 else things.lamp_post(rng)
            pieces += moved(thing, 0, (side * (aside - rng.uniform(0.5, 0.9)), y, 0))
    # The far end.
    pieces += moved(_row(rng, 60.0), 0, (-30, start + 72, 0))
    return pieces


def _across(rng: np.random.Generator) -> list[Piece]:
    back = float(rng.uniform(2.5, 16))
    pieces = moved(_row(rng, 60.0), 0, (-30 - rng.uniform(0, 8), back, 0))
    if back > 6:
        road = paint(rng, Finish.GRAVEL, hue(rng, (0, 0.1), (0.25, 0.42)))
        pieces.append(quad((-60, back - 4.6, 0.015), (120, 0, 0), (0, 3.2, 0), road, throws=False))
        for x in np.arange(-14 + rng.uniform(0, 6), 14, rng.uniform(5.2, 10)):
            if rng.uniform() < 0.65:
                pieces += moved(things.car(rng), 180.0 if rng.uniform() < 0.5 else 0.0, (x, back - 2.0, 0))
    for x in np.arange(-9 + rng.uniform(0, 4), 9, rng.uniform(3, 8)):
        if rng.uniform() < 0.5:
            high = rng.uniform(3, 6)
            thing = things.tree(rng, high) if rng.uniform() < 0.6 else things.lamp_post(rng)
            near = 1.0 + 0.6 * high
            pieces += moved(thing, 0, (x, rng.uniform(near, max(back - 0.8, near + 0.2)), 0))
    return pieces
