"""Sewn clothes: tops, jackets, trousers, shorts, leggings, skirts.

All but the skirt are cut from one base, the tights of the MakeHuman mesh, pushed outwards along its normals.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from pg2.rendering.attributes import PALETTE, Attributes
from pg2.rendering.body import BodyModel
from pg2.rendering.coverage import inside_bottom, inside_top
from pg2.rendering.figure import Figure
from pg2.rendering.geometry import Array, Faces, Weights, normals, smoother, smoothstep, subdivide, unit
from pg2.rendering.layers import (
    CLOTH_PATTERNS,
    FABRICS,
    FRONTS,
    SEAM,
    TRIMMED_SEAM,
    Kind,
    Layer,
    Material,
    layer,
)

_TORSO, _ARM, _LEFT_LEG, _RIGHT_LEG = range(4)
# How deep the folds of each fabric are, in metres; in photographs.
_FOLDS = {
    "jersey": 0.017, "denim": 0.012, "knit": 0.014, "leather": 0.011, "satin": 0.022, "wool": 0.012,
    "linen": 0.020,
}  # fmt: skip


@dataclass(frozen=True)
class Dyes:
    """The colours of one person's clothes, [3] each, RGB 0 to 1: no two dyed quite the same."""

    top: Array
    second: Array
    bottom: Array
    shoe: Array
    jacket: Array


def draw_dyes(wear: Attributes, rng: np.random.Generator) -> Dyes:
    """The named colours of the clothes, each a little lighter or darker."""
    names = (wear.top_colour, wear.top_second, wear.bottom_colour, wear.shoe_colour, wear.jacket_colour)
    return Dyes(*(np.array(PALETTE[name]) * rng.uniform(0.94, 1.04) for name in names))


@dataclass(frozen=True, eq=False)
class Clothes:
    """What is sewn for one person.

    Attributes:
        layers: of the clothes.
        hides: of each that hides skin, how far inside it the body's vertices [V] are.
        distance: [N], how far from the vertices of the tights the outermost hangs; for a stature of 1.65 m.
    """

    layers: list[Layer]
    hides: list[Array]
    distance: Array


class Tights:
    """The base of sewn garments at rest: subdivided, and smoothed so that cloth does not cling.

    Attributes:
        faces: [F, 3].
        points: [N, 3], on the body, not smoothed: by these hems are measured.
        arm: [N], how much of a vertex is arm.
        along: [N], distance from the shoulder along the arm.
        weights: CSR [N, bones].
        places: [4, N, 3], coordinates of the pattern for each part: torso, arms, left leg, right leg.
        part: [F], which of the parts each face belongs to.
    """

    def __init__(self, figure: Figure, even: bool = False) -> None:
        """Take the base from the figure's mesh; `even`: patterns go evenly around the trunk."""
        old, matrix, self.faces = _subdivided(figure.model, "helper-tights")
        self.points = matrix @ figure.vertices[old]
        self.arm = matrix @ figure.arm_share[old]
        self.along = figure.along_arm(self.points)[:, 2]
        average = smoother(self.faces, len(self.points))
        self._soft = self.points
        for _ in range(6):
            self._soft = average @ self._soft
        weights = (matrix @ figure.model.weights[old]).tocsr()
        for _ in range(3):
            weights = average @ weights
        self.weights: Weights = weights.tocsr()
        self.normals = normals(self._soft, self.faces)
        for _ in range(4):
            self.normals = unit(average @ self.normals)
        self.places, self.part = self._pattern(figure)
        if even:
            self.places[_TORSO] = self._even(figure)
        self._scale = figure.scale

    def cloth(self, distance: Array) -> Array:
        """The vertices [N, 3] moved outwards by a distance [N], given for a stature of 1.65 m."""
        moved: Array = self._soft + self.normals * (distance * self._scale)[:, None]
        return moved

    def cut(self, distance: Array, inside: Array, colour: Array, material: Material) -> Layer:
        """A garment at a distance [N] from the body, `inside` [N] metres inside its hems."""
        return layer(
            self.cloth(distance),
            self.faces,
            self.weights,
            colour,
            material,
            inside=inside,
            pattern_place=self.places,
            part=self.part,
        )

    def _even(self, figure: Figure) -> Array:
        """Coordinates [N, 3] of the trunk as if it were round: about its middle, as wide as it is deep."""
        heights = np.linspace(figure.hip - 0.1 * figure.scale, figure.neck, 24)
        trunk = self.points[self.arm < 0.2]
        slices = []
        for height in heights:
            near = trunk[np.abs(trunk[:, 2] - height) < 0.03 * figure.scale]
            slices.append((near[:, 1].min(), near[:, 1].max(), np.abs(near[:, 0]).max()))
        front, back, side = (np.interp(self.points[:, 2], heights, values) for values in np.array(slices).T)
        deep = (back - front) / 2
        round_ = 0.14 * figure.scale
        x, y = self.points[:, 0] / side, (self.points[:, 1] - (front + back) / 2) / deep
        return np.stack([x * round_, y * round_, self.points[:, 2]], 1)

    def _pattern(self, figure: Figure) -> tuple[Array, Faces]:
        """Coordinates around the axis of the torso, of an arm and of each leg; and the part of each face."""
        torso = self.points - [0, figure.head("spine03")[1], 0]
        down = np.clip((self.points[:, 2] - figure.ankle) / (figure.hip - figure.ankle), 0, 1)[:, None]
        axis = figure.head("foot.L") * (1 - down) + figure.head("upperleg01.L") * down
        legs = [self.points - axis * [side, 1, 0] for side in (1, -1)]
        places = np.stack([torso, figure.along_arm(self.points), *legs])
        x, z, arm = (
            values[self.faces].mean(1) for values in (self.points[:, 0], self.points[:, 2], self.arm)
        )
        leg = np.where(x > 0, _LEFT_LEG, _RIGHT_LEG)
        below = z < figure.hip - 0.065 * figure.scale
        return places, np.where(arm > 0.5, _ARM, np.where(below, leg, _TORSO))


def _subdivided(model: BodyModel, group: str) -> tuple[Faces, Any, Faces]:
    """A group of quads cut into four each: old vertices' indices, the matrix new <- old, triangles [F, 3]."""
    quads = np.array([polygon for polygon in model.polygons[group] if len(polygon) == 4])
    old = np.unique(quads)
    matrix, fine = subdivide(np.searchsorted(old, quads), len(old))
    return old, matrix, np.concatenate([fine[:, [0, 1, 2]], fine[:, [0, 2, 3]]])


def sew(figure: Figure, wear: Attributes, dyes: Dyes, tights: Tights, rng: np.random.Generator) -> Clothes:
    """Make the clothes of a person."""
    loose, seed = rng.uniform(0.3, 1.0), rng.uniform(0, 50)
    bottom, below = _bottom(figure, wear, dyes, tights, seed, rng)
    distance = _distance_of_top(figure, wear, tights, loose)
    top = _top(figure, wear, dyes, tights, distance, seed, rng)
    layers = [*bottom, top]
    hides = [inside_top(figure, wear, figure.vertices, figure.arm_share), below]
    if wear.top == "jacket":
        jacket, distance = _jacket(figure, wear, dyes, tights, distance, seed)
        layers.append(jacket)
        sleeves = inside_top(figure, wear, figure.vertices, figure.arm_share, jacket=True)
        hides.append(np.minimum(sleeves, np.where(figure.arm_share > 0.5, 1.0, -1.0)))
        if wear.details is not None and wear.details.coat_hem is not None:
            layers.append(_coat_skirt(figure, wear, dyes, jacket.material, float(distance.mean())))
    return Clothes(layers, hides, distance)


def _made_of(wear: Attributes, material: Material, piece: int, front: str = "plain") -> Material:
    """The material of piece 0 (the top), 1 (the bottom) or 2 (the jacket), as a photograph shows it."""
    if wear.details is None:
        return material
    fabric = wear.details.fabrics[piece]
    return replace(
        material,
        fabric=FABRICS.index(fabric),
        front=FRONTS.index(front),
        # Leggings have next to no folds.
        fold=_FOLDS[fabric] * min(material.fold / 0.28, 1.2),
    )


def _bottom(
    figure: Figure, wear: Attributes, dyes: Dyes, tights: Tights, seed: float, rng: np.random.Generator
) -> tuple[list[Layer], Array]:
    """Layers of what is worn below, and how far inside the body's vertices are."""
    scale, height = figure.scale, tights.points[:, 2]
    inside = inside_bottom(figure, wear, tights.points, tights.arm)
    material = Material(
        Kind.CLOTH,
        second=dyes.second if wear.dress else np.clip(dyes.bottom * 0.55 + 0.3, 0, 1),
        pattern=CLOTH_PATTERNS.index(wear.bottom_pattern),
        scale=rng.uniform(0.8, 1.3),
        seed=seed + 3,
        hem=SEAM,
    )
    off = 0.005 if wear.tuck else 0.003
    if wear.bottom == "skirt":
        outer = _made_of(wear, replace(material, fold=0.22, grain=(16.0, 16.0, 2.0)), 1)
        skirt = _skirt(figure, wear, dyes.bottom, off, outer, rng)
        # Below it, tight shorts: a skirt is open.
        shorts = np.minimum(inside, height - (figure.hip - 0.12 * scale))
        below = tights.cut(np.full(len(height), 0.005), shorts, dyes.bottom, replace(material, hem=0))
        body = figure.vertices[:, 2]
        hidden = np.minimum(figure.waist - body, body - (figure.hip - 0.10 * scale))
        return [skirt, below], np.where(figure.arm_share > 0.5, -1.0, hidden)
    tight = wear.bottom == "leggings"
    wide = 0.026 * wear.trouser_width if wear.details is None else 0.055 * wear.trouser_width**2
    width = {"trousers": 0.010 + wide, "shorts": 0.05, "leggings": 0.0}[wear.bottom]
    distance = (0.002 if tight else 0.004 + off) + width * (1 - smoothstep(figure.ankle, figure.hip, height))
    if not tight:
        distance = distance + 0.005 * smoothstep(0, 0.12 * scale, figure.waist - height)
    jeans = wear.details is not None and wear.details.fabrics[1] == "denim"
    material = _made_of(
        wear, replace(material, fold=0.06 if tight else 0.30), 1, "jeans" if jeans else "plain"
    )
    hidden = inside_bottom(figure, wear, figure.vertices, figure.arm_share)
    return [tights.cut(distance, inside, dyes.bottom, material)], hidden


def _skirt(
    figure: Figure, wear: Attributes, colour: Array, off: float, material: Material, rng: np.random.Generator
) -> Layer:
    """The skirt of the MakeHuman mesh, smoothed round and cut at its hem."""
    vertices, faces, weights = _skirt_base(figure)
    low = 1 - smoothstep(figure.knee, figure.waist, vertices[:, 2])
    flare = rng.uniform(-0.02, 0.05) * low
    if wear.details is not None:
        flare = (-0.01 + 0.16 * wear.details.flare**2) * low
        around = np.arctan2(vertices[:, 0], -vertices[:, 1])
        pleats = np.sin(around * (9 + int(8 * wear.details.flare)) + 2 * np.sin(around * 2 + material.seed))
        flare = flare + 0.016 * wear.details.flare * low * pleats
    vertices = vertices + normals(vertices, faces) * (off + 0.006 + flare)[:, None] * figure.scale
    hem = figure.floor + wear.leg_hem * figure.stature
    inside = np.minimum(vertices[:, 2] - hem, figure.waist + 0.02 * figure.scale - vertices[:, 2])
    return layer(vertices, faces, weights, colour, material, inside=inside)


def _skirt_base(figure: Figure) -> tuple[Array, Faces, Weights]:
    """Vertices [N, 3], triangles [F, 3] and weights CSR [N, bones] of a smooth skirt to the ankles."""
    old, matrix, faces = _subdivided(figure.model, "helper-skirt")
    vertices = matrix @ figure.vertices[old]
    weights = (matrix @ figure.model.weights[old]).tocsr()
    average = smoother(faces, len(vertices))
    for _ in range(3):
        vertices = average @ vertices
    for _ in range(10):
        weights = average @ weights
    return vertices, faces, weights.tocsr()


def _coat_skirt(figure: Figure, wear: Attributes, dyes: Dyes, material: Material, distance: float) -> Layer:
    """What hangs of a coat from the waist down; it gapes in front as far as the coat is open."""
    assert wear.details is not None
    assert wear.details.coat_hem is not None
    vertices, faces, weights = _skirt_base(figure)
    scale, x, z = figure.scale, vertices[:, 0], vertices[:, 2]
    low = 1 - smoothstep(figure.knee, figure.waist, z)
    vertices = vertices + normals(vertices, faces) * (distance + 0.012 + 0.03 * low)[:, None] * scale
    hem = figure.floor + wear.details.coat_hem * figure.stature
    inside = np.minimum(z - hem, figure.waist + 0.005 * scale - z)
    gap = wear.details.open * (0.03 + 0.05 * low) * scale if wear.details.open > 0 else 0 * low - 1
    in_front = vertices[:, 1] < figure.head("spine03")[1]
    inside = np.minimum(inside, np.where(in_front, np.abs(x) - gap, 1.0))
    material = replace(material, grain=(13.0, 13.0, 2.5), hem=SEAM)
    return layer(vertices, faces, weights, dyes.jacket, material, inside=inside)


def _distance_of_top(figure: Figure, wear: Attributes, tights: Tights, loose: float) -> Array:
    """How far a top hangs from the body, [N]: wider at the waist and the sleeves, close at the shoulders."""
    scale, height, on_arm = figure.scale, tights.points[:, 2], tights.arm > 0.5
    distance = np.full(len(height), (0.003 if wear.dress or wear.tuck else 0.010) + 0.008 * loose)
    if wear.top == "t-shirt":
        distance += np.where(on_arm, 0.012 * loose * smoothstep(0, figure.upper_arm, tights.along), 0)
    if not wear.tuck:
        distance += 0.020 * loose * _at_waist(figure, tights)
        distance += 0.012 * (1 - smoothstep(figure.hip - 0.05 * scale, figure.waist, height)) * ~on_arm
    return distance * _off_shoulders(figure, tights) * _cuffs(figure, wear, tights)


def _cuffs(figure: Figure, wear: Attributes, tights: Tights) -> Array | float:
    """In photographs less than 1 at the wrists, where sleeves are narrow; [N]."""
    if wear.details is None:
        return 1.0
    wrist = figure.upper_arm + figure.forearm
    near = smoothstep(wrist - 0.6 * figure.forearm, wrist, tights.along)
    return np.where(tights.arm > 0.5, 1 - 0.65 * near, 1.0)


def _at_waist(figure: Figure, tights: Tights) -> Array:
    """1 at the waist, 0 far from it and on the arms; [N]."""
    distance = (tights.points[:, 2] - figure.waist) / (0.13 * figure.scale)
    near: Array = np.exp(-(distance**2)) * (tights.arm < 0.3)
    return near


def _off_shoulders(figure: Figure, tights: Tights) -> Array:
    """Less than 1 on the shoulders: there cloth lies on the body."""
    high = smoothstep(figure.clavicle - 0.12 * figure.scale, figure.clavicle, tights.points[:, 2])
    lying: Array = 1 - 0.65 * np.clip(tights.normals[:, 2], 0, 1) * high
    return lying


def _top(
    figure: Figure,
    wear: Attributes,
    dyes: Dyes,
    tights: Tights,
    distance: Array,
    seed: float,
    rng: np.random.Generator,
) -> Layer:
    material = Material(
        Kind.CLOTH,
        second=dyes.second,
        pattern=CLOTH_PATTERNS.index(wear.top_pattern),
        scale=rng.uniform(0.8, 1.4),
        fold=0.28,
        seed=seed,
        hem=SEAM,
        outer=1,
        logo=(0.0, figure.clavicle - 0.13 * figure.scale, 0.075 * figure.scale),
    )
    material = _made_of(wear, material, 0, "plain" if wear.details is None else wear.details.front)
    inside = inside_top(figure, wear, tights.points, tights.arm)
    return tights.cut(distance, inside, dyes.top, material)


def _jacket(
    figure: Figure, wear: Attributes, dyes: Dyes, tights: Tights, distance: Array, seed: float
) -> tuple[Layer, Array]:
    """An open jacket over a top that hangs at `distance`; and how far the jacket hangs, [N]."""
    x, y, z = tights.points.T
    scale, on_arm = figure.scale, tights.arm > 0.5
    narrower = 0.004 * on_arm * smoothstep(0, figure.upper_arm, tights.along)
    over = 0.010 + 0.008 * _at_waist(figure, tights) - narrower
    gap = (0.030 + 0.05 * (1 - smoothstep(figure.hip, figure.clavicle, z))) * scale
    if wear.details is not None:
        gap = gap * wear.details.open if wear.details.open > 0 else 0 * gap - 1
    in_front = (y < figure.head("spine03")[1]) & (tights.arm < 0.5)
    inside = inside_top(figure, wear, tights.points, tights.arm, jacket=True)
    inside = np.minimum(inside, np.where(in_front, np.abs(x) - gap, 1.0))
    material = Material(
        Kind.CLOTH, second=dyes.jacket * 0.6, fold=0.34, seed=seed + 9, hem=TRIMMED_SEAM, outer=2
    )
    material = _made_of(
        wear, material, 2, "zip" if wear.details is not None and wear.details.open == 0 else "plain"
    )
    distance = distance + over * _off_shoulders(figure, tights) * _cuffs(figure, wear, tights)
    return tights.cut(distance, inside, dyes.jacket, material), distance
