"""Whether a graph draws what its model draws: on random pictures, in random poses with points missing."""

import numpy as np
import numpy.typing as npt
import torch

from pg2.export.graph import Graph
from pg2.export.picture_model import PictureModel
from pg2.io.pixels import Image8, check_finite
from pg2.models.inputs import FETCHED, as_bytes
from pg2.pose.keypoints import Points
from pg2.pose.named import NAMES, named_pose

_PAIRS = 6
_MISSING = 0.2  # of the keypoints of every second pair
_JITTER = 0.03  # of the frame's height, by which keypoints are moved
_COARSE = 16  # pixels a side of the patches of a picture


def largest_difference(model: PictureModel, graph: Graph) -> tuple[int, float]:
    """How far apart the two are, in grey levels of all their pictures.

    The pairs go through the graph in batches of different sizes, and one of them has no pose on the source.

    Returns:
        The largest difference, and the share of values that differ by more than one level.

    Raises:
        Pg2Error: the model's own pictures are not finite, which their bytes would not show.
    """
    pictures, *poses = random_inputs(graph.description.frame, _PAIRS)
    with torch.inference_mode():
        output = model.output(*map(torch.from_numpy, (pictures, *poses)))
    check_finite(output.image, *output.pictures.values())
    expected = as_bytes(output, model.model.pictures)
    largest, values, off = 0, 0, 0
    for part in (slice(0, 1), slice(1, _PAIRS)):
        made = graph(pictures[part], *(points[part] for points in poses))
        if made.keys() != expected.keys():
            raise ValueError(f"the graph makes {list(made)}, the model {list(expected)}")
        for name, picture in made.items():
            if name == FETCHED:  # places, of which the pictures tell
                continue
            apart = np.abs(picture.astype(int) - expected[name][part].numpy())
            largest = max(largest, int(apart.max()))
            values, off = values + apart.size, off + int((apart > 1).sum())
    return largest, off / values


def random_inputs(frame: tuple[int, int], pairs: int, seed: int = 0) -> tuple[Image8, Points, Points]:
    """Pictures uint8 [pairs, H, W, 3] of patches and noise, and two poses of each, float32 [pairs, 18, 2].

    In every second pair keypoints are missing; in the last one all those of the source are.
    """
    rng = np.random.default_rng(seed)
    height, width = frame
    cells = (pairs, -(-height // _COARSE), -(-width // _COARSE), 3)
    patches = rng.integers(0, 256, cells).repeat(_COARSE, 1).repeat(_COARSE, 2)[:, :height, :width]
    noise = rng.normal(0, 12, (pairs, height, width, 3))
    pictures = (patches + noise).round().clip(0, 255).astype(np.uint8)
    sides = []
    for _ in range(2):
        points = np.stack([_pose(rng, frame) for _ in range(pairs)])
        missing = rng.random(points.shape[:2]) < _MISSING
        missing[::2] = False
        points[missing] = np.nan
        sides.append(points)
    sides[0][-1] = np.nan
    return pictures, sides[0], sides[1]


def _pose(rng: np.random.Generator, frame: tuple[int, int]) -> npt.NDArray[np.float32]:
    pose = named_pose(NAMES[rng.integers(len(NAMES))])
    assert pose.size is not None  # the shipped files have a canvas
    scale = frame[0] / pose.size[0] * rng.uniform(0.5, 1.1)
    middle = np.nanmean(pose.points, 0)
    moved = (pose.points - middle) * scale + (frame[1] / 2, frame[0] / 2)
    return np.asarray(moved + rng.normal(0, _JITTER * frame[0], moved.shape), np.float32)
