"""Hair and caps: shells around the skull, and what hangs from them.

Directions on the skull: azimuth 0 is the face, 180 the back; elevation 0 is level, 90 the crown; degrees.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pg2.pose.keypoints import KEYPOINTS
from pg2.rendering.attributes import PALETTE, Attributes, pick
from pg2.rendering.body import SKIN_VERTICES
from pg2.rendering.figure import Figure
from pg2.rendering.geometry import Array, Weights, grid_triangles, smoothstep
from pg2.rendering.layers import SEAM, Kind, Layer, Material, layer

_THICKNESS = {
    "short": 0.014,
    "cropped": 0.004,
    "bob": 0.018,
    "long": 0.016,
    "bun": 0.010,
    "ponytail": 0.010,
    "afro": 0.060,
    "quiff": 0.016,
    "cap": 0.012,
}
# The elevation at which hair begins, by azimuth: high above the forehead, around the ears, low in the neck.
_HAIRLINE = (
    (0, 25, 45, 56, 66, 80, 88, 97, 106, 118, 135, 180),
    (36, 33, 22, 4, -6, -8, 0, 4, -8, -24, -34, -39),
)
_FRINGE = (
    (0, 30, 44, 56, 66, 80, 88, 97, 106, 118, 135, 180),
    (4, 2, 2, -4, -8, -8, 0, 4, -8, -24, -34, -39),
)
_CAPLINE = ((0, 60, 100, 180), (24, 24, 16, 6))
_CAP_COLOURS = ("black", "navy", "red", "white", "grey", "green")


@dataclass(frozen=True)
class Skull:
    """The skull as a distance in each direction: rows by elevation, columns by azimuth.

    Attributes:
        centre: [3].
        directions: unit vectors [rows, columns, 3].
        radius: [rows, columns], metres.
        azimuth: [columns], -180 to 180.
        elevation: [rows], -60 to 90.
    """

    centre: Array
    directions: Array
    radius: Array
    azimuth: Array
    elevation: Array

    def shell(self, thickness: Array | float) -> Array:
        """Points [rows * columns, 3] at a thickness above the skull."""
        return (self.centre + self.directions * (self.radius + thickness)[..., None]).reshape(-1, 3)

    def above(self, line: tuple[tuple[int, ...], tuple[int, ...]]) -> Array:
        """Degrees above a line (azimuths, elevations) that is the same on both sides; [rows, columns]."""
        return self.elevation[:, None] - np.interp(np.abs(self.azimuth), *line)


def make_hair(figure: Figure, wear: Attributes, rng: np.random.Generator) -> list[Layer]:
    """The hair of a person, and a cap where one is worn; none of a bald one."""
    if wear.hair == "bald":
        return []
    skull = measure_skull(figure)
    material = Material(
        Kind.HAIR,
        second=wear.hair_rgb * 0.55,
        pattern=int(wear.hair in ("afro", "cropped")),
        seed=rng.uniform(0, 50),
        waves=0.0 if wear.details is None else wear.details.waves,
    )
    layers = [_scalp(figure, wear, skull, material)]
    if wear.hair == "cap":
        layers += _cap(figure, skull, rng)
    elif wear.hair in ("bob", "long"):
        layers.append(_curtain(figure, wear, skull, material, rng))
    elif wear.hair in ("bun", "ponytail"):
        layers.append(_tied(figure, wear, skull, material, rng))
    return layers


def measure_skull(figure: Figure, rows: int = 34, columns: int = 60) -> Skull:
    """A smooth shell around the skull, without the ears."""
    scale, skin = figure.scale, figure.vertices[:SKIN_VERTICES]
    ear, eye = (figure.keypoints[KEYPOINTS.index(name)] for name in ("left_ear", "left_eye"))
    centre = np.array([0, ear[1] - 0.012 * scale, eye[2] + 0.025 * scale])
    points = skin[figure.model.share_of("head")[:SKIN_VERTICES] > 0.5]
    near_ear = np.hypot(points[:, 1] - ear[1] - 0.01 * scale, points[:, 2] - ear[2]) < 0.045 * scale
    points = points[~(near_ear & (np.abs(points[:, 0]) > abs(ear[0]) - 0.002 * scale))][::3] - centre
    distance = np.linalg.norm(points, axis=1)
    azimuth = np.linspace(-180, 180, columns, endpoint=False)
    elevation = np.linspace(-60, 90, rows)
    around, up = np.meshgrid(np.radians(azimuth), np.radians(elevation))
    directions = np.stack([np.sin(around) * np.cos(up), -np.cos(around) * np.cos(up), np.sin(up)], -1)
    nearness = np.exp((directions.reshape(-1, 3) @ (points / distance[:, None]).T - 1) * 260.0)
    # A soft maximum of the distances nearby keeps the shell outside of the skull.
    radius = ((nearness * distance**8).sum(1) / np.maximum(nearness.sum(1), 1e-12)) ** (1 / 8)
    return Skull(centre, directions, radius.reshape(rows, columns), azimuth, elevation)


def follow(figure: Figure, count: int, bones: dict[str, Array]) -> Weights:
    """Weights CSR [count, bones] from the shares [count] of some bones."""
    weights = np.zeros((count, len(figure.model.bones)))
    for bone, share in bones.items():
        weights[:, figure.model.bones[bone]] = share
    return sparse.csr_matrix(weights)


def follow_head(figure: Figure, count: int) -> Weights:
    """Weights CSR [count, bones] of what is fixed to the head."""
    return follow(figure, count, {"head": np.ones(count)})


def _scalp(figure: Figure, wear: Attributes, skull: Skull, material: Material) -> Layer:
    """The hair on the head itself: thin at the hairline, thick at the crown."""
    scale, up = figure.scale, skull.elevation[:, None]
    thick = _THICKNESS[wear.hair] * scale * (0.55 + 0.45 * smoothstep(0, 45, up)) + 0 * skull.radius
    if wear.hair == "quiff":
        forelock = np.exp(-((np.abs(skull.azimuth) / 50) ** 2 + ((up - 55) / 25) ** 2))
        thick = thick + 0.022 * scale * forelock
    if wear.hair == "short":
        thick = thick + 0.008 * scale * smoothstep(30, 80, up)
    above = skull.above(_HAIRLINE)
    if wear.details is not None:
        thick = thick * _lumps(skull, material.seed)
        if wear.details.fringe and wear.hair in ("short", "bob", "long", "bun", "ponytail"):
            above = skull.above(_FRINGE)
            thick = thick + 0.004 * scale
    vertices = skull.shell(thick * (0.25 + 0.75 * smoothstep(0, 14, above)))
    # Skin shows through cropped hair.
    colour = wear.hair_rgb * 0.65 + wear.skin_rgb * 0.35 if wear.hair == "cropped" else wear.hair_rgb
    return layer(
        vertices,
        grid_triangles(*skull.radius.shape),
        follow_head(figure, len(vertices)),
        colour,
        material,
        inside=metres_above(above),
        pattern_place=(vertices - skull.centre) / scale,
    )


def _lumps(skull: Skull, seed: float) -> Array:
    """Uneven volume, [rows, columns], about 1: no hair lies like a bathing cap."""
    around, up = np.radians(skull.azimuth), np.radians(skull.elevation)[:, None]
    waves = (np.sin(n * around + seed * n) * np.cos((n - 1) * up + seed) / n for n in range(2, 7))
    return np.asarray(1 + 0.35 * sum(waves) * np.cos(up))


def metres_above(above: Array) -> Array:
    """Degrees above a line on the skull as metres, [rows * columns]."""
    return (above / 57.3 * 0.10).ravel()


def _cap(figure: Figure, skull: Skull, rng: np.random.Generator) -> list[Layer]:
    """A cap, and its visor: a curved sheet before the forehead."""
    scale, colour = figure.scale, np.array(PALETTE[pick(rng, _CAP_COLOURS)])
    material = Material(Kind.CLOTH, second=colour * 0.6, fold=0.05, seed=1.0, hem=SEAM)
    vertices = skull.shell(0.020 * scale)
    crown = layer(
        vertices,
        grid_triangles(*skull.radius.shape),
        follow_head(figure, len(vertices)),
        colour,
        material,
        inside=metres_above(skull.above(_CAPLINE)),
    )
    rows, columns = 8, 25
    around, out = np.meshgrid(np.radians(np.linspace(-58, 58, columns)), np.linspace(0, 1, rows))
    brim = skull.radius[np.argmin(np.abs(skull.elevation - 26))]
    radius = np.interp(np.degrees(around), skull.azimuth, brim) + 0.018 * scale
    reach = 0.065 * scale * np.sqrt(np.clip(1 - (around / np.radians(60)) ** 2, 0, 1))
    level = radius * np.cos(np.radians(26)) + out * reach
    height = radius * np.sin(np.radians(26)) - out * 0.018 * scale - 0.012 * scale * around**2
    sheet = np.stack([np.sin(around) * level, -np.cos(around) * level, height], -1)
    points = skull.centre * [0, 1, 1] + sheet.reshape(-1, 3)
    visor = layer(
        points,
        grid_triangles(rows, columns, wrap=False),
        follow_head(figure, len(points)),
        colour * 0.85,
        material,
    )
    return [crown, visor]


def _curtain(
    figure: Figure, wear: Attributes, skull: Skull, material: Material, rng: np.random.Generator
) -> Layer:
    """Long hair: hangs from the sides and the back, follows the skull to the neck, then falls on the back."""
    scale, rows, columns = figure.scale, 24, 96
    row = int(np.argmin(np.abs(skull.elevation - 18)))
    up = np.radians(skull.elevation[row])
    azimuth = np.linspace(-180, 180, columns, endpoint=False)
    radius = np.interp(azimuth, skull.azimuth, skull.radius[row], period=360) * np.cos(up) + 0.017 * scale
    top = skull.centre[2] + radius.mean() * np.tan(up)
    if wear.hair == "bob":
        end = figure.neck - 0.005 * scale
    else:
        longest = 0.14 if wear.details is None else 0.26
        end = figure.clavicle - rng.uniform(0.02, longest) * scale
    height = top + (end - top) * np.linspace(0, 1, rows)[:, None] + 0 * azimuth
    drop, back = (top - height) / scale, np.abs(azimuth) / 180
    tucked = 1 - 0.10 * smoothstep(0.06, 0.22, drop) * (0.4 + 0.6 * smoothstep(0.6, 1.0, back))
    reach = radius * tucked + 0.010 * scale * np.sin(np.pi * np.clip(drop / 0.2, 0, 1))
    around = np.radians(azimuth)
    x, y = np.sin(around) * reach * 1.02, skull.centre[1] - np.cos(around) * reach
    # On the back it lies behind the neck.
    behind = np.clip(figure.head("neck01")[1] + 0.075 * scale - y, 0, 0.05)
    y = y + smoothstep(0.14, 0.30, drop) * behind * smoothstep(0.5, 0.8, back)
    fall = drop.ravel()
    face = np.radians(np.interp(fall, [0, 0.10, 0.2, 0.5], [66, 74, 82, 96]))
    wave = 0.006 * np.sin(np.tile(azimuth, rows) * 0.9)
    if wear.details is not None:
        swing = 0.012 * wear.details.waves * scale * np.sin(drop * 45 + 3 * np.sin(2 * around))
        x, y = x + swing * smoothstep(0.05, 0.2, drop) * np.sign(x), y + swing * smoothstep(0.1, 0.2, drop)
        wave = wave + 0.012 * np.sin(np.tile(azimuth, rows) * 0.13 + material.seed)
        low = smoothstep(0.16, 0.27, drop)
        on_back = figure.trunk(x, height, back=True) + (0.055 if wear.top == "jacket" else 0.036) * scale
        y = np.where(np.abs(azimuth) >= 100, y + low * (np.maximum(y, on_back) - y), y)
        if wear.details.locks > 0 and wear.hair == "long":
            over = 0.060 if wear.top == "jacket" else 0.042
            front = figure.trunk(x, height) - over * scale
            y = np.where(np.abs(azimuth) < 100, y + low * (np.minimum(y, front) - y), y)
            opening = 66 - 24 * wear.details.locks
            face = np.radians(np.interp(fall, [0, 0.10, 0.17, 0.28, 0.5], [66, 74, 76, opening, opening - 8]))
    vertices = np.stack([x, y, height], -1).reshape(-1, 3)
    beside_face = (np.abs(np.tile(around, rows)) - face) * 0.09 * scale
    inside = np.minimum(beside_face, vertices[:, 2] - end - 0.012 * scale + wave)
    low = smoothstep(0.16, 0.34, fall)
    return layer(
        vertices,
        grid_triangles(rows, columns),
        follow(figure, len(vertices), {"head": 1 - low, "spine01": low * 0.8, "neck01": low * 0.2}),
        wear.hair_rgb,
        material,
        inside=inside,
        pattern_place=(vertices - skull.centre) / scale,
    )


def _tied(
    figure: Figure, wear: Attributes, skull: Skull, material: Material, rng: np.random.Generator
) -> Layer:
    """A bun (an ellipsoid) or a ponytail (a tapered tube) at the back of the head."""
    scale, high = figure.scale, rng.uniform()
    base = skull.centre + np.array([0, 0.095 - 0.02 * high, -0.005 + 0.06 * high]) * scale
    if wear.hair == "bun":
        rows, columns = 16, 28
        up, around = np.meshgrid(
            np.radians(np.linspace(-90, 90, rows)),
            np.radians(np.linspace(0, 360, columns, endpoint=False)),
            indexing="ij",
        )
        ball = np.stack([np.cos(up) * np.sin(around), -np.cos(up) * np.cos(around), np.sin(up)], -1)
        radii = np.array([0.043, 0.036, 0.042]) * scale * rng.uniform(0.85, 1.15)
        vertices = (base + np.array([0, 0.018, 0.01]) * scale + ball * radii).reshape(-1, 3)
        weights, finer = follow_head(figure, len(vertices)), 1.3
    else:
        rows, columns = 20, 24
        along = np.linspace(0, 1, rows)
        length = rng.uniform(0.18, 0.30) * scale
        backward = 0.045 * scale * np.sin(np.pi * np.clip(along * 1.3, 0, 1))
        height = -length * along**1.25 + 0.012 * scale * np.sin(np.pi * along)
        path = base + np.stack([0 * along, backward, height], 1)
        thick = 0.030 * scale * np.sqrt(np.clip(np.sin(np.pi * (0.12 + 0.86 * along)), 0, 1))
        angle = np.linspace(0, 2 * np.pi, columns, endpoint=False)
        ring = np.stack([np.cos(angle), 0.75 * np.sin(angle), 0 * angle], -1)
        vertices = (path[:, None] + thick[:, None, None] * ring).reshape(-1, 3)
        # Its end lies on the back, which turns less than the head.
        low = 0.55 * smoothstep(0.2, 1.0, np.repeat(along, columns))
        weights, finer = follow(figure, len(vertices), {"head": 1 - low, "spine01": low}), 1.0
    place = (vertices - skull.centre) / scale * finer
    faces = grid_triangles(rows, columns)
    return layer(vertices, faces, weights, wear.hair_rgb, material, pattern_place=place)
