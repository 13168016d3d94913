"""Photographs of one person: one scene, one light, one camera; see `scenes`, `viewpoint`, `film`.

All is drawn from (seed, person), as for the other looks, so that any process makes the same pictures.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from pg2.pose.keypoints import KEYPOINTS, Points
from pg2.rendering.bags import hanging
from pg2.rendering.body import BodyModel
from pg2.rendering.camera import Camera, visible_keypoints
from pg2.rendering.film import Film, Floats, develop, draw_film, hollows
from pg2.rendering.geometry import Array, skinned
from pg2.rendering.options import RenderOptions
from pg2.rendering.person import Person, draw_person_of_photographs
from pg2.rendering.picture import Picture
from pg2.rendering.poses import VIEWS_OF_PHOTOGRAPHS, draw_pose, draw_views
from pg2.rendering.scenes.drawing import LoadedScene, SceneDrawer
from pg2.rendering.scenes.scene import draw_scene
from pg2.rendering.shading import Loaded, Renderer
from pg2.rendering.viewpoint import Viewpoint, draw_viewpoint

# People who label photographs see an ear also beyond the cheek.
_EARS_BEHIND = 0.085
_FACE = [KEYPOINTS.index(name) for name in ("nose", "left_eye", "right_eye", "left_ear", "right_ear")]


class PhotoSession:
    """Photographs people, one after the other, with a renderer that was opened for photographs."""

    def __init__(self, options: RenderOptions, model: BodyModel, renderer: Renderer) -> None:
        """Prepare the device for scenes."""
        self._options, self._model, self._renderer = options, model, renderer
        self._scenes = SceneDrawer(renderer)

    def photograph(self, index: int) -> tuple[dict[str, Any], Iterator[Picture]]:
        """Person number `index`: their attributes, for JSON, and their pictures, each made when asked for."""
        options = self._options
        # Apart from each other: a change in the clothes leaves the scene what it is.
        of_person, of_scene = (np.random.default_rng([options.seed, index, 1000 + part]) for part in range(2))
        person = draw_person_of_photographs(self._model, of_person)
        viewpoint = draw_viewpoint(options.framing, of_scene)
        scene = draw_scene(of_scene, viewpoint.place, viewpoint.seen)
        film = draw_film(scene.light, of_scene)
        record = person.attributes.record() | {
            "scene": {
                "place": scene.place,
                "light": scene.light.name,
                "camera": "fixed" if viewpoint.fixed else "moving",
                "distance": round(viewpoint.distance, 2),
                "occluder": bool(scene.before),
            }
        }
        views = draw_views(options.poses, of_person, VIEWS_OF_PHOTOGRAPHS)

        def pictures() -> Iterator[Picture]:
            with self._renderer.loaded(person.layers) as layers, self._scenes.loaded(scene) as loaded:
                for number, view in enumerate(views):
                    rng = np.random.default_rng([options.seed, index, number])
                    yield self._picture(person, layers, loaded, viewpoint, film, view, rng)

        return record, pictures()

    def _picture(
        self,
        person: Person,
        layers: list[Loaded],
        scene: LoadedScene,
        viewpoint: Viewpoint,
        film: Film,
        view: str,
        rng: np.random.Generator,
    ) -> Picture:
        options, figure, light = self._options, person.figure, scene.scene.light
        pose = draw_pose(person, view, rng, looks_around=True)
        camera, shot = viewpoint.frame(options.size, figure.stature, rng)
        aside, towards = rng.uniform(-0.08, 0.08), rng.uniform(-0.15, 0.15)
        bones = hanging(figure.model, pose.bones, pose.yaw, figure.heads)
        posed = [
            skinned(one.layer.vertices, one.layer.weights, bones[: one.layer.weights.shape[1]])
            for one in layers
        ]
        floor = min(
            float(vertices[one.layer.framing, 2].min()) for one, vertices in zip(layers, posed, strict=True)
        )
        # The person stands on the floor of the scene.
        to = np.array([aside, towards, -floor])
        posed = [vertices + to for vertices in posed]
        keypoints = figure.posed_keypoints(pose.bones) + to
        drawing = self._renderer.draw(layers, posed, camera, light, figure.scale)
        behind, before = self._scenes.draw(scene, camera, drawing.seen_from_light, _feet(keypoints))
        finer = drawing.with_hair.shape[0] // options.size[0]
        distance = drawing.with_hair[::finer, ::finer]
        mask = drawing.rgba[..., 3]
        lit = drawing.rgba.copy()
        lit[..., :3] *= hollows(distance, mask, camera.focal)[..., None]
        image, open_ = develop(
            lit,
            behind,
            None if before is None else (before, _distance_of(scene, camera)),
            focus=max(viewpoint.distance + towards, 0.6),
            focal=camera.focal,
            film=film,
            rng=rng,
        )
        points = visible_keypoints(camera, keypoints, drawing.depth, figure.scale, _EARS_BEHIND)
        return Picture(
            image=image,
            mask=mask * open_,
            points=_not_hidden(points, open_),
            record={"view": view, "yaw": round(pose.yaw, 1), "pose": pose.name, "framing": shot},
            surface=_open_surface(drawing.surface, open_),
            quality=film.quality,
            subsampling=film.subsampling,
        )


def _feet(keypoints: Array) -> Array:
    """Where the feet are on the floor (x, y), how dark it is below them, how wide in metres; [2, 4]."""
    rows = []
    for name in ("right_ankle", "left_ankle"):
        x, y, z = keypoints[KEYPOINTS.index(name)]
        lifted = float(np.clip((z - 0.08) / 0.25, 0, 1))
        rows.append((x, y - 0.05, 1 - 0.7 * lifted, 0.15))
    return np.array(rows)


def _distance_of(scene: LoadedScene, camera: Camera) -> float:
    """Of what is before the person, about."""
    points = np.concatenate([piece.points for piece in scene.scene.before])
    return max(float(camera.distances(points).mean()), 0.3)


def _not_hidden(points: Points, open_: Floats) -> Points:
    """The keypoints without those of a face that something hides; limbs are labelled behind it, too."""
    points = points.copy()
    for index in _FACE:
        if np.isfinite(points[index, 0]):
            column, row = points[index].astype(int)
            if open_[row, column] < 0.5:
                points[index] = np.nan
    return points


def _open_surface(surface: npt.NDArray[np.float32] | None, open_: Floats) -> npt.NDArray[np.float32] | None:
    """What is seen of the person's surface: nothing behind an occluder."""
    if surface is None:
        return None
    height, width = open_.shape
    half = open_.reshape(height // 2, 2, width // 2, 2).mean((1, 3))
    return np.where(half[..., None] >= 0.5, surface, np.float32(0))
