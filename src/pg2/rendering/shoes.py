"""Shoes: one closed hull lofted around each foot (the toes vanish in it), and the shaft of boots."""

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from pg2.rendering.attributes import Attributes
from pg2.rendering.body import SKIN_VERTICES
from pg2.rendering.figure import Figure
from pg2.rendering.geometry import Array, grid_triangles, normals, smoothstep, unit
from pg2.rendering.layers import Kind, Layer, Material, cut_out, layer

_RINGS, _AROUND = 26, 28


@dataclass(frozen=True)
class _Foot:
    """Slices across a foot from heel to toe; all in metres.

    Attributes:
        origin: [3], below the heel, at height 0.
        forward, left: unit vectors [3], level.
        stations: [26], distances from the origin; the first and the last are the ends of the shoe.
        low, high: [26], reach of a slice along `left`.
        top: [26], height of a slice.
    """

    origin: Array
    forward: Array
    left: Array
    stations: Array
    low: Array
    high: Array
    top: Array


def make_shoes(figure: Figure, wear: Attributes, colour: Array) -> tuple[list[Layer], Array]:
    """Make both shoes.

    Args:
        figure: who wears them.
        wear: which.
        colour: RGB [3], 0 to 1.

    Returns:
        Their layers, and how far inside them the body's vertices [V] are.
    """
    collar = figure.ankle + {"sneaker": -0.012, "flat": -0.035, "boot": 0.10}[wear.shoes] * figure.scale
    layers = [_hull(figure, wear, side, colour, collar) for side in ("L", "R")]
    if wear.shoes == "boot":
        layers.append(_shaft(figure, colour, collar))
    height = figure.vertices[:, 2]
    hidden = np.where(figure.leg_share > 0.5, np.minimum(collar - height, 1.0), -1.0)
    return layers, hidden


def _measure(figure: Figure, side: str) -> _Foot:
    scale, skin = figure.scale, figure.vertices[:SKIN_VERTICES]
    share = figure.model.share_of("foot", "toe")[:SKIN_VERTICES]
    sign = 1 if side == "L" else -1
    points = skin[(share > 0.6) & (skin[:, 0] * sign > 0) & (skin[:, 2] < figure.ankle + 0.005 * scale)]
    sole = points[points[:, 2] < figure.floor + 0.035 * scale]
    heel = sole[sole[:, 1] > np.quantile(sole[:, 1], 0.9)].mean(0)
    toe = sole[sole[:, 1] < np.quantile(sole[:, 1], 0.08)].mean(0)
    forward = unit((toe - heel) * [1, 1, 0])
    left = np.array([-forward[1], forward[0], 0.0])
    origin = heel * [1, 1, 0]
    along, across = (points - origin) @ forward, (points - origin) @ left
    start, end = along.min() - 0.008 * scale, along.max() + 0.016 * scale
    # Closer together at the ends, where the shoe is round.
    stations = start + (end - start) * (0.5 - 0.5 * np.cos(np.pi * np.linspace(0, 1, _RINGS)))
    slices = np.zeros((3, _RINGS))
    for index, station in enumerate(stations):
        near = np.abs(along - np.clip(station, start + 0.03 * scale, end - 0.035 * scale)) < 0.022 * scale
        slices[:, index] = across[near].min(), across[near].max(), points[near, 2].max()
    kernel = np.array([1, 2, 3, 2, 1]) / 9
    low, high, top = (np.convolve(np.pad(values, 2, mode="edge"), kernel, "valid") for values in slices)
    return _Foot(origin, forward, left, stations, low, high, top)


def _hull(figure: Figure, wear: Attributes, side: str, colour: Array, collar: float) -> Layer:
    foot = _measure(figure, side)
    scale, stations = figure.scale, foot.stations
    length = stations[-1] - stations[0]
    share = (stations - stations[0]) / length
    # 1 along the shoe, rounded off to 0 at both ends.
    end = np.sqrt(1 - np.clip((np.abs(share - 0.5) * 2 - 0.72) / 0.28, 0, 1) ** 2)
    sole = figure.floor - (0.004 if wear.shoes == "flat" else 0.012) * scale
    toe_cap = smoothstep(0.70, 1.0, share)
    top = np.maximum(np.minimum(foot.top + 0.006 * scale, collar), figure.floor + 0.045 * scale)
    top = top * (1 - toe_cap) + (figure.floor + 0.048 * scale) * toe_cap
    top = np.where((end < 1) & (share > 0.5), sole + (top - sole) * (0.45 + 0.55 * end), top)
    middle = (foot.low + foot.high) / 2
    half_width = ((foot.high - foot.low) / 2 + 0.006 * scale) * (0.15 + 0.85 * end)
    angle = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    # A rounded box across, narrower towards its top.
    x = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.55
    z = np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.7
    x = x * np.where(z > 0, 1 - 0.38 * z**2, 1.0)
    across = middle[:, None] + half_width[:, None] * x
    rings = foot.origin + stations[:, None, None] * foot.forward + across[..., None] * foot.left
    rings[..., 2] = ((top + sole) / 2)[:, None] + ((top - sole) / 2)[:, None] * z
    heel_cap, toe_end = (rings[[index]].mean(1, keepdims=True).repeat(_AROUND, 1) for index in (0, -1))
    vertices = np.concatenate([heel_cap, rings, toe_end]).reshape(-1, 3)
    weights = np.zeros((len(vertices), len(figure.model.bones)))
    weights[:, figure.model.bones[f"foot.{side}"]] = 1
    along = np.concatenate([[0.0], share, [1.0]]).repeat(_AROUND)
    place = np.stack([along, np.zeros(len(along)), (vertices[:, 2] - figure.floor) / scale], 1)
    sneaker = wear.shoes == "sneaker"
    material = Material(
        Kind.SHOE,
        second=np.array([0.93, 0.93, 0.91]) if sneaker else colour * 0.35,
        pattern=int(sneaker),
    )
    faces = grid_triangles(_RINGS + 2, _AROUND)[:, ::-1]
    return layer(vertices, faces, sparse.csr_matrix(weights), colour, material, pattern_place=place)


def _shaft(figure: Figure, colour: Array, collar: float) -> Layer:
    """The shafts of both boots: the lower legs pushed outwards, cut at the collar."""
    vertices, faces = figure.vertices, figure.model.triangles("body")
    low = np.unique(faces[vertices[faces, 2].max(1) < collar + 0.03 * figure.scale])
    faces = faces[np.isin(faces, low).all(1)]
    height = vertices[:, 2]
    inside = np.minimum(collar - height, height - (figure.floor + 0.045 * figure.scale))
    material = Material(Kind.SHOE, second=colour * 0.4, fold=0.1, seed=2.0)
    wider = vertices + normals(vertices, faces) * 0.010 * figure.scale
    return cut_out(wider, faces, figure.model.weights, colour, material, inside)
