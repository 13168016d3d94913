"""The camera: where it stands, how it frames a person, and which keypoints it sees."""

from dataclasses import dataclass

import numpy as np

from pg2.pose.keypoints import KEYPOINTS, Points
from pg2.rendering.geometry import Array, turn, unit

NEAR, FAR = 0.5, 20.0
"""Distances from the camera between which things are drawn, in metres."""

_DISTANCE = 5.2
_FIELD_OF_VIEW = 28
# How far a keypoint of the face may lie behind what is drawn there, in metres: not all are on the surface.
_BEHIND = {"nose": 0.022, "left_eye": 0.030, "right_eye": 0.030, "left_ear": 0.06, "right_ear": 0.06}


@dataclass(frozen=True, eq=False)
class Camera:
    """A camera that frames one person.

    Attributes:
        size: (height, width) of the picture in pixels.
        place: [3] in metres.
        view: [4, 4], from the world to the camera, which looks along -z.
        projection: [4, 4], from the world to normalised device coordinates.
        zoom: how much the framing enlarges.
    """

    size: tuple[int, int]
    place: Array
    view: Array
    projection: Array
    zoom: float

    @property
    def focal(self) -> float:
        """Pixels to a radian in the middle of the picture."""
        return float(self.zoom * self.size[0] / 2 / np.tan(np.radians(_FIELD_OF_VIEW) / 2))

    def reaching(self, far: float) -> Array:
        """The projection [4, 4] with things drawn up to another distance than `FAR`."""
        longer = self.projection.copy()
        longer[2] = (far + NEAR) / (NEAR - far) * self.view[2] + 2 * far * NEAR / (NEAR - far) * self.view[3]
        return longer

    def pixels(self, points: Array) -> Array:
        """Where points [N, 3] are seen, [N, 2] as (x, y); pixel (0, 0) reaches from (0, 0) to (1, 1)."""
        height, width = self.size
        seen = project(self.projection, points)
        return np.stack([(seen[:, 0] * 0.5 + 0.5) * width, (0.5 - seen[:, 1] * 0.5) * height], 1)

    def distances(self, points: Array) -> Array:
        """Distances [N] of points [N, 3] along the camera's axis, in metres."""
        return np.asarray(-(_homogeneous(points) @ self.view.T)[:, 2])


def draw_camera(
    points: Array, keypoints: Array, size: tuple[int, int], upper: bool, rng: np.random.Generator
) -> Camera:
    """Place a camera in front of a person, about level, at 5.2 m.

    Args:
        points: [N, 3], what is to be seen.
        keypoints: [18, 3].
        size: (height, width) of the picture.
        upper: show the person from the head to between hips and knees instead of whole.
        rng: draws the height of the camera and the place of the person in the picture.
    """
    centre = (points.min(0) + points.max(0)) / 2
    elevation = np.radians(rng.uniform(-2, 9))
    place = centre + _DISTANCE * np.array([0, -np.cos(elevation), np.sin(elevation)])
    view = look_at(place, centre)
    projection = _perspective(_FIELD_OF_VIEW) @ view
    frame = _frame_upper if upper else _frame_whole
    zoom, shift = frame(project(projection, points), project(projection, keypoints), size[1] / size[0], rng)
    return _framed(size, place, view, projection, zoom, shift)


def aimed_camera(
    place: Array, size: tuple[int, int], low: float, high: float, aside: float, tilt: float = 0.0
) -> Camera:
    """A camera whose picture reaches from one height above the origin to another.

    Args:
        place: [3], where it stands.
        size: (height, width) of the picture.
        low, high: in metres, as seen at the origin.
        aside: where across the picture the origin is, -1 (left) to 1.
        tilt: how far it is turned about its own axis, in degrees.
    """
    view = look_at(place, np.array([0.0, 0.0, (low + high) / 2]))
    view = np.block([[turn("z", tilt), np.zeros((3, 1))], [np.zeros((1, 3)), np.ones((1, 1))]]) @ view
    projection = _perspective(_FIELD_OF_VIEW) @ view
    bottom, top = project(projection, np.array([[0, 0, low], [0, 0, high]]))[:, :2]
    zoom = float(2 / (top[1] - bottom[1]))
    across = zoom * size[0] / size[1] * (bottom[0] + top[0]) / 2
    return _framed(size, place, view, projection, zoom, np.array([aside - across, -1 - zoom * bottom[1]]))


def _framed(
    size: tuple[int, int], place: Array, view: Array, projection: Array, zoom: float, shift: Array
) -> Camera:
    # Framing moves and enlarges the finished projection, as the shift of a lens does: no perspective changes.
    framing = np.diag([zoom * size[0] / size[1], zoom, 1.0, 1.0])
    framing[:2, 3] = shift
    return Camera(size, place, view, framing @ projection, zoom)


def visible_keypoints(
    camera: Camera, keypoints: Array, depth: Array, scale: float, ears: float = _BEHIND["left_ear"]
) -> Points:
    """The keypoints as labels.

    Those outside the picture are missing, and those of the face where something hides them. Limbs are
    labelled even behind the body: annotators do the same, and it is what a pose is.

    Args:
        camera: which sees them.
        keypoints: [18, 3] in metres.
        depth: distances in metres along the camera's axis, at a multiple of the picture's size; without hair,
            which hides no face.
        scale: of the figure, 1 for a stature of 1.65 m.
        ears: how far an ear may lie behind what is drawn there, in metres.

    Returns:
        float32 [18, 2], (x, y) as whole pixels, NaN where missing.
    """
    pixels, distances = camera.pixels(keypoints), camera.distances(keypoints)
    height, width = camera.size
    x, y = pixels.T
    there = np.asarray((x >= 0) & (x < width) & (y >= 0) & (y < height))
    finer = depth.shape[0] / height
    for name, behind in (_BEHIND | {"left_ear": ears, "right_ear": ears}).items():
        index = KEYPOINTS.index(name)
        if there[index]:
            column, row = (pixels[index] * finer).astype(int)
            drawn = np.median(depth[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3])
            there[index] = drawn >= distances[index] - behind * scale
    return np.where(there[:, None], np.floor(pixels), np.nan).astype(np.float32)


def _frame_whole(
    seen: Array, keypoints: Array, aspect: float, rng: np.random.Generator
) -> tuple[float, Array]:
    """Zoom and shift [2] that show all points [N, 3], in normalised device coordinates, with some margin."""
    low, high = seen[:, :2].min(0), seen[:, :2].max(0)
    share = rng.uniform(0.86, 0.94)
    zoom = min(2 * share / (high[1] - low[1]), 2 * 0.94 * aspect / (high[0] - low[0]))
    room = np.maximum(1 - zoom * (high - low) / [aspect, 1] / 2 - 0.025, 0)
    shift = np.clip(rng.uniform(-0.06, 0.06, 2) * [1.2, 0.5], -room, room)
    return zoom, shift - zoom * (low + high) / 2 / [aspect, 1]


def _frame_upper(
    seen: Array, keypoints: Array, aspect: float, rng: np.random.Generator
) -> tuple[float, Array]:
    """Zoom and shift [2] that show a person from the head to between hips and knees."""
    hip, knee = (
        keypoints[[KEYPOINTS.index(f"{side}_{joint}") for side in ("right", "left")], 1].mean()
        for joint in ("hip", "knee")
    )
    bottom = hip + (knee - hip) * rng.uniform(0, 0.65)
    nose, crown = keypoints[KEYPOINTS.index("nose"), 1], seen[:, 1].max()
    # Raised arms are cut off rather than the person made small.
    top = crown if crown - nose < 0.2 else nose + 0.12
    zoom = 2 * rng.uniform(0.88, 0.95) / (top - bottom)
    neck = keypoints[KEYPOINTS.index("neck"), 0]
    middle = 0.7 * neck + 0.3 * (seen[:, 0].min() + seen[:, 0].max()) / 2
    shift = rng.uniform(-0.05, 0.05) - zoom / aspect * middle
    return zoom, np.array([shift, -1 - zoom * bottom])


def look_at(place: Array, centre: Array) -> Array:
    """The view matrix [4, 4] of a camera at `place` [3] that looks at `centre` [3]; z is up."""
    backward = unit(place - centre)
    right = unit(np.cross([0.0, 0.0, 1.0], backward))
    view = np.eye(4)
    view[:3, :3] = [right, np.cross(backward, right), backward]
    view[:3, 3] = -view[:3, :3] @ place
    return view


def project(matrix: Array, points: Array) -> Array:
    """Points [N, 3] through a projection [4, 4], divided by their depth: [N, 3]."""
    mapped = _homogeneous(points) @ matrix.T
    return np.asarray(mapped[:, :3] / mapped[:, 3:])


def depth_in_metres(buffer: Array) -> Array:
    """Values of a depth buffer, 0 to 1, as distances along the camera's axis."""
    return 2 * FAR * NEAR / (FAR + NEAR - (2 * buffer - 1) * (FAR - NEAR))


def _homogeneous(points: Array) -> Array:
    return np.concatenate([points, np.ones((len(points), 1))], 1)


def _perspective(degrees: float) -> Array:
    """A projection [4, 4] of a square field of view."""
    focal = 1 / np.tan(np.radians(degrees) / 2)
    matrix = np.diag([focal, focal, (FAR + NEAR) / (NEAR - FAR), 0])
    matrix[2, 3], matrix[3, 2] = 2 * FAR * NEAR / (NEAR - FAR), -1
    return matrix
