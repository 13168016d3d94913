"""Pieces of a scene: quads, boxes, cylinders, blobs, each with a finish. Metres; z is up, the floor at 0."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
import numpy.typing as npt

from pg2.rendering.geometry import Array, turn, unit


class Finish(IntEnum):
    """What a piece is made of; the numbers are the shader's (scene.frag)."""

    PLAIN = 0
    PLASTER = 1
    BRICK = 2
    TILES = 3
    PLANKS = 4
    FACADE = 5
    GRAVEL = 6
    GRASS = 7
    LEAVES = 8
    BOOKS = 9
    PICTURE = 10
    CURTAIN = 11
    PANE = 12
    SLATS = 13
    FABRIC = 14
    SHOP = 15
    GLOW = 16
    WATER = 17
    ENAMEL = 18
    SKY = 19


@dataclass(frozen=True)
class Paint:
    """How a piece looks.

    Attributes:
        finish: what it is made of.
        colour, second: [3], RGB 0 to 1 as clothes have them (their squares are what light is multiplied by).
        scale: of the finish's pattern, in metres or about 1.
        seed: which of the many of its kind.
    """

    finish: Finish
    colour: Array
    second: Array
    scale: float = 1.0
    seed: float = 0.0


@dataclass(frozen=True, eq=False)
class Piece:
    """Triangles with one paint.

    Attributes:
        paint: how it looks.
        points, normals: [3 F, 3], corner by corner.
        places: [3 F, 2], where on the piece a corner is, in metres (of a picture, 0 to 1).
        throws: whether it throws a shadow.
    """

    paint: Paint
    points: Array
    normals: Array
    places: Array
    throws: bool = True

    def rows(self) -> npt.NDArray[np.float32]:
        """As the graphics device takes them, float32 [3 F, 16]."""
        paint = self.paint
        fixed = np.concatenate([paint.colour, paint.second, [paint.scale, paint.seed]])
        return np.concatenate(
            [self.points, self.normals, self.places, np.tile(fixed, (len(self.points), 1))], 1
        ).astype(np.float32)


def quad(
    corner: Sequence[float],
    along: Sequence[float],
    up: Sequence[float],
    paint: Paint,
    throws: bool = True,
    whole: bool = False,
) -> Piece:
    """A parallelogram from a corner; `whole`: places go from 0 to 1 whatever its size."""
    a, u, v = (np.asarray(value, dtype=np.float64) for value in (corner, along, up))
    corners = np.stack([a, a + u, a + u + v, a + v])
    wide, high = (1.0, 1.0) if whole else (float(np.linalg.norm(u)), float(np.linalg.norm(v)))
    places = np.array([(0, 0), (wide, 0), (wide, high), (0, high)], dtype=np.float64)
    order = [0, 1, 2, 0, 2, 3]
    normal = unit(np.cross(u, v))
    return Piece(paint, corners[order], np.tile(normal, (6, 1)), places[order], throws)


def box(low: Sequence[float], high: Sequence[float], paint: Paint) -> list[Piece]:
    """A box with its sides along the axes, without a bottom."""
    (x, y, z), (i, j, k) = low, high
    wide, deep, tall = i - x, j - y, k - z
    return [
        quad((x, y, z), (wide, 0, 0), (0, 0, tall), paint),
        quad((x, j, z), (wide, 0, 0), (0, 0, tall), paint),
        quad((x, y, z), (0, deep, 0), (0, 0, tall), paint),
        quad((i, y, z), (0, deep, 0), (0, 0, tall), paint),
        quad((x, y, k), (wide, 0, 0), (0, deep, 0), paint),
    ]


def prism(
    profile: Sequence[tuple[float, float]], depth: float, paint: Paint, origin: Sequence[float]
) -> list[Piece]:
    """A convex outline (x, z) carried along y for `depth`, from `origin`."""
    start = np.asarray(origin, dtype=np.float64)
    points = np.array([(x, 0.0, z) for x, z in profile]) + start
    pieces = [
        quad(a, b - a, (0, depth, 0), paint) for a, b in zip(points, np.roll(points, -1, 0), strict=True)
    ]
    fan = [index for k in range(1, len(points) - 1) for index in (0, k, k + 1)]
    for y in (0.0, depth):
        corners = points[fan] + [0, y, 0]
        pieces.append(
            Piece(paint, corners, np.tile([0.0, -1.0, 0.0], (len(fan), 1)), (corners - start)[:, [0, 2]])
        )
    return pieces


def surface(rows: Array, places: Array, paint: Paint, throws: bool = True) -> Piece:
    """A smooth sheet through a grid of points [R, C, 3] with places [R, C, 2]."""
    across, down = np.gradient(rows, axis=1), np.gradient(rows, axis=0)
    normals = unit(np.cross(across, down))

    def corners(grid: Array) -> Array:
        a, b, c, d = grid[:-1, :-1], grid[:-1, 1:], grid[1:, 1:], grid[1:, :-1]
        return np.stack([a, b, c, a, c, d], 2).reshape(-1, grid.shape[-1])

    return Piece(paint, corners(rows), corners(normals), corners(places), throws)


def column(
    base: Sequence[float], low: float, high: float, height: float, paint: Paint, sides: int = 14
) -> Piece:
    """An upright cylinder or cone, open at its ends: radius `low` at its base, `high` at its top."""
    angle = np.linspace(0, 2 * np.pi, sides + 1)
    up = np.linspace(0, 1, 3)[:, None]
    radius = low + (high - low) * up
    rows = np.stack([radius * np.cos(angle), radius * np.sin(angle), height * up + 0 * angle], -1)
    places = np.stack([angle * low + 0 * up, height * up + 0 * angle], -1)
    return surface(rows + np.asarray(base, dtype=np.float64), places, paint)


def blob(
    centre: Sequence[float], half: Sequence[float], paint: Paint, rough: float = 0.0, seed: float = 0.0
) -> Piece:
    """An ellipsoid with half axes `half`; `rough`: how much its surface goes in and out, as a share."""
    up, around = np.meshgrid(
        np.linspace(-np.pi / 2, np.pi / 2, 11), np.linspace(0, 2 * np.pi, 17), indexing="ij"
    )
    ball = np.stack([np.cos(up) * np.cos(around), np.cos(up) * np.sin(around), np.sin(up)], -1)
    bumps = np.sin(3 * around + 5 * ball[..., 2] + seed) + np.sin(5 * around - 4 * ball[..., 2] + 2 * seed)
    bumps = 1 + rough * 0.5 * bumps * np.cos(up)
    rows = np.asarray(centre, dtype=np.float64) + ball * bumps[..., None] * np.asarray(half)
    places = np.stack([around * half[0], up * half[2]], -1)
    return surface(rows, places, paint)


def moved(pieces: Sequence[Piece], yaw: float = 0.0, to: Sequence[float] = (0.0, 0.0, 0.0)) -> list[Piece]:
    """The pieces turned about the z axis by degrees, and then moved."""
    rotation, offset = turn("z", yaw).T, np.asarray(to, dtype=np.float64)
    return [
        Piece(one.paint, one.points @ rotation + offset, one.normals @ rotation, one.places, one.throws)
        for one in pieces
    ]
