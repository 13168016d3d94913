"""Drawing a person with OpenGL, without a screen (EGL): one key light with a shadow map, fill and sky.

The studio has one program for all surfaces, and gives pixels as they are shown; photographs have one for each
kind of surface, and give linear light, of which `film` makes a picture.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Protocol

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

SHADOW_MAP = 512
"""Texels to a side of the shadow map of a person."""

_STUDIO, _PHOTO = (
    ("noise.frag", "person.frag", "studio.frag"),
    ("noise.frag", "person.frag", "light.frag", "photo.frag"),
)
_SURFACE_INPUTS = ("pattern_place", "colour", "inside", "rest")


class AnyLight(Protocol):
    """What falls on a person: of the studio (`Light`) or of a photograph (`scenes.light`)."""

    @property
    def direction(self) -> Array:
        """Unit vector [3] towards the key light."""

    def uniforms(self) -> dict[str, Any]:
        """As the shaders take it."""


@dataclass(frozen=True, eq=False)
class Light:
    """The light of one picture in the studio or before a street.

    Attributes:
        direction: unit vector [3] towards the key light.
        power: of the key light; about 0.7.
        ambient: light from everywhere; about 0.3.
    """

    direction: Array
    power: float
    ambient: float

    def uniforms(self) -> dict[str, Any]:
        """As studio.frag takes it."""
        return {
            "key_light": self.direction,
            "fill_light": unit(np.array([-self.direction[0], -0.7, 0.15])),
            "key_power": self.power,
            "ambient": self.ambient,
        }


@dataclass(frozen=True, eq=False)
class Drawing:
    """A drawn person.

    Attributes:
        rgba: float32 [H, W, 4], colour multiplied by alpha, 0 to 1; of photographs linear and without
            an upper bound.
        depth: float64, distances along the camera's axis in metres, at a multiple of the picture's size;
            without hair.
        with_hair: the same with hair.
        seen_from_light: [4, 4], the projection of the shadow map.
        surface: float32 [H / 2, W / 2, 4], what is seen at the centre of each square of 2 x 2 pixels: its
            coordinates at rest in metres, and the number of its layer from 1; zeros where nobody is. None if
            the renderer was opened without.
    """

    rgba: npt.NDArray[np.float32]
    depth: Array
    with_hair: Array
    seen_from_light: Array
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
        context: the device.
        shadow_map: what of the person the key light sees, after `draw`.
    """

    def __init__(
        self, size: tuple[int, int], supersampling: int = 2, surface: bool = False, photo: bool = False
    ) -> None:
        """Open the device.

        Args:
            size: (height, width) of the pictures, even.
            supersampling: each pixel is the mean of so many pixels squared.
            surface: also tell which place on the person is seen where; see `Drawing`.
            photo: draw for photographs.

        Raises:
            Pg2Error: there is no EGL to draw with.
        """
        self.size, self._finer = size, supersampling
        try:
            self.context = moderngl.create_context(standalone=True, backend="egl")  # type: ignore[arg-type]
        except Exception as error:  # of no narrower type: the backend raises Exception itself
            raise Pg2Error(
                f"cannot draw without a screen: EGL does not work here ({error}); "
                f"on Debian or Ubuntu: apt-get install {DEBIAN_PACKAGES}"
            ) from error
        self._photo = photo
        self._programs: dict[Kind, Any] = {}
        self._shadow = self.program("surface.vert", "shadow.frag")
        fine = (size[1] * supersampling, size[0] * supersampling)
        self._depth = self.context.depth_texture(fine)
        pixels = self.context.texture(fine, 4, dtype="f2" if photo else "f1")
        self._picture = self.context.framebuffer([pixels], self._depth)
        self._surface_picture: Any | None = None
        if surface:
            half = (size[1] // 2, size[0] // 2)
            # Drawn apart from the picture, which stays what it is without, and exactly at the centres.
            targets = [self.context.texture(half, 4), self.context.texture(half, 4, dtype="f4")]
            self._surface_picture = self.context.framebuffer(targets, self.context.depth_texture(half))
        self.shadow_map = self.context.depth_texture((SHADOW_MAP, SHADOW_MAP))
        self.shadow_map.compare_func = ""
        self._shadow_picture = self.context.framebuffer([], self.shadow_map)
        self.context.enable(moderngl.DEPTH_TEST)

    def __enter__(self) -> "Renderer":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.context.release()

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
        light: AnyLight,
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
        set_uniforms(self._shadow, projection=light_projection)
        for one in loaded:
            one.shadow.render()
        self._picture.use()
        self._picture.clear(0, 0, 0, 0, depth=1.0)
        self.shadow_map.use(0)
        for program in {self._program_of(one.layer.material.kind) for one in loaded}:
            set_uniforms(
                program,
                projection=camera.projection,
                light_projection=light_projection,
                shadow_map=0,
                camera=camera.place,
                figure_scale=scale,
                **light.uniforms(),
            )
        depth: Array | None = None
        for one in loaded:
            if depth is None and one.layer.material.kind == Kind.HAIR:
                depth = self._distances()
            self._draw_layer(one)
        with_hair = self._distances() if depth is None or self._photo else depth
        if depth is None:
            depth = with_hair
        return Drawing(self._rgba(), depth, with_hair, light_projection, self._seen_surface(loaded))

    def program(self, vertex: str, *fragments: str, **defined: int) -> Any:
        """A program of files of `SHADERS`; the second shader is made of all `fragments`."""
        head = "".join(f"#define {name} {value}\n" for name, value in defined.items())
        return self.context.program(
            vertex_shader=(SHADERS / vertex).read_text(),
            fragment_shader="\n".join(
                ["#version 330", head, *((SHADERS / one).read_text() for one in fragments)]
            ),
        )

    def _program_of(self, kind: Kind) -> Any:
        """What draws a kind of surface."""
        if kind not in self._programs:
            if self._photo:
                self._programs[kind] = self.program("surface.vert", *_PHOTO, KIND=int(kind))
            else:
                self._programs = dict.fromkeys(Kind, self.program("surface.vert", *_STUDIO))
        return self._programs[kind]

    def _load(self, one: Layer, number: int, resources: list[Any]) -> Loaded:
        rest = one.vertices[one.source]
        still = np.concatenate([one.pattern_place, one.colour, one.inside[:, None], rest], 1).astype("f4")
        moving = self.context.buffer(reserve=len(one.source) * 24, dynamic=True)
        fixed = self.context.buffer(still.tobytes())
        faces = self.context.buffer(one.drawn_faces.astype("i4").tobytes())
        resources += [moving, fixed, faces]
        surface = self.context.vertex_array(
            self._program_of(one.material.kind),
            [(moving, "3f 3f", "position", "normal"), (fixed, "3f 3f 1f 3f", *_SURFACE_INPUTS)],
            faces,
            skip_errors=True,  # a kind of surface need not use all of them
        )
        shadow = self.context.vertex_array(
            self._shadow, [(moving, "3f 12x", "position"), (fixed, "24x 1f 12x", "inside")], faces
        )
        resources += [surface, shadow]
        return Loaded(one, number, moving, surface, shadow)

    def _draw_layer(self, one: Loaded) -> None:
        material = one.layer.material
        set_uniforms(
            self._program_of(material.kind),
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
            fabric=material.fabric,
            front=material.front,
            grain=material.grain,
            brow=material.brow,
            waves=material.waves,
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
        raw = np.frombuffer(
            self._picture.read(components=4, dtype="f2" if self._photo else "f1"),
            np.float16 if self._photo else np.uint8,
        )
        upright = raw.reshape(height * finer, width * finer, 4)[::-1]
        blocks = upright.astype(np.float32).reshape(height, finer, width, finer, 4)
        rgba: npt.NDArray[np.float32] = blocks.mean((1, 3)) / np.float32(1 if self._photo else 255)
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


def set_uniforms(program: Any, **uniforms: Any) -> None:
    """Set those uniforms that a program has; matrices [4, 4] are given row by row."""
    for name, value in uniforms.items():
        uniform = program.get(name, None)
        if uniform is None:
            continue
        if isinstance(value, np.ndarray) and value.shape == (4, 4):
            uniform.write(value.T.astype("f4").tobytes())
        elif isinstance(value, np.ndarray) and value.ndim == 2:
            uniform.write(value.astype("f4").tobytes())
        else:
            uniform.value = tuple(map(float, value)) if np.ndim(value) else value
