"""Simple shapes that bags, hats, collars and glasses are made of: vertices [N, 3], triangles [F, 3]."""

import numpy as np

from pg2.rendering.geometry import Array, Faces, grid_triangles, unit


def tube(path: Array, radius: Array | float, sides: int = 10, flat: float = 1.0) -> tuple[Array, Faces]:
    """A tube along a path, open at its ends.

    Args:
        path: [K, 3], its middle line; nowhere straight up for long.
        radius: [K] or one for all, metres.
        sides: of its cross-section.
        flat: height of the cross-section over its width.
    """
    along = unit(np.gradient(path, axis=0))
    # Carried along the path, so that the tube does not twist.
    aside = np.zeros_like(path)
    last = np.array([0.0, 0.0, 1.0]) if abs(along[0, 2]) < 0.9 else np.array([1.0, 0.0, 0.0])
    for index, direction in enumerate(along):
        last = unit(last - direction * (last @ direction))
        aside[index] = last
    other = np.cross(along, aside)
    angle = np.linspace(0, 2 * np.pi, sides, endpoint=False)
    ring = np.cos(angle)[:, None] * flat * aside[:, None] + np.sin(angle)[:, None] * other[:, None]
    vertices = path[:, None] + ring * np.broadcast_to(radius, len(path))[:, None, None]
    return vertices.reshape(-1, 3), grid_triangles(len(path), sides)


def rounded_box(
    centre: Array, half: Array, roundness: float = 0.35, rows: int = 18, columns: int = 28
) -> tuple[Array, Faces]:
    """A box with round edges: a ball at a roundness of 1, almost a box at 0.1. `half` [3]: its half sides."""
    up, around = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, rows),
        np.linspace(0, 2 * np.pi, columns, endpoint=False),
        indexing="ij",
    )

    def power(value: Array) -> Array:
        return np.asarray(np.sign(value) * np.abs(value) ** roundness)

    ball = np.stack(
        [
            power(np.cos(up)) * power(np.cos(around)),
            power(np.cos(up)) * power(np.sin(around)),
            power(np.sin(up)),
        ],
        -1,
    )
    return (centre + ball * half).reshape(-1, 3), grid_triangles(rows, columns)


def loop(centre: Array, reach: tuple[float, float], angles: Array, height: Array | float = 0.0) -> Array:
    """Points [K, 3] of a level ellipse around `centre`; 0 degrees is in front, 90 at the person's left."""
    around = np.radians(angles)
    points = np.stack([np.sin(around) * reach[0], -np.cos(around) * reach[1], 0 * around + height], 1)
    return np.asarray(centre + points)
