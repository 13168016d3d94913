import numpy as np
import pytest
from scipy import sparse

from pg2.rendering import geometry


def test_smoothstep_rises_from_0_to_1():
    np.testing.assert_allclose(geometry.smoothstep(1, 3, np.array([0.0, 1, 2, 3, 4])), [0, 0, 0.5, 1, 1])


def test_the_shortest_turn_takes_one_direction_to_another():
    start, end = geometry.unit(np.array([1.0, 2, 3])), geometry.unit(np.array([-2.0, 1, 0.5]))
    np.testing.assert_allclose(geometry.shortest_turn(start, end) @ start, end, atol=1e-12)
    np.testing.assert_array_equal(geometry.shortest_turn(start, start), np.eye(3))


def test_a_rotation_is_its_vector():
    vector = np.array([0.3, -0.2, 0.5])
    np.testing.assert_allclose(geometry.rotation_vector(geometry.turn_about(vector)), vector, atol=1e-12)


def test_a_frame_is_a_rotation():
    frame = geometry.frame_of(np.array([0.0, 0, 2]), np.array([1.0, 0, 1]))
    np.testing.assert_allclose(frame, np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]]), atol=1e-12)
    assert np.linalg.det(frame) == pytest.approx(1)


def test_polygons_become_triangles():
    assert geometry.triangles([[0, 1, 2, 3], [4, 5, 6]]).tolist() == [[0, 1, 2], [0, 2, 3], [4, 5, 6]]


def test_a_closed_grid_has_no_edge_of_its_own():
    faces = geometry.grid_triangles(3, 4)
    edges = np.sort(np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]), 1)
    _, times = np.unique(edges, axis=0, return_counts=True)
    assert (times == 1).sum() == 2 * 4  # only the first and the last row end
    assert len(geometry.grid_triangles(3, 4, wrap=False)) == 2 * 2 * 3


def test_subdivision_cuts_quads_in_four_and_shares_what_is_between():
    corners = np.array([[0.0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [2, 0, 0], [2, 1, 0]])
    quads = np.array([[0, 1, 2, 3], [1, 4, 5, 2]])
    matrix, finer = geometry.subdivide(quads, len(corners))
    points = matrix @ corners
    assert finer.shape == (8, 4)
    assert len(points) == 6 + 7 + 2
    assert len(np.unique(points.round(6), axis=0)) == len(points)
    areas = np.cross(points[finer[:, 1]] - points[finer[:, 0]], points[finer[:, 3]] - points[finer[:, 0]])
    np.testing.assert_allclose(areas[:, 2], 0.25)


def test_smoothing_pulls_a_spike_in():
    faces = geometry.grid_triangles(3, 3, wrap=False)
    heights = np.zeros(9)
    heights[4] = 1.0
    smoothed = geometry.smoother(faces, 9) @ heights
    assert 0 < smoothed[4] < 0.5
    np.testing.assert_allclose(geometry.smoother(faces, 9) @ np.ones(9), 1)


def test_normals_of_a_level_sheet_point_one_way():
    x, y = np.meshgrid(np.arange(3.0), np.arange(3.0))
    sheet = np.stack([x.ravel(), y.ravel(), np.zeros(9)], 1)
    found = geometry.normals(sheet, geometry.grid_triangles(3, 3, wrap=False))
    np.testing.assert_allclose(np.abs(found[:, 2]), 1)


def test_skinning_blends_the_bones():
    bones = np.tile(np.eye(4), (2, 1, 1))
    bones[1, :3, 3] = [0, 0, 2]
    weights = sparse.csr_matrix(np.array([[1.0, 0.0], [0.5, 0.5]]))
    moved = geometry.skinned(np.array([[1.0, 2, 3], [1, 2, 3]]), weights, bones)
    np.testing.assert_allclose(moved, [[1, 2, 3], [1, 2, 4]])
