import numpy as np

from pg2.rendering.solids import loop, rounded_box, tube


def test_a_tube_keeps_its_distance_from_its_path():
    path = np.stack([np.linspace(0, 1, 9), np.sin(np.linspace(0, 2, 9)), np.zeros(9)], 1)
    vertices, faces = tube(path, 0.05, sides=8)
    assert vertices.shape == (72, 3)
    assert faces.max() == 71
    rings = vertices.reshape(9, 8, 3)
    np.testing.assert_allclose(np.linalg.norm(rings - path[:, None], axis=2), 0.05)
    # It does not twist: each corner stays beside its neighbour.
    assert np.linalg.norm(np.diff(rings, axis=0), axis=2).max() < 0.3


def test_a_round_box_is_as_large_as_it_says():
    centre, half = np.array([1.0, 2, 3]), np.array([0.1, 0.2, 0.3])
    ball, _ = rounded_box(centre, half, 1.0)
    box, faces = rounded_box(centre, half, 0.2)
    for vertices in (ball, box):
        np.testing.assert_allclose(np.ptp(vertices, axis=0), 2 * half, rtol=0.02)
    assert faces.max() < len(box)
    np.testing.assert_allclose(np.linalg.norm((ball - centre) / half, axis=1), 1)
    assert np.linalg.norm((box - centre) / half, axis=1).max() > 1.3


def test_a_loop_begins_in_front():
    points = loop(np.array([0.0, 0, 1]), (0.2, 0.1), np.array([0.0, 90, 180]))
    np.testing.assert_allclose(points, [[0, -0.1, 1], [0.2, 0, 1], [0, 0.1, 1]], atol=1e-12)
