"""What is worn on the head: beanies, hats with a brim, headscarves; and glasses. In photographs only."""

import numpy as np

from pg2.pose.keypoints import KEYPOINTS
from pg2.rendering.attributes import PALETTE, Details
from pg2.rendering.figure import Figure
from pg2.rendering.geometry import Array, Faces, grid_triangles, smoothstep
from pg2.rendering.hair import Skull, follow, follow_head, measure_skull, metres_above
from pg2.rendering.layers import FABRICS, SEAM, Kind, Layer, Material, layer
from pg2.rendering.solids import tube

_BEANIE = ((0, 40, 70, 100, 180), (34, 30, 12, 2, -14))
_BRIM = ((0, 60, 100, 180), (24, 22, 12, 2))
# Where the face looks out of a headscarf: half axes in degrees of azimuth and elevation, and its middle.
_OPENING = (52.0, 52.0, -12.0)


def make_headwear(figure: Figure, details: Details) -> list[Layer]:
    """The hat and the glasses of a person, if any."""
    layers = []
    colour = np.array(PALETTE[details.colours[0]])
    if details.hat != "none":
        skull = measure_skull(figure)
        make = {"beanie": _beanie, "brim": _hat, "headscarf": _headscarf}[details.hat]
        layers += make(figure, skull, colour)
    if details.glasses != "none":
        layers += _glasses(figure, dark=details.glasses == "sunglasses")
    return layers


def _cloth(colour: Array, fabric: str, fold: float = 0.0) -> Material:
    return Material(
        Kind.CLOTH, second=colour * 0.6, fold=fold, seed=3.0, hem=SEAM, fabric=FABRICS.index(fabric)
    )


def _beanie(figure: Figure, skull: Skull, colour: Array) -> list[Layer]:
    scale, up = figure.scale, skull.elevation[:, None]
    above = skull.above(_BEANIE)
    # Folded up at its rim, loose at the crown.
    thick = 0.026 + 0.007 * (1 - smoothstep(15, 18, above)) + 0.016 * smoothstep(40, 90, up)
    vertices = skull.shell(thick * scale)
    return [
        layer(
            vertices,
            grid_triangles(*skull.radius.shape),
            follow_head(figure, len(vertices)),
            colour,
            _cloth(colour, "knit", 0.004),
            inside=metres_above(above),
        )
    ]


def _hat(figure: Figure, skull: Skull, colour: Array) -> list[Layer]:
    scale = figure.scale
    rim = np.interp(np.abs(skull.azimuth), *_BRIM)
    radius = np.array([np.interp(angle, skull.elevation, skull.radius[:, k]) for k, angle in enumerate(rim)])
    radius = radius + 0.027 * scale
    rim_height = radius * np.sin(np.radians(rim))
    points = skull.shell(0.027 * scale)
    # Higher than a head; the top is flat, with a dent along its middle.
    height = points[:, 2] - skull.centre[2]
    lowest = np.tile(rim_height, len(skull.elevation))
    height = lowest + np.maximum(height - lowest, 0) * 1.45 + np.minimum(height - lowest, 0)
    top = (0.150 - 0.016 * np.exp(-((points[:, 0] / (0.03 * scale)) ** 2))) * scale
    points[:, 2] = skull.centre[2] + np.minimum(height, top)
    crown = layer(
        points,
        grid_triangles(*skull.radius.shape),
        follow_head(figure, len(points)),
        colour,
        _cloth(colour, "wool"),
        inside=metres_above(skull.above(_BRIM)),
    )
    rows, columns = 6, 60
    around = np.radians(skull.azimuth)
    out = np.linspace(-0.012, 0.075, rows)[:, None] * scale
    level = radius * np.cos(np.radians(rim)) + out
    height = rim_height - 0.25 * out + 0.10 * np.abs(np.sin(around)) * out
    sheet = np.stack([np.sin(around) * level, -np.cos(around) * level, height + 0 * level], -1)
    brim_points = (skull.centre + sheet).reshape(-1, 3)
    brim = layer(
        brim_points,
        grid_triangles(rows, columns),
        follow_head(figure, len(brim_points)),
        colour * 0.95,
        _cloth(colour, "wool"),
    )
    return [crown, brim]


def _headscarf(figure: Figure, skull: Skull, colour: Array) -> list[Layer]:
    scale = figure.scale
    points = skull.shell(0.018 * scale)
    wide, high, middle = _OPENING
    from_face = np.hypot(skull.azimuth / wide, (skull.elevation[:, None] - middle) / high) - 1
    faces = grid_triangles(*skull.radius.shape)
    material = _cloth(colour, "satin", 0.006)
    cap = layer(
        points,
        faces,
        follow_head(figure, len(points)),
        colour,
        material,
        inside=(from_face * 0.05 * scale).ravel(),
    )
    # From the jaw down over the shoulders.
    rows, columns = 16, 60
    azimuth = np.linspace(-180, 180, columns, endpoint=False)
    around, down = np.radians(azimuth), np.linspace(0, 1, rows)[:, None]
    row = int(np.argmin(np.abs(skull.elevation + 38)))
    head = (skull.radius[row] + 0.018 * scale) * np.cos(np.radians(38))
    shoulder = figure.head("shoulder01.L")[0] * 1.15 + 0.05 * scale
    fall = smoothstep(0.0, 0.95, down)
    x = np.sin(around) * (head * 0.86 * (1 - fall) + shoulder * fall)
    deep = head * (1 - fall) + 0.125 * scale * fall
    y = skull.centre[1] * (1 - fall) + figure.head("neck01")[1] * fall - np.cos(around) * deep
    # Below the chin in front.
    top = skull.centre[2] - (0.075 + 0.065 * (1 + np.cos(around)) / 2) * scale
    end = figure.clavicle - 0.05 * scale
    z = top + (end - top) * down + 0 * around
    front = figure.trunk(x, z) - 0.035 * scale
    y = np.where((np.cos(around) > 0) & (down > 0.4), np.minimum(y, front), y)
    vertices = np.stack([x, y, z], -1).reshape(-1, 3)
    low = smoothstep(0.1, 0.7, np.repeat(down.ravel(), columns))
    drape = layer(
        vertices,
        grid_triangles(rows, columns),
        follow(figure, len(vertices), {"head": 1 - low, "spine01": low}),
        colour,
        material,
    )
    return [cap, drape]


def _glasses(figure: Figure, dark: bool) -> list[Layer]:
    """Two rims, a bridge and two temples; dark glasses have lenses, too."""
    scale = figure.scale
    eye, ear = (figure.keypoints[KEYPOINTS.index(f"left_{name}")] for name in ("eye", "ear"))
    centre = np.array([eye[0], eye[1] - 0.016 * scale, eye[2] - 0.003 * scale])
    angle = np.linspace(0, 2 * np.pi, 25)
    half = np.array([0.027, 0.021]) * scale
    rim = np.stack([half[0] * np.cos(angle), 0.010 * scale * np.cos(angle), half[1] * np.sin(angle)], 1)
    colour = np.array([0.06, 0.05, 0.05])
    material = Material(Kind.SHOE, second=colour)
    thick = 0.0022 * scale
    layers = []

    def add(vertices: Array, faces: Faces) -> None:
        for side in (1, -1):
            mirrored = vertices * [side, 1, 1]
            layers.append(layer(mirrored, faces, follow_head(figure, len(mirrored)), colour, material))

    # Further out a lens goes backwards, as the face does.
    add(*tube(centre + rim, thick, sides=6))
    outer = centre + np.array([half[0], 0.010 * scale, 0.006 * scale])
    hook = np.array([ear[0] + 0.004 * scale, ear[1], eye[2] + 0.006 * scale])
    add(*tube(np.linspace(outer, hook, 8), thick, sides=6))
    inner = centre - np.array([half[0], 0.010 * scale, -0.004 * scale])
    bridge = inner * np.array([[1, 1, 1], [0.5, 1, 1], [0, 1, 1]])
    add(*tube(bridge, thick, sides=6))
    if dark:
        rows = np.linspace(0, 1, 4)[:, None, None]
        add((centre + rim[:-1] * rows).reshape(-1, 3), grid_triangles(4, len(rim) - 1))
    return layers
