"""What a camera makes of light: depth of field, exposure, colour balance, noise, sharpness, blur."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
from scipy.ndimage import convolve, gaussian_filter, uniform_filter1d

from pg2.io.pixels import Image8
from pg2.rendering.blur import blurred
from pg2.rendering.camera import FAR
from pg2.rendering.geometry import Array
from pg2.rendering.scenes.light import SceneLight

Floats = npt.NDArray[np.float32]

_BLURS = (0.0, 1.0, 2.4, 5.0, 10.0)  # pixels, from which all others are mixed


@dataclass(frozen=True, eq=False)
class Film:
    """How a camera develops; one a person.

    Attributes:
        exposure: what linear light is multiplied by.
        balance: [3], what each channel is multiplied by: the camera's guess of the light's colour.
        contrast, saturation: 0 and 1 change nothing.
        vignette: how much darker the corners are, 0 to 1.
        noise: standard deviation in linear light of a surface that reflects 18 %.
        coarse: of the noise's colour, in pixels.
        soft: blur of the lens, in pixels at a height of 256.
        crisp: how much the camera sharpens.
        aperture: of the lens, in metres: by this things out of focus are blurred.
        quality, subsampling: of the JPEG.
        shake: how often a picture is blurred by movement.
    """

    exposure: float
    balance: Array
    contrast: float
    saturation: float
    vignette: float
    noise: float
    coarse: float
    soft: float
    crisp: float
    aperture: float
    quality: int
    subsampling: int
    shake: float


def draw_film(light: SceneLight, rng: np.random.Generator) -> Film:
    """Draw a camera and its settings for a light."""
    u = rng.uniform
    seen = light.key * 0.5 + (light.sky + light.ground) / 2
    balance = (seen.mean() / seen) ** u(0.55, 1.0) * (1 + u(-0.04, 0.04, 3))
    telephone = u() < 0.65
    inside = light.name in ("window", "lamps", "flash", "daylight")
    return Film(
        exposure=float(2 ** u(-0.6, 0.25) / light.level),
        balance=balance / balance.mean(),
        contrast=float(u(0.05, 0.5)),
        saturation=float(u(0.75, 1.15)),
        vignette=float(u(0, 0.3) ** 1.5),
        noise=float(np.exp(u(np.log(0.0015), np.log(0.013 if inside else 0.007)))),
        coarse=float(u(0.5, 1.6)),
        soft=float(u(0.2, 0.9)),
        crisp=float(u(0.0, 0.9) if telephone else u(0, 0.3)),
        aperture=float(
            np.exp(u(np.log(0.002), np.log(0.006)) if telephone else u(np.log(0.008), np.log(0.045)))
        ),
        quality=int(u(60, 96)),
        subsampling=2 if u() < 0.7 else 0,
        shake=float(u(0, 0.25)),
    )


def hollows(distance: Array, covered: Floats, focal: float) -> Floats:
    """How much light from around reaches each pixel of a person, 0 to 1, [H, W]: less between limbs and body.

    Where a pixel lies farther away than what is around it, something stands out beside it.

    Args:
        distance: [H, W] in metres.
        covered: [H, W], 0 to 1, where the person is.
        focal: pixels to a radian.
    """
    # At its rim a pixel may hold the person, and yet the middle of it what is behind.
    there = ((covered > 0.5) & (distance < 0.95 * FAR)).astype(np.float32)
    if not there.any():
        return np.ones_like(covered)
    depth = np.where(there > 0, distance, 0).astype(np.float32)
    scale = focal / float(depth.sum() / there.sum())  # pixels to a metre
    light = np.ones_like(covered)
    for reach, darkest in ((0.035, 0.35), (0.11, 0.40)):
        width = float(np.clip(reach * scale, 0.6, 24))
        near, share = blurred(depth, width), blurred(there, width)
        behind = np.clip((depth - near / np.maximum(share, 1e-3)) / reach, 0, 1) * there
        light *= 1 - darkest * behind
    return light


def develop(
    person: Floats,
    behind: Floats,
    before: tuple[Floats, float] | None,
    focus: float,
    focal: float,
    film: Film,
    rng: np.random.Generator,
) -> tuple[Image8, Floats]:
    """Make a picture.

    Args:
        person: [H, W, 4], linear RGB multiplied by alpha.
        behind: [H, W, 4], linear RGB, and the distance in metres.
        before: [H, W, 4], linear RGB multiplied by alpha, and its distance in metres; None: nothing is there.
        focus: distance in metres of what is sharp.
        focal: pixels to a radian.
        film: develops it.
        rng: draws noise and movement.

    Returns:
        uint8 RGB [H, W, 3], and how much of each pixel is not hidden by what is before, [H, W].
    """
    light = _out_of_focus(behind, focus, focal, film)
    light = person[..., :3] + light * (1 - person[..., 3:])
    open_ = np.ones(light.shape[:2], np.float32)
    if before is not None:
        pixels, distance = before
        blur = min(film.aperture * focal * abs(1 / distance - 1 / focus) / 2, _BLURS[-1])
        if blur > 0.3:
            pixels = blurred(pixels, blur, "nearest")
        open_ = 1 - np.clip(pixels[..., 3], 0, 1)
        light = pixels[..., :3] + light * open_[..., None]
    height = light.shape[0]
    soft = film.soft * height / 256
    light = gaussian_filter(light, (soft, soft, 0), truncate=2.5)
    if rng.uniform() < film.shake:
        light = _moved(light, float(rng.uniform(0.8, 3.2)) * height / 256, float(rng.uniform(0, np.pi)))
    light = light * (film.exposure * film.balance * _vignette(light.shape, film.vignette)).astype(np.float32)
    light = np.maximum(light + _noise(light, film, rng), 0)
    return _printed(light, film), open_


def _out_of_focus(behind: Floats, focus: float, focal: float, film: Film) -> Floats:
    """What is behind, each place blurred by how far from the sharp distance it is."""
    light, distance = behind[..., :3], np.maximum(behind[..., 3], 0.3)
    blur = np.minimum(film.aperture * focal * np.abs(1 / distance - np.float32(1 / focus)) / 2, _BLURS[-1])
    # A sharp thing does not blur where a blurred one lies behind it, but for a pixel or two.
    blur = uniform_filter1d(uniform_filter1d(blur, 3, 0), 3, 1)
    most = float(blur.max())
    if most < 0.4:
        return light
    mixed = light
    for less, more in pairwise(_BLURS):
        if less >= most:
            break
        step = blurred(light, more, "nearest")
        share = np.clip((blur - less) / (more - less), 0, 1)[..., None]
        mixed = mixed * (1 - share) + step * share
    return mixed


def _moved(light: Floats, length: float, angle: float) -> Floats:
    """Blurred along a line of `length` pixels."""
    reach = int(np.ceil(length / 2)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1), np.float32)
    for along in np.linspace(-length / 2, length / 2, 8 * reach):
        y, x = reach + along * np.sin(angle), reach + along * np.cos(angle)
        row, column = int(y), int(x)
        down, right = y - row, x - column
        kernel[row : row + 2, column : column + 2] += np.outer([1 - down, down], [1 - right, right])
    return np.asarray(convolve(light, kernel[..., None] / kernel.sum(), mode="nearest"))


def _vignette(shape: tuple[int, ...], strength: float) -> Array:
    """[H, W, 1]: 1 in the middle, darker in the corners."""
    y, x = np.linspace(-1, 1, shape[0])[:, None], np.linspace(-1, 1, shape[1])
    return np.asarray(1 - strength * ((x**2 + y**2) / 2) ** 1.5)[..., None]


def _noise(light: Floats, film: Film, rng: np.random.Generator) -> Floats:
    """Of light, which grows with its root, and of the sensor; its colour is coarser than its brightness."""
    grain = rng.standard_normal((*light.shape[:2], 4), dtype=np.float32)
    colour = gaussian_filter(grain[..., 1:], (film.coarse, film.coarse, 0), truncate=2)
    colour *= np.float32(0.6 / max(float(colour.std()), 1e-6))
    deviation = film.noise * np.sqrt(np.maximum(light, 0) / 0.18 + 0.15)
    noise: Floats = (grain[..., :1] * np.float32(0.8) + colour) * deviation.astype(np.float32)
    return noise


def _printed(light: Floats, film: Film) -> Image8:
    """Linear light as uint8 RGB: a soft shoulder, gamma, contrast, saturation, sharpening."""
    shown = (1 - np.exp(-1.55 * light)) ** np.float32(1 / 2.2)
    shown = shown + film.contrast * (shown * shown * (3 - 2 * shown) - shown)
    grey = shown @ np.array([0.299, 0.587, 0.114], np.float32)
    shown = grey[..., None] + film.saturation * (shown - grey[..., None])
    if film.crisp > 0.05:
        shown = shown + film.crisp * (shown - gaussian_filter(shown, (1, 1, 0), truncate=2))
    return np.asarray(np.clip(shown, 0, 1) * 255 + 0.5).astype(np.uint8)
