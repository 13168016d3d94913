"""Drawing a person with OpenGL, without a screen (EGL): one key light with a shadow map, fill and sky."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import moderngl
import numpy as np
import numpy.typing as npt

from pg2.errors import Pg2Error
from pg2.io.packaged import SHADERS
from pg2.rendering.camera import Camera, depth_in_metres, look_at
from pg2.rendering.geometry import Array, normals, unit
from pg2.rendering.layers import Kind, Layer

DEBIAN_PACKAGES = "libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri"
"""What a bare Debian or Ubuntu needs to draw without a screen."""

# Drivers, Mesa's and NVIDIA's, would keep what they compile in the home.
for _name, _value in {"MESA_SHADER_CACHE_DISABLE": "true", "__GL_SHADER_DISK_CACHE": "0"}.items():
    os.environ.setdefault(_name, _value)

_SHADOW_MAP = 512
_SURFACE_INPUTS = ("pattern_place", "colour", "inside", "rest")


@dataclass(frozen=True, eq=False)
class Light:
    """The light of one picture.

    Attributes:
        direction: unit vector [3] towards the key light.
        power: of the key light; about 0.7.
        ambient: light from everywhere; about 0.3.
    """

    direction: Array
    power: float
    ambient: float


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn person.

    Attributes:
        rgba: float32 [H, W, 4], 0 to 1, colour multiplied by alpha.
        depth: float64, distances along the camera's axis in metres, at a multiple of the picture's size;
            without hair.
        surface: float32 [H / 2, W / 2, 4], what is seen at the centre of each square of 2 x 2 pixels: its
            coordinates at rest in metres, and the number of its layer from 1; zeros where nobody is. None if
            the renderer was opened without.
    """

    rgba: npt.NDArray[np.float32]
    depth: Array
    surface: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, eq=False)
class Loaded:
    """A layer on the graphics device.

    Attributes:
        layer: what it was made of.
        number: which of the person's layers it is, from 1.
        moving: buffer of its posed vertices and normals.
        surface, shadow: what draws it, in colour and into the shadow map.
    """

    layer: Layer
    number: int
    moving: Any
    surface: Any
    shadow: Any


class Renderer:
    """Draws people of one picture size; use it in a `with` statement.

    Attributes:
        size: (height, width) of the pictures in pixels.
    """

    def __init__(self, size: tuple[int, int], supersampling: int = 2, surface: bool = False) -> None:
        """Open the device.

        Args:
            size: (height, width) of the pictures, even.
            supersampling: each pixel is the mean of so many pixels squared.
            surface: also tell which place on the person is seen where; see `Drawing`.

        Raises:
            Pg2Error: there is no EGL to draw with.
        """
        self.size, self._finer = size, supersampling
        try:
            self._context = moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
        except Exception as error:  # of no narrower type: the backend raises Exception itself
            raise Pg2Error(
                f"cannot draw without a screen: EGL does not work here ({error}); "
                f"on Debian or Ubuntu: apt-get install {DEBIAN_PACKAGES}"
            ) from error
        self._surface = self._program("surface.frag")
        self._shadow = self._program("shadow.frag")
        fine = (size[1] * supersampling, size[0] * supersampling)
        self._depth = self._context.depth_texture(fine)
        self._picture = self._context.framebuffer([self._context.texture(fine, 4)], self._depth)
        self._surface_picture: Any | None = None
        if surface:
            half = (size[1] // 2, size[0] // 2)
            # Drawn apart from the picture, which stays what it is without, and exactly at the centres.
            targets = [self._context.texture(half, 4), self._context.texture(half, 4, dtype="f4")]
            self._surface_picture = self._context.framebuffer(targets, self._context.depth_texture(half))
        self._shadow_map = self._context.depth_texture((_SHADOW_MAP, _SHADOW_MAP))
        self._shadow_map.compare_func = ""
        self._shadow_picture = self._context.framebuffer([], self._shadow_map)
        self._context.enable(moderngl.DEPTH_TEST)

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._context.release()

    @contextmanager
    def loaded(self, layers: Sequence[Layer]) -> Iterator[list[Loaded]]:
        """Bring layers to the device, for the length of a `with` statement."""
        # Outer garments first: what they hide need not be shaded. Hair last: see `draw`.
        ordered = sorted(
            enumerate(layers, 1),
            key=lambda one: (one[1].material.kind == Kind.HAIR, -one[1].material.outer),
        )
        resources: list[Any] = []
        try:
            yield [self._load(one, number, resources) for number, one in ordered]
        finally:
            for resource in reversed(resources):
                resource.release()

    def draw(
        self,
        loaded: Sequence[Loaded],
        posed: Sequence[Array],
        camera: Camera,
        light: Light,
        scale: float,
    ) -> Drawing:
        """Draw a person in a pose.

        Args:
            loaded: what `loaded` gave.
            posed: of each of these the posed vertices [N, 3].
            camera: which sees them.
            light: which falls on them.
            scale: of the figure, 1 for a stature of 1.65 m.
        """
        for one, vertices in zip(loaded, posed, strict=True):
            normal = normals(vertices, one.layer.faces)
            moving = np.concatenate([vertices, normal], 1)[one.layer.source]
            one.moving.write(moving.astype("f4").tobytes())
        light_projection = _light_projection(loaded, posed, light.direction)
        self._shadow_picture.use()
        self._shadow_picture.clear(depth=1.0)
        _set(self._shadow, projection=light_projection)
        for one in loaded:
            one.shadow.render()
        self._picture.use()
        self._picture.clear(0, 0, 0, 0, depth=1.0)
        self._shadow_map.use(0)
        _set(
            self._surface,
            projection=camera.projection,
            light_projection=light_projection,
            shadow_map=0,
            camera=camera.place,
            key_light=light.direction,
            fill_light=unit(np.array([-light.direction[0], -0.7, 0.15])),
            key_power=light.power,
            ambient=light.ambient,
            figure_scale=scale,
        )
        depth: Array | None = None
        for one in loaded:
            if depth is None and one.layer.material.kind == Kind.HAIR:
                depth = self._distances()
            self._draw_layer(one)
        if depth is None:
            depth = self._distances()
        return Drawing(self._rgba(), depth, self._seen_surface(loaded))

    def _program(self, fragment: str) -> Any:
        return self._context.program(
            vertex_shader=(SHADERS / "surface.vert").read_text(),
            fragment_shader=(SHADERS / fragment).read_text(),
        )

    def _load(self, one: Layer, number: int, resources: list[Any]) -> Loaded:
        rest = one.vertices[one.source]
        still = np.concatenate([one.pattern_place, one.colour, one.inside[:, None], rest], 1).astype("f4")
        moving = self._context.buffer(reserve=len(one.source) * 24, dynamic=True)
        fixed = self._context.buffer(still.tobytes())
        faces = self._context.buffer(one.drawn_faces.astype("i4").tobytes())
        resources += [moving, fixed, faces]
        surface = self._context.vertex_array(
            self._surface,
            [(moving, "3f 3f", "position", "normal"), (fixed, "3f 3f 1f 3f", *_SURFACE_INPUTS)],
            faces,
        )
        shadow = self._context.vertex_array(
            self._shadow, [(moving, "3f 12x", "position"), (fixed, "24x 1f 12x", "inside")], faces
        )
        resources += [surface, shadow]
        return Loaded(one, number, moving, surface, shadow)

    def _draw_layer(self, one: Loaded) -> None:
        material = one.layer.material
        _set(
            self._surface,
            kind=int(material.kind),
            pattern=material.pattern,
            hem=material.hem,
            second=material.second,
            logo=material.logo,
            eye=material.eye,
            scale=material.scale,
            fold=material.fold,
            seed=material.seed,
            layer=float(one.number),
        )
        one.surface.render()

    def _seen_surface(self, loaded: Sequence[Loaded]) -> npt.NDArray[np.float32] | None:
        """`Drawing.surface`, of what was drawn last."""
        if self._surface_picture is None:
            return None
        self._surface_picture.use()
        self._surface_picture.clear(0, 0, 0, 0, depth=1.0)
        for one in loaded:
            self._draw_layer(one)
        raw = np.frombuffer(self._surface_picture.read(components=4, attachment=1, dtype="f4"), np.float32)
        return raw.reshape(self.size[0] // 2, self.size[1] // 2, 4)[::-1]

    def _rgba(self) -> npt.NDArray[np.float32]:
        height, width, finer = *self.size, self._finer
        raw = np.frombuffer(self._picture.read(components=4), np.uint8)
        upright = raw.reshape(height * finer, width * finer, 4)[::-1]
        blocks = upright.astype(np.float32).reshape(height, finer, width, finer, 4)
        rgba: npt.NDArray[np.float32] = blocks.mean((1, 3)) / np.float32(255)
        return rgba

    def _distances(self) -> Array:
        height, width, finer = *self.size, self._finer
        raw = np.frombuffer(self._depth.read(), np.float32).reshape(height * finer, width * finer)
        return depth_in_metres(raw[::-1].astype(np.float64))


def _light_projection(loaded: Sequence[Loaded], posed: Sequence[Array], direction: Array) -> Array:
    """The person as the key light sees them, [4, 4]; parallel, as from far away."""
    seen = np.concatenate([vertices[one.layer.framing] for one, vertices in zip(loaded, posed, strict=True)])
    low, high = seen.min(0), seen.max(0)
    centre = (low + high) / 2
    radius = np.linalg.norm(high - low) / 2 * 1.02
    projection = np.diag([1 / radius, 1 / radius, -1 / 4.0, 1.0]) @ look_at(centre + direction * 3, centre)
    projection[2, 3] -= 0.75
    return np.asarray(projection)


def _set(program: Any, **uniforms: Any) -> None:
    """Set the uniforms of a program; matrices [4, 4] are given row by row."""
    for name, value in uniforms.items():
        if isinstance(value, np.ndarray) and value.ndim == 2:
            program[name].write(value.T.astype("f4").tobytes())
        else:
            program[name].value = tuple(map(float, value)) if np.ndim(value) else value
