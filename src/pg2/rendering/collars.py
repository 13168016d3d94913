"""What goes around the neck: collars, hoods that hang behind, scarves. In photographs only."""

from dataclasses import replace

import numpy as np

from pg2.rendering.attributes import PALETTE, Attributes
from pg2.rendering.body import SKIN_VERTICES
from pg2.rendering.figure import Figure
from pg2.rendering.garments import Dyes
from pg2.rendering.geometry import Array, Weights, grid_triangles, smoothstep
from pg2.rendering.hair import follow
from pg2.rendering.layers import CLOTH_PATTERNS, FABRICS, Kind, Layer, Material, layer
from pg2.rendering.solids import loop, tube


def make_collar(figure: Figure, wear: Attributes, dyes: Dyes) -> list[Layer]:
    """The collar or hood, and the scarf, if any."""
    details = wear.details
    assert details is not None
    jacket = wear.top == "jacket"
    colour = dyes.jacket if jacket else dyes.top
    fabric = FABRICS.index(details.fabrics[2 if jacket else 0])
    material = Material(Kind.CLOTH, second=colour * 0.7, fold=0.004, seed=5.0, fabric=fabric)
    layers = []
    if details.collar == "shirt":
        layers.append(_collar(figure, colour, material, open_=0.5 + 0.5 * details.open if jacket else 0.25))
    elif details.collar == "hood":
        layers.append(_hood(figure, colour, material))
    if details.scarf:
        wool = np.array(PALETTE[details.colours[2]])
        knit = replace(
            material,
            second=wool * 0.8,
            fabric=FABRICS.index("knit"),
            fold=0.008,
            pattern=CLOTH_PATTERNS.index("plaid"),
        )
        layers += _scarf(figure, wool, knit)
    return layers


def _neck(figure: Figure) -> tuple[Array, float, float]:
    """The middle of the neck's base [3], and how far the neck reaches to the sides and to the front."""
    skin = figure.vertices[:SKIN_VERTICES]
    height = figure.neck + 0.035 * figure.scale
    near = skin[
        (np.abs(skin[:, 2] - height) < 0.012 * figure.scale) & (np.abs(skin[:, 0]) < 0.10 * figure.scale)
    ]
    y = near[:, 1]
    middle = np.array([0.0, (y.min() + y.max()) / 2, height])
    return middle, float(np.abs(near[:, 0]).max()), float(y.max() - y.min()) / 2


def _with_neck(figure: Figure, count: int, share: Array | float = 0.35) -> Weights:
    return follow(figure, count, {"spine01": np.ones(count) * (1 - share), "neck01": np.ones(count) * share})


def _collar(figure: Figure, colour: Array, material: Material, open_: float) -> Layer:
    """A strip that stands up around the neck and folds over; its points hang in front."""
    scale, columns = figure.scale, 48
    middle, side, front = _neck(figure)
    azimuth = np.linspace(10 + 45 * open_, 350 - 45 * open_, columns)
    ahead = (1 + np.cos(np.radians(azimuth))) / 2
    # (outwards, up) of each row of the strip, in metres; up is lower in front, where the neck begins lower.
    profile = ((0.008, -0.045), (0.006, -0.010), (0.010, -0.004), (0.018, -0.010), (0.027, -0.044))
    rows = []
    for index, (out, up) in enumerate(profile):
        fold = index >= 3
        drop = 0.034 * ahead**2 + (0.030 * ahead**3 if index == 4 else 0)
        grown = (out + (0.012 * ahead if fold else 0)) * scale
        rows.append(loop(middle, (side, front), azimuth, (up - drop) * scale))
        outward = rows[-1] - middle
        outward[:, 2] = 0
        rows[-1] = rows[-1] + outward / np.linalg.norm(outward, axis=1, keepdims=True) * np.reshape(
            grown, (-1, 1)
        )
    vertices = np.concatenate(rows)
    faces = grid_triangles(len(profile), columns, wrap=False)
    return layer(vertices, faces, _with_neck(figure, len(vertices)), colour, material)


def _hood(figure: Figure, colour: Array, material: Material) -> Layer:
    """A hood that is down: a thick roll behind the neck that ends at its sides."""
    scale = figure.scale
    middle, side, front = _neck(figure)
    azimuth = np.linspace(62, 298, 48)
    back = (1 - np.cos(np.radians(azimuth))) / 2
    path = loop(
        middle, (side + 0.030 * scale, front + 0.034 * scale), azimuth, (-0.045 + 0.03 * back) * scale
    )
    path[:, 1] += 0.035 * scale * back**2
    path[:, 2] -= 0.045 * scale * back**6
    ends = np.sqrt(np.clip((back - back[0]) / 0.35, 0, 1))
    vertices, faces = tube(
        path, (0.003 + ends * (0.009 + 0.035 * smoothstep(0.45, 1, back))) * scale, sides=12
    )
    return layer(vertices, faces, _with_neck(figure, len(vertices), 0.15), colour, material)


def _scarf(figure: Figure, colour: Array, material: Material) -> list[Layer]:
    """Wound around the neck, one end hanging down in front."""
    scale = figure.scale
    middle, side, front = _neck(figure)
    azimuth = np.linspace(0, 360, 60)
    wobble = 0.008 * np.sin(np.radians(azimuth) * 3 + 1) * scale
    path = loop(middle, (side + 0.022 * scale, front + 0.026 * scale), azimuth, -0.008 * scale + 0.5 * wobble)
    # Lower in front.
    path[:, 2] -= 0.035 * scale * (1 + np.cos(np.radians(azimuth))) / 2
    vertices, faces = tube(path, 0.022 * scale + 0.5 * wobble, sides=12, flat=1.4)
    wound = layer(vertices, faces, _with_neck(figure, len(vertices)), colour, material)
    rows, columns = 14, 8
    down = np.linspace(0, 1, rows)[:, None]
    across = np.linspace(-0.5, 0.5, columns)
    x = (0.045 + 0.02 * down + 0.075 * across) * scale
    z = middle[2] - (0.03 + 0.36 * down) * scale + 0 * across
    y = figure.trunk(x, z) - (0.055 - 0.01 * np.cos(across * 9)) * scale
    # It does not follow every hollow.
    y = np.minimum.accumulate(y[::-1], 0)[::-1] * 0.5 + y * 0.5
    end = np.stack([x, y, z], -1).reshape(-1, 3)
    hanging = layer(
        end,
        grid_triangles(rows, columns, wrap=False),
        follow(figure, len(end), {"spine01": np.full(len(end), 0.5), "spine03": np.full(len(end), 0.5)}),
        colour,
        material,
    )
    return [wound, hanging]
