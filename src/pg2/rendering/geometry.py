"""Small maths for meshes. Arrays are float64 [N, 3] in metres unless said otherwise."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.spatial.transform import Rotation

Array: TypeAlias = npt.NDArray[np.float64]
Faces: TypeAlias = npt.NDArray[np.int64]
"""Vertex indices, [F, 3] of triangles or [F, 4] of quads."""
Weights: TypeAlias = Any
"""scipy's CSR matrix [vertices, bones]: how much each vertex follows each bone; rows add up to 1."""


def unit(vectors: Array) -> Array:
    """The vectors scaled to length 1 along the last axis."""
    scaled: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-9)
    return scaled


def smoothstep(low: float, high: float, x: Array | float) -> Array:
    """0 below `low`, 1 above `high`, an S-shaped curve between; as in GLSL (low > high falls)."""
    t = np.clip((np.asarray(x, dtype=np.float64) - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def turn(axis: str, degrees: float) -> Array:
    """The [3, 3] rotation about the coordinate axis "x", "y" or "z"."""
    return np.asarray(Rotation.from_euler(axis, degrees, degrees=True).as_matrix(), dtype=np.float64)


def turn_about(axis: Array) -> Array:
    """The [3, 3] rotation about a vector [3], by its length in radians."""
    return np.asarray(Rotation.from_rotvec(axis).as_matrix(), dtype=np.float64)


def rotation_vector(matrix: Array) -> Array:
    """The vector [3] that `turn_about` makes this [3, 3] rotation from."""
    return np.asarray(Rotation.from_matrix(matrix).as_rotvec(), dtype=np.float64)


def shortest_turn(start: Array, end: Array) -> Array:
    """The [3, 3] rotation that takes the unit vector `start` to `end` and twists nothing."""
    axis = np.cross(start, end)
    sine, cosine = np.linalg.norm(axis), float(start @ end)
    return np.eye(3) if sine < 1e-8 else turn_about(axis / sine * np.arctan2(sine, cosine))


def frame_of(along: Array, hinge: Array) -> Array:
    """A [3, 3] rotation with the columns `along`, `hinge` made orthogonal to it, and their cross product."""
    along = unit(along)
    hinge = unit(hinge - along * (hinge @ along))
    return np.stack([along, hinge, np.cross(along, hinge)], 1)


def triangles(polygons: list[list[int]]) -> Faces:
    """Polygons of 3 or 4 corners cut into triangles [F, 3]."""
    cut = []
    for corners in polygons:
        cut.append(corners[:3])
        if len(corners) == 4:
            cut.append([corners[0], corners[2], corners[3]])
    return np.array(cut, dtype=np.int64)


def grid_triangles(rows: int, columns: int, wrap: bool = True) -> Faces:
    """Triangles [F, 3] of a grid of vertices [rows * columns]; `wrap`: the last column meets the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    a, b = row * columns + column, row * columns + (column + 1) % columns
    d, e = a + columns, b + columns
    return np.concatenate([np.stack([a, b, e], -1).reshape(-1, 3), np.stack([a, e, d], -1).reshape(-1, 3)])


def subdivide(quads: Faces, count: int) -> tuple[Any, Faces]:
    """Cut each quad into four.

    Args:
        quads: [F, 4].
        count: of vertices before.

    Returns:
        The sparse matrix [vertices after, count] that makes the new vertices from the old ones, and the
        quads [4 F, 4].
    """
    edges = np.sort(np.stack([quads, np.roll(quads, -1, 1)], -1).reshape(-1, 2), 1)
    unique, inverse = np.unique(edges, axis=0, return_inverse=True)
    middle = inverse.reshape(len(quads), 4) + count
    centre = count + len(unique) + np.arange(len(quads))
    rows = np.concatenate(
        [np.arange(count), np.repeat(count + np.arange(len(unique)), 2), np.repeat(centre, 4)]
    )
    columns = np.concatenate([np.arange(count), unique.reshape(-1), quads.reshape(-1)])
    values = np.concatenate([np.ones(count), np.full(2 * len(unique), 0.5), np.full(4 * len(quads), 0.25)])
    matrix = sparse.csr_matrix((values, (rows, columns)), shape=(count + len(unique) + len(quads), count))
    parts = [np.stack([quads[:, k], middle[:, k], centre, middle[:, k - 1]], 1) for k in range(4)]
    return matrix, np.concatenate(parts)


def smoother(faces: Faces, count: int) -> Any:
    """The sparse matrix [count, count] that averages each vertex with its neighbours in triangles [F, 3]."""
    edges = np.concatenate([faces, np.roll(faces, 1, 1), np.roll(faces, -1, 1)], 0)[:, :2]
    edges = np.concatenate([edges, edges[:, ::-1]])
    matrix = sparse.csr_matrix((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(count, count))
    matrix.data[:] = 1
    matrix = matrix + sparse.identity(count)
    return sparse.diags(1 / np.asarray(matrix.sum(1)).ravel()) @ matrix


def normals(vertices: Array, faces: Faces) -> Array:
    """The unit normal of each vertex: the mean over its triangles [F, 3], weighted by their area."""
    first, second, third = (vertices[faces[:, k]] for k in range(3))
    flat = np.repeat(np.cross(second - first, third - first), 3, 0)
    corner = faces.reshape(-1)
    return unit(np.stack([np.bincount(corner, flat[:, k], len(vertices)) for k in range(3)], 1))


def skinned(vertices: Array, weights: Weights, bones: Array) -> Array:
    """The vertices moved by the bones' transforms [B, 4, 4], blended by `weights` [N, B]."""
    transforms = (weights @ bones[:, :3].reshape(len(bones), 12)).reshape(-1, 3, 4)
    moved: Array = np.einsum("nij,nj->ni", transforms[:, :, :3], vertices) + transforms[:, :, 3]
    return moved
