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
from pg2.rendering.layers import CLOTH_PATTERNS, SEAM, TRIMMED_SEAM, Kind, Layer, Material, layer

_TORSO, _ARM, _LEFT_LEG, _RIGHT_LEG = range(4)


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

    def __init__(self, figure: Figure) -> None:
        """Take the base from the figure's mesh."""
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


def sew(
    figure: Figure, wear: Attributes, dyes: Dyes, rng: np.random.Generator
) -> tuple[list[Layer], list[Array]]:
    """Make the clothes of a person.

    Returns:
        Their layers, and for each that hides skin how far inside it the body's vertices [V] are.
    """
    tights = Tights(figure)
    loose, seed = rng.uniform(0.3, 1.0), rng.uniform(0, 50)
    bottom, below = _bottom(figure, wear, dyes, tights, seed, rng)
    distance = _distance_of_top(figure, wear, tights, loose)
    top = _top(figure, wear, dyes, tights, distance, seed, rng)
    layers = [*bottom, top]
    hides = [inside_top(figure, wear, figure.vertices, figure.arm_share), below]
    if wear.top == "jacket":
        layers.append(_jacket(figure, wear, dyes, tights, distance, seed))
        sleeves = inside_top(figure, wear, figure.vertices, figure.arm_share, jacket=True)
        hides.append(np.minimum(sleeves, np.where(figure.arm_share > 0.5, 1.0, -1.0)))
    return layers, hides


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
        skirt = _skirt(figure, wear, dyes.bottom, off, replace(material, fold=0.22), rng)
        # Below it, tight shorts: a skirt is open.
        shorts = np.minimum(inside, height - (figure.hip - 0.12 * scale))
        below = tights.cut(np.full(len(height), 0.005), shorts, dyes.bottom, replace(material, hem=0))
        body = figure.vertices[:, 2]
        hidden = np.minimum(figure.waist - body, body - (figure.hip - 0.10 * scale))
        return [skirt, below], np.where(figure.arm_share > 0.5, -1.0, hidden)
    tight = wear.bottom == "leggings"
    width = {"trousers": 0.010 + 0.026 * wear.trouser_width, "shorts": 0.05, "leggings": 0.0}[wear.bottom]
    distance = (0.002 if tight else 0.004 + off) + width * (1 - smoothstep(figure.ankle, figure.hip, height))
    if not tight:
        distance = distance + 0.005 * smoothstep(0, 0.12 * scale, figure.waist - height)
    material = replace(material, fold=0.06 if tight else 0.30)
    hidden = inside_bottom(figure, wear, figure.vertices, figure.arm_share)
    return [tights.cut(distance, inside, dyes.bottom, material)], hidden


def _skirt(
    figure: Figure, wear: Attributes, colour: Array, off: float, material: Material, rng: np.random.Generator
) -> Layer:
    """The skirt of the MakeHuman mesh, smoothed round and cut at its hem."""
    old, matrix, faces = _subdivided(figure.model, "helper-skirt")
    vertices = matrix @ figure.vertices[old]
    weights = (matrix @ figure.model.weights[old]).tocsr()
    average = smoother(faces, len(vertices))
    for _ in range(3):
        vertices = average @ vertices
    for _ in range(10):
        weights = average @ weights
    flare = rng.uniform(-0.02, 0.05) * (1 - smoothstep(figure.knee, figure.waist, vertices[:, 2]))
    vertices = vertices + normals(vertices, faces) * (off + 0.006 + flare)[:, None] * figure.scale
    hem = figure.floor + wear.leg_hem * figure.stature
    inside = np.minimum(vertices[:, 2] - hem, figure.waist + 0.02 * figure.scale - vertices[:, 2])
    return layer(vertices, faces, weights.tocsr(), colour, material, inside=inside)


def _distance_of_top(figure: Figure, wear: Attributes, tights: Tights, loose: float) -> Array:
    """How far a top hangs from the body, [N]: wider at the waist and the sleeves, close at the shoulders."""
    scale, height, on_arm = figure.scale, tights.points[:, 2], tights.arm > 0.5
    distance = np.full(len(height), (0.003 if wear.dress or wear.tuck else 0.010) + 0.008 * loose)
    if wear.top == "t-shirt":
        distance += np.where(on_arm, 0.012 * loose * smoothstep(0, figure.upper_arm, tights.along), 0)
    if not wear.tuck:
        distance += 0.020 * loose * _at_waist(figure, tights)
        distance += 0.012 * (1 - smoothstep(figure.hip - 0.05 * scale, figure.waist, height)) * ~on_arm
    return distance * _off_shoulders(figure, tights)


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
    inside = inside_top(figure, wear, tights.points, tights.arm)
    return tights.cut(distance, inside, dyes.top, material)


def _jacket(
    figure: Figure, wear: Attributes, dyes: Dyes, tights: Tights, distance: Array, seed: float
) -> Layer:
    """An open jacket over a top that hangs at `distance`."""
    x, y, z = tights.points.T
    scale, on_arm = figure.scale, tights.arm > 0.5
    narrower = 0.004 * on_arm * smoothstep(0, figure.upper_arm, tights.along)
    over = 0.010 + 0.008 * _at_waist(figure, tights) - narrower
    gap = (0.030 + 0.05 * (1 - smoothstep(figure.hip, figure.clavicle, z))) * scale
    in_front = (y < figure.head("spine03")[1]) & (tights.arm < 0.5)
    inside = inside_top(figure, wear, tights.points, tights.arm, jacket=True)
    inside = np.minimum(inside, np.where(in_front, np.abs(x) - gap, 1.0))
    material = Material(
        Kind.CLOTH, second=dyes.jacket * 0.6, fold=0.34, seed=seed + 9, hem=TRIMMED_SEAM, outer=2
    )
    return tights.cut(distance + over * _off_shoulders(figure, tights), inside, dyes.jacket, material)
