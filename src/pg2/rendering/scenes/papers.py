"""Seamless paper, as in a studio: a floor that bends up into a wall."""

import numpy as np

from pg2.rendering.scenes.pieces import Finish, Piece, surface
from pg2.rendering.scenes.things import hue, paint


def paper(rng: np.random.Generator, camera_distance: float) -> list[Piece]:
    """Mostly white, grey or pale."""
    kind = rng.uniform()
    if kind < 0.45:
        colour = np.full(3, rng.uniform(0.86, 1.0)) * (1 + rng.uniform(-0.02, 0.02, 3))
    elif kind < 0.75:
        colour = hue(rng, (0, 0.12), (0.45, 0.95))
    else:
        colour = hue(rng, (0.05, 0.6), (0.2, 0.95))
    back, bend = rng.uniform(1.9, 4.0), rng.uniform(0.4, 1.2)
    angle = np.linspace(0, np.pi / 2, 9)
    curve = np.stack([back - bend + bend * np.sin(angle), bend - bend * np.cos(angle)], 1)
    profile = np.concatenate([[(-camera_distance - 3, 0.0)], curve, [(back, 9.0)]])
    x = np.array([-14.0, 14.0])
    rows = np.stack(np.broadcast_arrays(x, profile[:, :1], profile[:, 1:]), -1)
    places = np.stack(np.broadcast_arrays(x, np.arange(len(profile))[:, None] * 1.0), -1)
    return [surface(rows, places, paint(rng, Finish.PLAIN, np.clip(colour, 0, 1)), throws=False)]
