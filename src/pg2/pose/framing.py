"""Fitting a person into a model's frame, and the way back."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from pg2.errors import Pg2Error
from pg2.io.pictures import shrink
from pg2.io.pixels import Image8
from pg2.pose.keypoints import Pose

# How far the picture reaches beyond the outermost keypoints, as fractions of their height: the eyes and
# ears lie below the crown, the ankles above the soles.
_ABOVE, _BELOW, _ASIDE = 0.12, 0.08, 0.10
_SAME_ASPECT = 0.02
_FILLED = 0.4  # of the picture's height or width, so that also half a person counts
_SMALLEST = 4.0  # pixels


@dataclass(frozen=True)
class Framing:
    """A rectangle of a picture, of a frame's proportions, and the frame it is scaled to.

    Attributes:
        left, top, right, bottom: the rectangle in pixels of the picture; it may reach beyond the picture.
        size: (height, width) of the picture.
        frame: (height, width) that the rectangle becomes.
    """

    left: float
    top: float
    right: float
    bottom: float
    size: tuple[int, int]
    frame: tuple[int, int]

    @classmethod
    def around(cls, pose: Pose, size: tuple[int, int] | None, frame: tuple[int, int]) -> "Framing":
        """Frame the person with its pose: letterboxed around the person, nothing stretched.

        A picture that has the frame's proportions (within 2 %) and is filled by the person, or is of the
        frame's very size, is taken whole: the benchmarks' pictures are framed by their owners. `size` None:
        the picture's size is not known (a bare pose).

        Raises:
            Pg2Error: the pose has no keypoint, or lies outside the picture.
        """
        aspect = frame[1] / frame[0]
        left, top, right, bottom = pose.box
        if size is None and max(right - left, bottom - top) < _SMALLEST:
            raise Pg2Error("the pose is smaller than 4 pixels; its keypoints must be given in pixels")
        if size is not None and (right < 0 or bottom < 0 or left >= size[1] or top >= size[0]):
            raise Pg2Error(f"the pose lies outside its picture of {size[0]}x{size[1]} pixels")
        if size is not None and abs(size[1] / size[0] / aspect - 1) <= _SAME_ASPECT:
            filled = bottom - top >= _FILLED * size[0] or right - left >= _FILLED * size[1]
            if filled or size == frame:
                return cls(0, 0, size[1], size[0], size, frame)
        tall = max(bottom - top, (right - left) * 0.5, _SMALLEST)
        left, right = left - _ASIDE * tall, right + _ASIDE * tall
        top, bottom = top - _ABOVE * tall, bottom + _BELOW * tall
        high = max(bottom - top, (right - left) / aspect)
        x, y = (left + right) / 2, (top + bottom) / 2
        half_width, half_height = high * aspect / 2, high / 2
        return cls(x - half_width, y - half_height, x + half_width, y + half_height, size or frame, frame)

    @property
    def scale(self) -> tuple[float, float]:
        """Frame pixels per picture pixel, (x, y)."""
        return self.frame[1] / (self.right - self.left), self.frame[0] / (self.bottom - self.top)

    @property
    def shown(self) -> tuple[float, float, float, float]:
        """(left, top, right, bottom) of the picture, in the frame and perhaps beyond, by edges of pixels."""
        (height, width), (sx, sy) = self.size, self.scale
        return -self.left * sx, -self.top * sy, (width - self.left) * sx, (height - self.top) * sy

    def pose(self, pose: Pose) -> Pose:
        """A pose of the picture, in the frame; points that fall outside the frame become missing."""
        sx, sy = self.scale
        # Keypoints count pixel centres from 0, rectangles count pixel edges: hence the halves.
        offset = ((0.5 - self.left) * sx - 0.5, (0.5 - self.top) * sy - 0.5)
        return pose.affine((sx, sy), offset, self.frame).crop(0, 0, self.frame[1], self.frame[0])

    def image(self, image: Image8) -> Image8:
        """Cut the rectangle out of a uint8 [H, W, 3] picture and scale it to the frame, [h, w, 3].

        Where the rectangle reaches beyond the picture, the picture's edge pixels continue.
        """
        height, width = self.size
        left, top = int(np.floor(self.left)), int(np.floor(self.top))
        right, bottom = int(np.ceil(self.right)), int(np.ceil(self.bottom))
        inside = image[max(top, 0) : min(bottom, height), max(left, 0) : min(right, width)]
        sx, sy = self.scale
        # A huge picture is shrunk before it is padded, so that padding never multiplies its memory.
        factor = min(1.0, 4 * max(sx, sy))
        pads = [max(-top, 0), max(bottom - height, 0), max(-left, 0), max(right - width, 0)]
        box = np.array([self.left - left, self.top - top, self.right - left, self.bottom - top], np.float64)
        if factor < 1.0:
            inside = shrink(inside, max(round(max(inside.shape[:2]) * factor), 1))
            pads = [round(pad * factor) for pad in pads]
            box *= factor
        padded = np.pad(inside, ((pads[0], pads[1]), (pads[2], pads[3]), (0, 0)), mode="edge")
        box = np.clip(box, 0, [padded.shape[1], padded.shape[0]] * 2)
        if padded.shape[:2] == self.frame and np.allclose(box, (0, 0, self.frame[1], self.frame[0])):
            return padded
        resized = Image.fromarray(padded).resize(
            (self.frame[1], self.frame[0]), Image.Resampling.LANCZOS, box=tuple(box.tolist())
        )
        return np.asarray(resized)

    @property
    def inside(self) -> tuple[slice, slice]:
        """The rows and columns of the picture that the rectangle covers, in whole pixels; perhaps none."""
        height, width = self.size
        return (
            slice(max(round(self.top), 0), min(round(self.bottom), height)),
            slice(max(round(self.left), 0), min(round(self.right), width)),
        )

    def enlarge(self, result: npt.NDArray[np.uint8], how: Image.Resampling) -> npt.NDArray[np.uint8]:
        """What of a frame-sized uint8 [h, w] or [h, w, 3] lies `inside` the picture, at the picture's scale.

        Only that is enlarged: the rectangle may reach far beyond the picture.
        """
        rows, columns = self.inside
        corners = np.array(
            [columns.start - self.left, rows.start - self.top, columns.stop - self.left, rows.stop - self.top]
        )
        box = np.clip(corners * [*self.scale, *self.scale], 0, [self.frame[1], self.frame[0]] * 2)
        size = (columns.stop - columns.start, rows.stop - rows.start)
        return np.array(Image.fromarray(result).resize(size, how, box=tuple(box.tolist())))
