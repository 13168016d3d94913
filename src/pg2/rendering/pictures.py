"""The pictures of one person: all drawn from (seed, person), so that any process makes the same ones."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pg2.rendering.backgrounds import foot_shadows, street, studio
from pg2.rendering.body import BodyModel
from pg2.rendering.camera import draw_camera, visible_keypoints
from pg2.rendering.geometry import Array, skinned, unit
from pg2.rendering.options import RenderOptions
from pg2.rendering.person import Person, draw_person
from pg2.rendering.photographs import PhotoSession
from pg2.rendering.picture import Picture
from pg2.rendering.poses import draw_pose, draw_views
from pg2.rendering.shading import Light, Loaded, Renderer


class Photographer:
    """Makes the pictures of people, one after the other; use it in a `with` statement."""

    def __init__(self, options: RenderOptions) -> None:
        """Read the body model and open the graphics device (some seconds).

        Raises:
            Pg2Error: the body model or EGL is missing.
        """
        self.options = options
        self._model = BodyModel()
        photo = options.look == "photo"
        self._renderer = Renderer(options.size, surface=options.geometry, photo=photo)
        self._photos = PhotoSession(options, self._model, self._renderer) if photo else None

    def __enter__(self) -> "Photographer":
        self._renderer.__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        self._renderer.__exit__(*error)

    def photograph(self, index: int) -> tuple[dict[str, Any], Iterator[Picture]]:
        """Person number `index`.

        Returns:
            Their attributes, for JSON, and their pictures, each made when it is asked for.
        """
        if self._photos is not None:
            return self._photos.photograph(index)
        rng = np.random.default_rng([self.options.seed, index])
        person = draw_person(self._model, rng)
        paper = 1 + rng.uniform(-0.012, 0.012, 3)
        views = draw_views(self.options.poses, rng)
        return person.attributes.record(), self._pictures(index, person, views, paper)

    def _pictures(self, index: int, person: Person, views: list[str], paper: Array) -> Iterator[Picture]:
        with self._renderer.loaded(person.layers) as layers:
            for number, view in enumerate(views):
                rng = np.random.default_rng([self.options.seed, index, number])
                yield self._picture(person, layers, view, paper, rng)

    def _picture(
        self, person: Person, layers: list[Loaded], view: str, paper: Array, rng: np.random.Generator
    ) -> Picture:
        options, figure = self.options, person.figure
        pose = draw_pose(person, view, rng)
        upper = options.framing == "mixed" and rng.uniform() < 0.25
        light = _draw_light(options.look, rng)
        posed = [skinned(one.layer.vertices, one.layer.weights, pose.bones) for one in layers]
        seen = np.concatenate(
            [vertices[one.layer.framing] for one, vertices in zip(layers, posed, strict=True)]
        )
        keypoints = figure.posed_keypoints(pose.bones)
        camera = draw_camera(seen, keypoints, options.size, upper, rng)
        drawing = self._renderer.draw(layers, posed, camera, light, figure.scale)
        shadows = foot_shadows(camera, keypoints, floor=float(seen[:, 2].min()))
        if options.look == "studio":
            behind = studio(options.size, shadows, paper)
        else:
            behind = street(options.size, shadows, rng)
        mask = drawing.rgba[..., 3]
        colour = np.clip(drawing.rgba[..., :3] + behind * (1 - mask[..., None]), 0, 1)
        return Picture(
            image=(colour * 255 + 0.5).astype(np.uint8),
            mask=mask,
            points=visible_keypoints(camera, keypoints, drawing.depth, figure.scale),
            record={
                "view": view,
                "yaw": round(pose.yaw, 1),
                "pose": pose.name,
                "framing": "upper" if upper else "full",
            },
            surface=drawing.surface,
        )


def _draw_light(look: str, rng: np.random.Generator) -> Light:
    """A key light from the front and above; in a studio it is always as bright."""
    direction = unit(np.array([rng.uniform(-0.75, 0.75), -0.85, rng.uniform(0.55, 0.85)]))
    if look == "studio":
        return Light(direction, power=0.72, ambient=0.30)
    return Light(direction, power=rng.uniform(0.5, 0.85), ambient=rng.uniform(0.2, 0.4))
