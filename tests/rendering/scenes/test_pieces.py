import numpy as np

from pg2.rendering.scenes.pieces import Finish, Paint, blob, box, column, moved, prism, quad

PAINT = Paint(Finish.PLAIN, np.ones(3), np.zeros(3), 0.5, 3.0)


def test_a_piece_is_triangles_with_its_paint():
    piece = quad((0, 0, 0), (2, 0, 0), (0, 0, 3), PAINT)
    rows = piece.rows()
    assert rows.shape == (6, 16)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[:, 8:], [[1, 1, 1, 0, 0, 0, 0.5, 3]] * 6)
    np.testing.assert_allclose(piece.places.max(0), (2, 3))
    np.testing.assert_allclose(np.abs(piece.normals), [[0, 1, 0]] * 6)
    assert quad((0, 0, 0), (2, 0, 0), (0, 0, 3), PAINT, whole=True).places.max() == 1


def test_solids_have_the_size_they_are_given():
    for pieces, size in (
        (box((0, 0, 0), (1, 2, 3), PAINT), (1, 2, 3)),
        (prism([(0, 0), (1, 0), (1, 3)], 2.0, PAINT, (5, 5, 5)), (1, 2, 3)),
        ([blob((1, 1, 1), (0.5, 1.0, 1.5), PAINT)], (1, 2, 3)),
        ([column((0, 0, 0), 0.5, 0.5, 3.0, PAINT, sides=16)], (1, 1, 3)),
    ):
        points = np.concatenate([piece.points for piece in pieces])
        np.testing.assert_allclose(np.ptp(points, axis=0), size, rtol=0.02)
        normals = np.concatenate([piece.normals for piece in pieces])
        assert np.isfinite(normals).all()
        assert np.linalg.norm(normals, axis=1).max() < 1.001


def test_pieces_turn_and_then_move():
    piece = quad((1, 0, 0), (1, 0, 0), (0, 0, 1), PAINT)
    (turned,) = moved([piece], 90.0, (5, 0, 0))
    np.testing.assert_allclose(turned.points[0], (5, 1, 0), atol=1e-12)
    np.testing.assert_allclose(np.abs(turned.normals[0]), (1, 0, 0), atol=1e-12)
