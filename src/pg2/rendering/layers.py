"""A drawable piece of a person: a mesh at rest, what it follows, and how its surface looks."""

from dataclasses import dataclass, field
from enum import IntEnum

import numpy as np

from pg2.rendering.geometry import Array, Faces, Weights


class Kind(IntEnum):
    """What a surface is made of; the numbers are the shader's."""

    SKIN = 0
    CLOTH = 1
    HAIR = 2
    SHOE = 3
    EYE = 4


CLOTH_PATTERNS = (
    "plain",
    "stripes",
    "vertical stripes",
    "checks",
    "dots",
    "logo",
    "blocks",
    "side stripe",
    "floral",
    "plaid",
    "print",
    "melange",
    "animal",
)
"""Patterns of cloth; the place in this list is the shader's number. From "floral" on: in photographs only."""

FABRICS = ("jersey", "denim", "knit", "leather", "satin", "wool", "linen")
"""What cloth is made of, in photographs; the place in this list is the shader's number."""

FRONTS = ("plain", "buttons", "zip", "jeans")
"""What is sewn on the front of a garment, in photographs; the place in this list is the shader's number."""

SEAM, TRIMMED_SEAM = 1, 2
"""Kinds of hem: a darker line along the edge, and that with an edge in the second colour."""


@dataclass(frozen=True)
class Material:
    """How a surface looks.

    Attributes:
        kind: what it is made of.
        second: the second colour [3]: of a pattern, the brows, the soles, dark strands of hair, the iris.
        pattern: of cloth, an index of `CLOTH_PATTERNS`; 1 for curly hair and for laces on shoes.
        scale: of the pattern; larger is finer.
        fold: depth of the folds of cloth.
        seed: where in the noise the folds and the strands lie.
        hem: 0, SEAM or TRIMMED_SEAM.
        outer: cloth that lies further out is drawn first.
        eye: (distance of the eyes from the middle, their height, their y, the figure's scale).
        logo: (x, z, half width) of a logo on the chest.
        fabric, front: indices of `FABRICS` and `FRONTS`; like what follows, only seen in photographs.
        grain: folds to a metre along x, y and z of the pattern.
        brow: how much higher than usual, how tilted, how thick the brows are.
        waves: how wavy hair is, 0 to 1.
    """

    kind: Kind
    second: Array
    pattern: int = 0
    scale: float = 1.0
    fold: float = 0.0
    seed: float = 0.0
    hem: int = 0
    outer: int = 0
    eye: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    logo: tuple[float, float, float] = (0.0, 0.0, 1.0)
    fabric: int = 0
    front: int = 0
    grain: tuple[float, float, float] = (9.0, 9.0, 6.0)
    brow: tuple[float, float, float] = (0.0, 0.0, 1.0)
    waves: float = 0.0


@dataclass(frozen=True, eq=False)
class Layer:
    """One mesh at rest. A vertex is drawn more than once where its faces differ in its place in the pattern.

    Attributes:
        vertices: [N, 3].
        faces: triangles [F, 3] of the vertices.
        weights: CSR [N, bones].
        material: how it looks.
        source: [M], which vertex each drawn vertex is.
        drawn_faces: triangles [F, 3] of the drawn vertices.
        pattern_place: [M, 3], where in the pattern each drawn vertex is.
        inside: [M], metres inside the hem; what is below 0 is not drawn.
        colour: [M, 3], RGB 0 to 1.
        framing: [K], some of the vertices inside the hem; by these a picture is framed.
    """

    vertices: Array
    faces: Faces
    weights: Weights
    material: Material
    source: Faces
    drawn_faces: Faces
    pattern_place: Array
    inside: Array
    colour: Array
    framing: Faces = field(repr=False)


def layer(
    vertices: Array,
    faces: Faces,
    weights: Weights,
    colour: Array,
    material: Material,
    *,
    inside: Array | None = None,
    pattern_place: Array | None = None,
    part: Faces | None = None,
) -> Layer:
    """Make a layer; faces that are wholly outside the hem are left out.

    Args:
        vertices: [N, 3].
        faces: [F, 3].
        weights: CSR [N, bones].
        colour: [3] for all, or [N, 3].
        material: how it looks.
        inside: [N], metres inside the hem; None: all is inside.
        pattern_place: [N, 3]; None: the vertices. With `part`: [parts, N, 3].
        part: [F], the part of the pattern that a face belongs to.
    """
    count = len(vertices)
    inside = np.full(count, 1.0) if inside is None else inside
    colour = np.tile(colour, (count, 1)) if colour.ndim == 1 else colour
    kept = inside[faces].max(1) > 0
    faces = faces[kept]
    if part is None:
        source, drawn = np.arange(count), faces
        place = vertices if pattern_place is None else pattern_place
    else:
        assert pattern_place is not None
        key = np.repeat(part[kept], 3) * count + faces.reshape(-1)
        unique, inverse = np.unique(key, return_inverse=True)
        source, drawn = unique % count, inverse.reshape(-1, 3)
        place = pattern_place[unique // count, source]
    return Layer(
        vertices=vertices,
        faces=faces,
        weights=weights,
        material=material,
        source=source,
        drawn_faces=drawn,
        pattern_place=place,
        inside=inside[source],
        colour=colour[source],
        framing=np.flatnonzero(inside > 0)[::2],
    )


def cut_out(
    vertices: Array, faces: Faces, weights: Weights, colour: Array, material: Material, inside: Array
) -> Layer:
    """A layer of some faces [F, 3] of a bigger mesh, with only the vertices that they use."""
    used, inverse = np.unique(faces, return_inverse=True)
    return layer(
        vertices[used],
        inverse.reshape(-1, 3),
        weights[used],
        colour if colour.ndim == 1 else colour[used],
        material,
        inside=inside[used],
    )
