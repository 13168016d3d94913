"""Drawing a scene with OpenGL around a person whose shadow map is there."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from pg2.rendering.blur import blurred
from pg2.rendering.camera import Camera, look_at
from pg2.rendering.geometry import Array
from pg2.rendering.scenes.pieces import Finish, Piece
from pg2.rendering.scenes.scene import Scene
from pg2.rendering.shading import SHADOW_MAP, Renderer, set_uniforms

_FAR = 600.0
_SHADOW_MAP, _SOFT_MAP = 1024, 256
# The place that things throw shadows on, around a point: metres to its rim, and to what is highest.
_REACH, _AROUND = 9.0, (0.0, 3.0, 1.5)
_FRAGMENTS = ("noise.frag", "scene_inputs.frag", "light.frag", "scene.frag")
_INPUTS = ("position", "normal", "uv", "colour_a", "colour_b", "params")


@dataclass(frozen=True, eq=False)
class LoadedScene:
    """A scene on the graphics device.

    Attributes:
        scene: what it was made of.
        behind, before: of each finish the program and what it draws.
        seen_from_light: [4, 4], the projection of the scene's shadow map.
    """

    scene: Scene
    behind: list[tuple[Any, Any]]
    before: list[tuple[Any, Any]]
    seen_from_light: Array


class SceneDrawer:
    """Draws scenes on the device of a renderer, in linear light."""

    def __init__(self, renderer: Renderer) -> None:
        """Make what is drawn into; programs are made when a finish is first met."""
        self._renderer, context = renderer, renderer.context
        size = renderer.size[::-1]
        self._fine = context.framebuffer(
            [context.texture(size, 4, samples=4, dtype="f2")], context.depth_texture(size, samples=4)
        )
        self._plain = context.framebuffer([context.texture(size, 4, dtype="f2")])
        self._shadow_map = context.depth_texture((_SHADOW_MAP, _SHADOW_MAP))
        self._shadow_map.compare_func = ""
        self._shadow_picture = context.framebuffer([], self._shadow_map)
        self._shadow = renderer.program("scene.vert", "shadow.frag")
        self._soft_shadow = context.texture((_SOFT_MAP, _SOFT_MAP), 3, dtype="f2")
        self._soft_shadow.repeat_x = self._soft_shadow.repeat_y = False
        self._programs: dict[Finish, Any] = {}

    @contextmanager
    def loaded(self, scene: Scene) -> Iterator[LoadedScene]:
        """Bring a scene to the device, for the length of a `with` statement."""
        resources: list[Any] = []
        try:
            behind, before = (self._load(pieces, resources) for pieces in (scene.behind, scene.before))
            matrix = _seen_from(scene.light.direction)
            self._throw_shadows([piece for piece in scene.behind if piece.throws], matrix)
            yield LoadedScene(scene, behind, before, matrix)
        finally:
            for resource in reversed(resources):
                resource.release()

    def draw(
        self, loaded: LoadedScene, camera: Camera, person_from_light: Array, feet: Array
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32] | None]:
        """Draw a scene with the shadow of the person who was drawn last.

        Args:
            loaded: what `loaded` gave.
            camera: which sees it.
            person_from_light: [4, 4], the projection of the person's shadow map.
            feet: [2, 4], where on the floor both feet stand (x, y), how dark it is there, how wide in metres.

        Returns:
            What is behind, [H, W, 4]: linear RGB, and the distance in metres; and what is before the person,
            [H, W, 4], colour multiplied by alpha, or None where there is nothing.
        """
        scene = loaded.scene
        uniforms = {
            **scene.light.uniforms(),
            "projection": camera.reaching(_FAR),
            "light_projection": person_from_light,
            "scene_light_projection": loaded.seen_from_light,
            "soft_shadow": 0,
            "scene_shadow_map": 1,
            "camera": camera.place,
            "feet": feet,
            "haze": scene.haze,
            "haze_colour": (scene.light.sky * 0.4 + 0.4 * scene.light.level),
        }
        self._soften(scene.light.softness)
        self._soft_shadow.use(0)
        self._shadow_map.use(1)
        behind = self._drawn(loaded.behind, uniforms | {"with_distance": 1.0})
        if not loaded.before:
            return behind, None
        return behind, self._drawn(loaded.before, uniforms | {"with_distance": 0.0})

    def _soften(self, softness: float) -> None:
        """Make the person's shadow as soft as the light is: sharper near them, wider far from them."""
        raw = np.frombuffer(self._renderer.shadow_map.read(), np.float32)
        side = SHADOW_MAP // _SOFT_MAP
        depth = (
            raw.reshape(_SOFT_MAP, side, _SOFT_MAP, side)
            .transpose(0, 2, 1, 3)
            .reshape(_SOFT_MAP, _SOFT_MAP, -1)
        )
        there = depth < 1
        covered = there.mean(-1, dtype=np.float32)
        total = np.where(there, depth, 0).mean(-1, dtype=np.float32)
        texels = max(softness / side, 0.4)
        near, far = (blurred(covered, texels * wider) for wider in (0.6, 3.0))
        share = blurred(covered, texels * 3.0 + 4)
        # How far from the light the person is there, also beside them.
        distance = blurred(total, texels * 3.0 + 4) / np.maximum(share, 1e-3)
        self._soft_shadow.write(np.stack([near, far, distance], -1).astype("f2").tobytes())

    def _drawn(self, parts: list[tuple[Any, Any]], uniforms: dict[str, Any]) -> npt.NDArray[np.float32]:
        self._fine.use()
        self._fine.clear(0, 0, 0, 0, depth=1.0)
        for program, part in parts:
            set_uniforms(program, **uniforms)
            part.render()
        self._renderer.context.copy_framebuffer(self._plain, self._fine)
        raw = np.frombuffer(self._plain.read(components=4, dtype="f2"), np.float16)
        return raw.reshape(*self._renderer.size, 4)[::-1].astype(np.float32)

    def _load(self, pieces: Sequence[Piece], resources: list[Any]) -> list[tuple[Any, Any]]:
        parts = []
        ordered = sorted(pieces, key=lambda piece: piece.paint.finish)
        for finish, same in groupby(ordered, key=lambda piece: piece.paint.finish):
            if finish not in self._programs:
                self._programs[finish] = self._renderer.program("scene.vert", *_FRAGMENTS, FINISH=int(finish))
            program = self._programs[finish]
            parts.append((program, self._array(program, list(same), resources)))
        return parts

    def _array(self, program: Any, pieces: list[Piece], resources: list[Any]) -> Any:
        context = self._renderer.context
        buffer = context.buffer(np.concatenate([piece.rows() for piece in pieces]).tobytes())
        array = context.vertex_array(program, [(buffer, "3f 3f 2f 3f 3f 2f", *_INPUTS)], skip_errors=True)
        resources += [buffer, array]
        return array

    def _throw_shadows(self, pieces: list[Piece], matrix: Array) -> None:
        self._shadow_picture.use()
        self._shadow_picture.clear(depth=1.0)
        if not pieces:
            return
        resources: list[Any] = []
        array = self._array(self._shadow, pieces, resources)
        set_uniforms(self._shadow, projection=matrix)
        array.render()
        for resource in reversed(resources):
            resource.release()


def _seen_from(direction: Array) -> Array:
    """The surroundings of the person as the key light sees them, [4, 4]; parallel."""
    centre = np.array(_AROUND)
    away = 2.5 * _REACH
    projection = np.diag([1 / _REACH, 1 / _REACH, -1 / away, 1.0]) @ look_at(
        centre + direction * away, centre
    )
    projection[2, 3] -= 1.0
    return np.asarray(projection)
