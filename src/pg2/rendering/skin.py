"""What of the body itself is seen: skin that no garment hides, lips, cheeks, brows and eyes."""

import numpy as np

from pg2.pose.keypoints import KEYPOINTS
from pg2.rendering.attributes import Attributes
from pg2.rendering.figure import Figure
from pg2.rendering.geometry import Array, smoothstep
from pg2.rendering.layers import Kind, Layer, Material, cut_out

_IRIS = ((0.20, 0.12, 0.07), (0.10, 0.07, 0.05), (0.25, 0.36, 0.42), (0.26, 0.29, 0.17))


def make_skin(figure: Figure, wear: Attributes, hides: list[Array], rng: np.random.Generator) -> list[Layer]:
    """The skin and the eyes.

    Args:
        figure: whose.
        wear: the person's looks.
        hides: of each garment, how far inside it the body's vertices [V] are.
        rng: draws the colour of the eyes.
    """
    eye = figure.keypoints[KEYPOINTS.index("left_eye")]
    brows = Material(
        Kind.SKIN,
        second=wear.hair_rgb * 0.8 + wear.skin_rgb * 0.1,
        eye=(abs(eye[0]), eye[2], eye[1], figure.scale),
        brow=(0.0, 0.0, 1.0) if wear.details is None else wear.details.brow,
    )
    # Skin reaches a little below the hems, so that no gap opens there in a pose.
    bare = 0.022 * figure.scale - np.max(hides, 0)
    faces, weights = figure.model.triangles("body"), figure.model.weights
    skin = cut_out(figure.vertices, faces, weights, _colours(figure, wear), brows, bare)
    return [skin, *_eyes(figure, wear, rng)]


def _colours(figure: Figure, wear: Attributes) -> Array:
    """RGB [V, 3]: redder at the lips and the cheeks."""
    skin, scale = wear.skin_rgb, figure.scale
    lips = figure.model.lips[:, None] * (0.75 if wear.female else 0.45)
    colours = skin * (1 - lips) + skin * [0.86, 0.58, 0.58] * lips
    nose, ear = (figure.keypoints[KEYPOINTS.index(name)] for name in ("nose", "right_ear"))
    x, y, z = figure.vertices.T
    cheek = np.exp(-((np.abs(x) / scale - 0.04) ** 2 + ((z - nose[2]) / scale) ** 2) / 0.02**2)
    cheek = cheek * (y < ear[1] - 0.02)
    tinted: Array = colours * (1 - cheek[:, None] * [0.0, 0.10, 0.09])
    if wear.details is not None and wear.details.beard > 0:
        beard = wear.details.beard * _beard(figure) * (1 - figure.model.lips)
        # Stubble lets the skin through.
        tinted = tinted * (1 - beard[:, None]) + (wear.hair_rgb * 0.9 + skin * 0.1) * beard[:, None]
    return tinted


def _beard(figure: Figure) -> Array:
    """[V], 0 to 1: where a beard grows, on the jaw, the chin and above the mouth."""
    scale = figure.scale
    nose, ear = (figure.keypoints[KEYPOINTS.index(name)] for name in ("nose", "right_ear"))
    x, y, z = (figure.vertices - nose).T / scale
    # From below the nose, around the cheeks, up to the ears.
    upper = np.interp(
        np.abs(x), (0, 0.018, 0.030, 0.046, 0.060, 0.072), (-0.012, -0.014, -0.030, -0.038, -0.012, 0.020)
    )
    jaw = smoothstep(0.006, -0.006, z - upper) * smoothstep(-0.125, -0.10, z)
    behind = (ear[1] - nose[1]) / scale
    beside = smoothstep(behind - 0.005, behind - 0.03, y)
    return np.asarray(jaw * beside * (figure.head_share > 0.5))


def _eyes(figure: Figure, wear: Attributes, rng: np.random.Generator) -> list[Layer]:
    light = 0.35 if wear.skin_tone < 1.5 else 0.0
    shares = [(1 - light) / 2, (1 - light) / 2, light / 2, light / 2]
    iris = np.array(_IRIS[int(rng.choice(len(_IRIS), p=shares))])
    layers = []
    for group in ("helper-l-eye", "helper-r-eye"):
        faces = figure.model.triangles(group)
        centre = figure.vertices[np.unique(faces)].mean(0)
        place = (abs(centre[0]), centre[2], centre[1], figure.scale)
        material = Material(Kind.EYE, second=iris, eye=place)
        white, seen = np.array([0.80, 0.78, 0.76]), np.ones(len(figure.vertices))
        layers.append(cut_out(figure.vertices, faces, figure.model.weights, white, material, seen))
    return layers
