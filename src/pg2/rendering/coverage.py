"""How far inside each garment a point of the body at rest is, in metres; negative outside.

The same functions cut the cloth at its hems and hide the skin below it.
"""

import numpy as np

from pg2.rendering.attributes import Attributes
from pg2.rendering.figure import Figure
from pg2.rendering.geometry import Array, smoothstep


def inside_top(figure: Figure, wear: Attributes, points: Array, arm: Array, jacket: bool = False) -> Array:
    """[N] for points [N, 3], of which `arm` [N] says how much is arm; of the top or the jacket over it."""
    kind = "jacket" if jacket else "t-shirt" if wear.top == "jacket" else wear.top
    on_arm = arm > 0.5
    inside = np.where(on_arm, 1.0, points[:, 2] - _top_hem(figure, wear, kind))
    sleeve = _sleeve(figure, wear, kind) - figure.along_arm(points)[:, 2]
    inside = np.minimum(inside, np.where(on_arm, sleeve, 1.0))
    if kind == "tank top":
        inside = np.minimum(inside, _straps(figure, wear, points, arm))
    return np.minimum(inside, _outside_neckline(figure, wear, kind, points))


def inside_bottom(figure: Figure, wear: Attributes, points: Array, arm: Array) -> Array:
    """[N] for points [N, 3], of which `arm` [N] says how much is arm; of trousers, shorts or leggings."""
    hem = figure.floor + wear.leg_hem * figure.stature
    if wear.bottom == "trousers":
        hem = figure.floor + (0.026 + 0.2 * wear.leg_hem) * figure.stature
    height = points[:, 2]
    below_waistband = figure.waist + 0.015 * figure.scale - height
    return np.where(arm > 0.5, -1.0, np.minimum(below_waistband, height - hem))


def _top_hem(figure: Figure, wear: Attributes, kind: str) -> float:
    """Height of the lower edge of a top."""
    if wear.tuck and kind != "jacket":
        return figure.waist - 0.01 * figure.scale
    drop = {"jacket": 0.060, "tank top": 0.015}.get(kind, 0.035)
    if wear.details is not None and kind == "jacket" and wear.details.coat_hem is not None:
        return figure.waist - 0.03 * figure.scale
    if wear.details is not None:
        # A top does not end above what is worn below it.
        drop = max(drop + wear.details.drop, (figure.hip - figure.waist) / figure.scale + 0.02)
    return figure.hip - drop * figure.scale


def _sleeve(figure: Figure, wear: Attributes, kind: str) -> float:
    """How far down the arm a sleeve reaches."""
    whole = figure.upper_arm + figure.forearm
    return {
        "t-shirt": wear.sleeve * figure.upper_arm,
        "tank top": 0.0,
        "long sleeve": whole - 0.012 * figure.scale,
        "jacket": whole + 0.005 * figure.scale,
    }[kind]


def _straps(figure: Figure, wear: Attributes, points: Array, arm: Array) -> Array:
    """Inside the straps of a tank top or below the armpits; narrow straps for women, broad ones for men."""
    strap: Array = figure.head("shoulder01.L")[0] * (1.18 if wear.female else 1.34) - np.abs(points[:, 0])
    armpit = figure.head("upperarm01.L")[2] - 0.075 * figure.scale
    return np.where(arm > 0.5, strap, np.maximum(strap, armpit - points[:, 2]))


def _outside_neckline(figure: Figure, wear: Attributes, kind: str, points: Array) -> Array:
    """How far a point is from the hole for the neck: half an ellipse, deeper in front, or a V."""
    neck = "v" if kind == "jacket" else "scoop" if kind == "tank top" else wear.neck
    if neck == "high" and kind == "t-shirt":
        neck = "crew"
    scale, behind = figure.scale, points[:, 1] - figure.head("neck01")[1]
    if neck == "high":
        collar: Array = figure.neck + 0.025 * scale - points[:, 2] + 0.25 * behind
        return collar
    width = {"crew": 0.073, "v": 0.075, "scoop": 0.092 if wear.female else 0.080}[neck] * scale
    depth = {"crew": 0.075, "v": 0.140, "scoop": 0.130 if wear.female else 0.105}[neck] * scale
    front = 1 - smoothstep(-0.03, 0.02, behind)
    depths = depth * front + 0.025 * scale * (1 - front)
    across = np.abs(points[:, 0]) / width
    down = np.minimum(points[:, 2] - (figure.neck - 0.003 * scale), 0) / depths
    outside: Array = (np.hypot(across, down) - 1) * width
    if neck == "v":
        outside = np.where(front > 0.5, across + np.abs(down) - 1, np.hypot(across, down) - 1) * width * 0.8
    return outside
