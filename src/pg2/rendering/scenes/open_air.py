"""Parks, gardens, fields and the sea."""

import numpy as np

from pg2.rendering.scenes import things
from pg2.rendering.scenes.pieces import Finish, Piece, blob, moved, quad
from pg2.rendering.scenes.streets import ground
from pg2.rendering.scenes.things import green, hue, paint


def park(rng: np.random.Generator, camera_distance: float) -> list[Piece]:
    """Grass, perhaps a path, bushes and trees, a line of trees far away."""
    grass = green(rng)
    pieces = [ground(camera_distance, paint(rng, Finish.GRASS, grass * 1.15, grass * 0.75))]
    if rng.uniform() < 0.55:
        sand = np.array([0.68, 0.62, 0.54]) * rng.uniform(0.7, 1.2)
        path = paint(rng, Finish.GRAVEL, sand)
        wide = rng.uniform(1.6, 4.0)
        front = -camera_distance - 2
        strip = quad((-wide / 2, front, 0.015), (wide, 0, 0), (0, 60, 0), path, throws=False)
        pieces += moved([strip], float(rng.uniform(-25, 25)) if rng.uniform() < 0.7 else 90.0)
    if rng.uniform() < 0.45:
        pieces += moved(
            things.hedge(rng, rng.uniform(8, 24), rng.uniform(0.8, 2.6)),
            float(rng.uniform(-12, 12)),
            (rng.uniform(-3, 3), rng.uniform(1.9, 9), 0),
        )
    for _ in range(int(rng.integers(1, 6))):
        high = rng.uniform(0.4, 1.6)
        pieces += moved(things.bush(rng, high), 0, (*_beside(rng, 1.0 + 0.9 * high, 14), 0))
    for _ in range(int(rng.integers(1, 7))):
        high = rng.uniform(3.5, 11)
        pieces += moved(things.tree(rng, high), 0, (*_beside(rng, 1.0 + 0.6 * high, 30), 0))
    if rng.uniform() < 0.35:
        pieces += moved(things.bench(rng), float(rng.uniform(-40, 40)), (*_beside(rng, 1.2, 6), 0))
    for _ in range(int(rng.integers(0, 3))):
        pieces += moved(things.passer_by(rng), 0, (*_beside(rng, 8, 30), 0))
    if rng.uniform() < 0.25:
        fence = paint(rng, Finish.SLATS, things.wood(rng), scale=0.14)
        pieces.append(quad((-15, rng.uniform(1.5, 8), 0), (30, 0, 0), (0, 0, rng.uniform(0.8, 1.8)), fence))
    return pieces + _far_trees(rng)


def shore(rng: np.random.Generator, camera_distance: float) -> list[Piece]:
    """Sand or a field, then water or hills."""
    sand = np.array([0.86, 0.77, 0.62]) * rng.uniform(0.75, 1.08)
    field = green(rng)
    beach = rng.uniform() < 0.6
    near = paint(rng, Finish.GRAVEL, sand) if beach else paint(rng, Finish.GRASS, field * 1.25, field * 0.85)
    pieces = [ground(camera_distance, near)]
    if beach:
        water = paint(
            rng,
            Finish.WATER,
            np.array([0.22, 0.42, 0.50]) * rng.uniform(0.7, 1.2),
            hue(rng, (0.1, 0.4), (0.6, 0.9)),
        )
        pieces.append(quad((-140, rng.uniform(4, 18), 0.02), (280, 0, 0), (0, 130, 0), water, throws=False))
    for _ in range(int(rng.integers(0, 5))):
        far, wide = rng.uniform(60, 110), rng.uniform(15, 60)
        hill = paint(rng, Finish.PLAIN, hue(rng, (0.1, 0.4), (0.35, 0.6)))
        pieces.append(
            blob((rng.uniform(-70, 70), far, 0), (wide, 8, wide * rng.uniform(0.06, 0.25)), hill, 0.2)
        )
    for _ in range(int(rng.integers(0, 4))):
        pieces += moved(things.passer_by(rng), 0, (*_beside(rng, 8, 30), 0))
    if rng.uniform() < 0.4:
        pieces += moved(things.bush(rng, rng.uniform(0.3, 1.0)), 0, (*_beside(rng, 2.0, 8), 0))
    if rng.uniform() < 0.25:
        pieces += moved(things.lamp_post(rng), 0, (*_beside(rng, 1.5, 12), 0))
    return pieces if beach else pieces + _far_trees(rng)


def _beside(rng: np.random.Generator, near: float, far: float) -> tuple[float, float]:
    """Where a thing stands (x, y): behind a person; the further away, the further to the side it may be."""
    y = float(near + (far - near) * rng.uniform() ** 1.5)
    return float(rng.uniform(-1, 1)) * (1.0 + 0.6 * y), y


def _far_trees(rng: np.random.Generator) -> list[Piece]:
    leaves = paint(rng, Finish.LEAVES, green(rng) * 0.9, green(rng) * 0.5, 0.3)
    high, far = rng.uniform(3, 9), rng.uniform(28, 50)
    return [
        blob(
            (x, far + rng.uniform(-3, 3), high * 0.4),
            (high * 0.7, 2.0, high * rng.uniform(0.4, 0.8)),
            leaves,
            0.3,
            x,
        )
        for x in np.arange(-45, 45, high * 0.8)
    ]
