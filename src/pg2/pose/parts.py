"""Two poses -> body parts: where in the source each part of the target is to be fetched, in closed form.

A part has a frame in each pose: an origin and two axes at right angles, `along` and `across`. By the target's
frame a pixel is a place on the part; by the source's that place is a pixel there. `across` is turned over on
a body that is seen from behind; on one that is seen from the side the front has moved aside, by the depth of
the part.

All is batched, float32 whatever precision surrounds it, on any device, without a branch that depends on data.
Nothing but PyTorch is needed here, so that a model can work it out from keypoints itself.
"""

from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

PARTS = (
    "head", "trunk",
    "right_upper_arm", "right_forearm", "left_upper_arm", "left_forearm",
    "right_thigh", "right_shin", "left_thigh", "left_shin",
)  # fmt: skip
"""The ten parts, in the order of every tensor here; a forearm has its hand, a shin its foot."""

PRIOR_RANGE = (-12.0, 3.0)
"""Between these lie the log odds of `part_priors`."""

_NECK, _FACE, _NOSE_AND_EYES = 1, [0, 14, 15, 16, 17], [0, 14, 15]
_EARS = [16, 17]
_SHOULDERS, _HIPS = [2, 5], [8, 11]  # right, left
_STARTS, _ENDS = [2, 3, 5, 6, 8, 9, 11, 12], [3, 4, 6, 7, 9, 10, 12, 13]  # of the limbs

# The limb of the other side, and with whom a part moves that the source lacks; from a forearm to the head it
# takes three steps.
_OTHER_SIDE = [0, 1, 4, 5, 2, 3, 8, 9, 6, 7]
_NEIGHBOUR, _STEPS = [1, 0, 1, 2, 1, 4, 1, 6, 1, 8], 3

# Lengths in units of the body's scale S, the distance from the shoulders to the hips.
_LIMB_LENGTHS = (0.54, 0.49, 0.54, 0.49, 0.78, 0.79, 0.78, 0.79)
_NECK_TO_FACE = 1 / 2.2
_LEAN = 0.8  # the head may say that the trunk is longer than it is seen, by this much of its word
_SHORTEST = (0.2, 0.25, *(0.2 for _ in _STARTS))
_NARROWEST_TRUNK, _USUAL_TRUNK, _WIDEST_TRUNK = 0.35, 0.5, 0.61  # from the side, and from the front
_SIDEWAYS = (0.25, 0.4)  # widths: up to the first a trunk is seen from the side, from the last on it is not
_HIPS_TO_SHOULDERS = 1.4  # widths
_DEPTHS = (0.0, 0.16, 0.05, 0.02, 0.05, 0.02, 0.11, 0.09, 0.11, 0.09)  # from the axis to the surface
_TURNED_FACE = 0.1  # so far aside of the neck nose and eyes say for certain to which side the body is turned

# A part's shape: how far it reaches from its axis (a trunk from its box, a head from the middle of the face),
# how much longer than its axis it is (hands and feet), and how soft its edge is.
_RADII = (0.42, 0.16, 0.20, 0.17, 0.20, 0.17, 0.26, 0.22, 0.26, 0.22)
_LENGTHENED = (0.0, 0.0, 0.0, 0.45, 0.0, 0.45, 0.0, 0.30, 0.0, 0.30)
_EDGE = 0.06

# In units of S: from nose and eyes to the middle of a face, and from there to its edge.
_FACE_BELOW, _FACE_REACH = 0.05, 0.27
# Where its hair begins: from there aside and up, and down; and over how much.
_FACE_NARROW, _FACE_LOW, _HAIR_EDGE = 0.22, 0.12, 0.08

# (aside, down) from the middle of nose, eyes and ears, in units of S: cheeks, and where there may be hair.
_CHEEKS = ((-0.05, 0.06), (0.05, 0.06))
_HAIR = tuple((aside / 100, -up / 100) for up in range(16, 31, 2) for aside in (-10, 0, 10))

_USUAL_SCALE = 60.0  # S of a whole person in 256 pixels, about

DESCRIBED = 18 * 3 + 2
"""How many numbers `described` gives of a pose."""

_BELOW_WEIGHT = 0.3  # of the point below a face, beside one of its own
_CLEARLY = 1.02  # so much better must a mirrored head fit

# In pixels: a keypoint beyond is none; points no further apart tell no direction; no body is smaller.
_FARTHEST, _COINCIDENT, _SMALLEST = 1e6, 1e-3, 1.0


class Frames(NamedTuple):
    """The parts' frames in a batch of poses, in pixels.

    Attributes:
        origin, along, across: float32 [B, 10, 2]: where a part begins, and its axes.
        shift: float32 [B, 10, 2]: from the axis to where the middle of the front, or back, is seen.
        there: bool [B, 10]: whether the pose tells where the part is; where not, all else is 0.
        scale: float32 [B], S, the distance from the shoulders to the hips of the body seen upright.
    """

    origin: Tensor
    along: Tensor
    across: Tensor
    shift: Tensor
    there: Tensor
    scale: Tensor


class Parts(NamedTuple):
    """The parts of a batch of targets, and where their pixels come from.

    Attributes:
        matrices: float32 [B, 10, 2, 3]: target pixel (x, y, 1) -> source pixel (x, y); identity where off.
        valid: bool [B, 10]: the target has the part, and the source has it or something in its stead.
        target: the parts' frames in the target.
        scale: float32 [B], S of the source, see `Frames`.
    """

    matrices: Tensor
    valid: Tensor
    target: Frames
    scale: Tensor


class Landmarks(NamedTuple):
    """Measures of a batch of poses, float32, in pixels; NaN where they cannot be told.

    Attributes:
        points: [B, 18, 2].
        neck, face: [B, 2]: the middle of the shoulders, and of what there is of nose, eyes and ears.
        down: [B, 2], a unit vector along the trunk.
        length: [B, 1], of the trunk.
        width: [B, 1], of the trunk in units of S, below 0 where it is seen from behind.
        facing: [B, 1], to which side the face is turned: 1 is to the right of the picture, -1 to the left.
        scale: [B, 1], S.
    """

    points: Tensor
    neck: Tensor
    face: Tensor
    down: Tensor
    length: Tensor
    width: Tensor
    facing: Tensor
    scale: Tensor


class Face(NamedTuple):
    """See `source_face`; in pixels of the source, and 0 where it shows no face.

    Attributes:
        there: bool [B, 1]: whether the source shows one.
        middle: float32 [B, 2].
        lost: float32 [B, 1]: if the target turns it away, how far it reaches from there; otherwise 0.
        cheeks: float32 [B, 2, 2]: places that show skin.
        hair: float32 [B, 24, 2]: places around the forehead: some show hair, some skin or the ground.
    """

    there: Tensor
    middle: Tensor
    lost: Tensor
    cheeks: Tensor
    hair: Tensor


def part_transforms(source_keypoints: Tensor | Landmarks, target_keypoints: Tensor | Landmarks) -> Parts:
    """Where in the source each part of the target is seen.

    A part that the source lacks is fetched from the limb of the other side, or else moves with its neighbour:
    forearm with upper arm, shin with thigh, these and the head with the trunk, the trunk with the head. Two
    equal poses give the identity; mirroring both mirrors the result.

    Args:
        source_keypoints, target_keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.
    """
    source_marks, target_marks = _marks(source_keypoints), _marks(target_keypoints)
    # A trunk whose width cannot be told is taken as wide as the other, and turned the same way.
    source = _frames(source_marks, _first(source_marks.width, target_marks.width))
    target = _frames(target_marks, _first(target_marks.width, source_marks.width))

    matrices, known = _between(source, target), source.there & target.there
    head, number = _head(source_marks, target_marks), torch.arange(len(PARTS), device=known.device)
    fits = ~head.isnan().any(-1).any(-1, keepdim=True) & (number == 0)
    matrices, known = _where(fits, head[:, None], matrices), known | fits

    other = Frames(
        origin=source.origin[:, _OTHER_SIDE],
        along=source.along[:, _OTHER_SIDE],
        across=-source.across[:, _OTHER_SIDE],
        shift=source.shift[:, _OTHER_SIDE],
        there=source.there[:, _OTHER_SIDE],
        scale=source.scale,
    )
    borrowed = ~known & other.there & target.there & (number >= 2)
    matrices, known = _where(borrowed, _between(other, target), matrices), known | borrowed

    for _ in range(_STEPS):
        matrices = _where(known, matrices, matrices[:, _NEIGHBOUR])
        known = known | known[:, _NEIGHBOUR]

    valid = known & target.there
    matrices = _where(valid, matrices, torch.eye(2, 3, device=matrices.device))
    return Parts(matrices, valid, target, source.scale.nan_to_num(0.0))


def described(keypoints: Tensor | Landmarks) -> Tensor:
    """A pose as numbers around 0, for a network.

    The points relative to the neck in units of S, which of them there are, the logarithm of S, and the width
    of the trunk, which says how far the body is turned.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.

    Returns:
        float32 [B, DESCRIBED].
    """
    marks = _marks(keypoints)
    there = (~marks.points.isnan()).all(-1).float()
    points = ((marks.points - marks.neck[:, None]) / marks.scale[:, None]).nan_to_num(0.0).clamp(-9, 9)
    size = (marks.scale / _USUAL_SCALE).log().nan_to_num(0.0)
    return torch.cat((points.flatten(1), there, size, marks.width.nan_to_num(0.0)), 1)


def changed(parts: Parts, change: Tensor) -> Parts:
    """The parts after an affine change of each one's way, given in the coordinates of the part.

    Args:
        parts: of a batch of pairs.
        change: [B, 10, 2, 3], what is added to the place in the source, in units of its S, by (along, across,
            1), the place on the target's part.
    """
    along, across = _rows(parts.target)
    rows = torch.stack((along, across), 2)
    start = -(rows * (parts.target.origin + parts.target.shift)[:, :, None]).sum(-1)
    one = rows.new_tensor((0.0, 0.0, 1.0)).expand(*rows.shape[:2], 1, 3)
    local = torch.cat((torch.cat((rows, start[..., None]), -1), one), 2)
    added = change.float() @ local * parts.scale[:, None, None, None]
    return parts._replace(
        matrices=torch.where(parts.valid[..., None, None], parts.matrices + added, parts.matrices)
    )


def cell_centres(size: tuple[int, int], stride: int, device: torch.device | None = None) -> Tensor:
    """The centres of a grid's cells, float32 [h, w, 2] as (x, y) in pixels of the picture below it.

    Args:
        size: (height, width) of the picture, multiples of `stride`.
        stride: pixels to a side of a cell.
        device: where to.
    """
    rows, columns = (
        (torch.arange(side // stride, device=device, dtype=torch.float32) + 0.5) * stride - 0.5
        for side in size
    )
    shape = (len(rows), len(columns))
    return torch.stack((columns.expand(shape), rows[:, None].expand(shape)), -1)


def part_places(parts: Parts, size: tuple[int, int], stride: int = 1) -> Tensor:
    """Where in the source, by each part, the cells of a grid over the target lie.

    Args:
        parts: of a batch of pairs.
        size: (height, width) of source and target, multiples of `stride`.
        stride: pixels to a side of a cell.

    Returns:
        float32 [B, 10, h, w, 2]: (x, y) in pixels of the source, at most one picture outside of it.
    """
    x, y = cell_centres(size, stride, parts.matrices.device).unbind(-1)
    by_x, by_y, offset = parts.matrices[..., None, None].unbind(3)
    far = x.new_tensor((size[1], size[0])).view(2, 1, 1)
    return (by_x * x + by_y * y + offset).clamp(-far, 2 * far).movedim(2, -1)


def part_priors(parts: Parts, size: tuple[int, int], stride: int = 1) -> Tensor:
    """How likely it is, by the pose alone, that the target shows each part in the cells of a grid.

    A limb is a capsule, a trunk a box, a head a disc, all with soft edges. The sigmoid is a soft mask.

    Args:
        parts: of a batch of pairs.
        size: (height, width) of the target, a multiple of `stride`.
        stride: pixels to a side of a cell.

    Returns:
        float32 [B, 10, h, w]: log odds within `PRIOR_RANGE`; the lowest throughout where a part is off.
    """
    frames = parts.target
    x, y = (
        cells - start[..., None, None]
        for cells, start in zip(
            cell_centres(size, stride, frames.origin.device).unbind(-1), frames.origin.unbind(-1), strict=True
        )
    )
    along, across = (x * row[..., 0, None, None] + y * row[..., 1, None, None] for row in _rows(frames))
    long, wide = (_length(axis)[..., None] for axis in (frames.along, frames.across))
    scale = frames.scale[:, None, None, None]
    number, longer, radius = (
        values.view(-1, 1, 1)
        for values in (
            torch.arange(len(PARTS), device=along.device),
            along.new_tensor(_LENGTHENED),
            along.new_tensor(_RADII),
        )
    )
    beyond = torch.where(number == 0, along - 1, along - along.clamp_min(0).minimum(1 + longer)) * long
    beside = torch.where(number == 1, (across.abs() - 0.5).clamp_min(0), across) * wide
    odds = (radius - (beyond.square() + beside.square()).sqrt() / scale) / _EDGE
    return torch.where(parts.valid[..., None, None], odds.clamp(*PRIOR_RANGE), PRIOR_RANGE[0])


def sample(images: Tensor, places: Tensor, mode: Literal["bilinear", "bicubic"] = "bilinear") -> Tensor:
    """Pictures seen at other places; beyond its edge a picture goes on as it ends.

    Args:
        images: float [B, C, H, W].
        places: float [B, h, w, 2]: (x, y) in their pixels.
        mode: bicubic keeps fine detail between pixels, and may go a little beyond the range of `images`.

    Returns:
        float32 [B, C, h, w].
    """
    height, width = images.shape[2:]
    # x apart from y: an exported graph is slow where the last axis has two numbers.
    apart = places.float().movedim(-1, 1)
    grid = ((apart + 0.5) * (2 / apart.new_tensor((width, height)).view(2, 1, 1)) - 1).movedim(1, -1)
    return F.grid_sample(images.float(), grid, mode=mode, padding_mode="border", align_corners=False)


def source_face(source_keypoints: Tensor | Landmarks, target_keypoints: Tensor | Landmarks) -> Face:
    """The face that a source shows (nose or eyes), and whether its target turns it away (but for an ear).

    Args:
        source_keypoints, target_keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing; or their
            `landmarks`.
    """
    source, missing = _marks(source_keypoints), _marks(target_keypoints).points.isnan().any(-1)
    turned = missing[:, _NOSE_AND_EYES].all(1, keepdim=True) & ~missing[:, _EARS].all(1, keepdim=True)
    middle = _face_middle(source)
    there = ~middle.isnan().any(-1, keepdim=True)
    # To the right and downwards, for a person who stands upright. No matrix product: autocast would round it.
    right, down = ((axis * source.scale)[:, None] for axis in (_turned(source.down), source.down))
    aside, below = middle.new_tensor((*_CHEEKS, *_HAIR))[..., None].unbind(1)
    places = torch.where(there[..., None], source.face[:, None] + aside * right + below * down, 0.0)
    return Face(
        there,
        torch.where(there, middle, 0.0),
        torch.where(there & turned, _FACE_REACH * source.scale, 0.0),
        places[:, : len(_CHEEKS)],
        places[:, len(_CHEEKS) :],
    )


def around_face(keypoints: Tensor | Landmarks, size: tuple[int, int]) -> Tensor:
    """Where the hair of a head is, if it is the head that is seen: beyond the face, and not below it.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing; or their `landmarks`.
        size: (height, width) of the picture.

    Returns:
        float32 [B, 1, H, W] in [0, 1], 0 where a pose shows no face (no eye, no nose).
    """
    marks = _marks(keypoints)
    middle = _face_middle(marks)
    there = ~middle.isnan().any(-1, keepdim=True)[:, None, None]
    # Not every engine that runs an exported graph keeps NaN in a clamp.
    middle, down, scale = (
        torch.where(there, values[:, None, None], 1.0) for values in (middle, marks.down, marks.scale)
    )
    apart = cell_centres(size, 1, scale.device) - middle
    beyond = _length(apart) - _FACE_NARROW * scale
    above = _FACE_LOW * scale - (apart * down).sum(-1, keepdim=True)
    edge = _HAIR_EDGE * scale
    return (there * (beyond / edge).clamp(0, 1) * (above / edge).clamp(0, 1)).movedim(-1, 1)


def other_side(keypoints: Tensor | Landmarks, frames: Frames, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Where each pixel would lie if the trunk were seen in a mirror.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing; or their `landmarks`.
        frames: the parts' frames in that pose.
        size: (height, width) of the picture.

    Returns:
        float32 [B, H, W, 2], (x, y) in pixels; and [B, 1, 1, 1], from 0 (the trunk is seen from the side, so
        that there is no other side) to 1 (from the front or from behind).
    """
    first, last = _SIDEWAYS
    facing = ((_marks(keypoints).width.abs().nan_to_num(0.0) - first) / (last - first)).clamp(0, 1)
    trunk = PARTS.index("trunk")
    middle, across = (frames.origin + frames.shift)[:, trunk], _rows(frames)[1][:, trunk]
    pixels = cell_centres(size, 1, middle.device)
    aside = ((pixels - middle[:, None, None]) * across[:, None, None]).sum(-1, keepdim=True)
    return pixels - 2 * aside * frames.across[:, trunk, None, None], facing[..., None, None]


def stand(keypoints: Tensor | Landmarks) -> tuple[Tensor, Tensor]:
    """Where people stand, and how large they are, by whatever there is of them.

    Args:
        keypoints: [B, 18, 2], NaN where missing.

    Returns:
        float32: the neck, or else the middle of the face, [B, 2], NaN where there is neither; and S, the
        length of the trunk as it would be seen from the front, [B, 1] in pixels.
    """
    marks = _marks(keypoints)
    return _first(marks.neck, marks.face), marks.scale


def landmarks(keypoints: Tensor) -> Landmarks:
    """Measures of a pose that the other functions need: found once, they are given in place of the keypoints.

    Args:
        keypoints: float [B, 18, 2], (x, y) in pixels, NaN where missing.
    """
    # A comparison with NaN is False.
    there = (keypoints.abs() < _FARTHEST).all(-1, keepdim=True)
    points = torch.where(there, keypoints.float(), torch.nan)
    shoulders, hips = points[:, _SHOULDERS], points[:, _HIPS]
    neck = _first(shoulders.mean(1), points[:, _NECK], _mean(shoulders))
    face = _mean(points[:, _FACE])
    trunk, head = _mean(hips) - neck, neck - face

    lengths = _length(points[:, _ENDS] - points[:, _STARTS])
    by_limbs = (lengths / lengths.new_tensor(_LIMB_LENGTHS)[:, None]).nan_to_num(0.0).amax(1)
    by_head = _length(head) / _NECK_TO_FACE
    by_trunk = _at_least(_length(trunk), _LEAN * by_head.nan_to_num(0.0))
    scale = _first(by_trunk, by_head, by_limbs).clamp_min(_SMALLEST)

    down = _unit(_first(trunk, head))
    by_shoulders, by_hips = shoulders[:, 1] - shoulders[:, 0], (hips[:, 1] - hips[:, 0]) * _HIPS_TO_SHOULDERS
    across = _first((by_shoulders + by_hips) / 2, by_shoulders, by_hips)
    width, facing = (
        (vector * _turned(down)).sum(-1, keepdim=True) / scale
        for vector in (across, _mean(points[:, _NOSE_AND_EYES]) - neck)
    )
    facing = -_at_least(-_at_least(facing / _TURNED_FACE, -1.0), -1.0)
    return Landmarks(points, neck, face, down, _first(_length(trunk), scale), width, facing, scale)


def _frames(marks: Landmarks, width: Tensor) -> Frames:
    """The parts' frames in poses whose trunks are `width` wide, [B, 1] in units of S."""
    scale, width = marks.scale, _first(width, torch.full_like(width, _USUAL_TRUNK))
    side = torch.where(width < 0, -1.0, 1.0)
    # A head stands upright on the trunk: the axis from the neck to a face that looks aside would lean.
    head = -_NECK_TO_FACE * scale * marks.down
    starts, limbs = marks.points[:, _STARTS], marks.points[:, _ENDS] - marks.points[:, _STARTS]

    base = _first(marks.face - head, marks.neck)
    origin = torch.cat((base[:, None], marks.neck[:, None], starts), 1)
    direction = torch.cat((-marks.down[:, None], marks.down[:, None], _unit(limbs)), 1)
    long = torch.cat((_length(head)[:, None], marks.length[:, None], _length(limbs)), 1)
    long = _at_least(long, scale[:, None] * long.new_tensor(_SHORTEST)[:, None])
    wide = torch.cat(
        (
            long[:, :1],
            (scale * width.abs().clamp_min(_NARROWEST_TRUNK))[:, None],
            scale[:, None].expand(-1, len(_STARTS), -1),
        ),
        1,
    )
    along, across = direction * long, _turned(direction) * wide * side[:, None]
    # The narrower the trunk, the further the body is turned, and to the side that the face tells.
    sine = (1 - (width / _WIDEST_TRUNK).square()).clamp_min(0.0).sqrt() * marks.facing
    shift = (_turned(marks.down) * sine * side * scale)[:, None] * long.new_tensor(_DEPTHS)[:, None]
    there = ~torch.cat((origin, along, across), -1).isnan().any(-1)
    origin, along, across, shift = (
        torch.where(there[..., None], vectors, 0.0)
        for vectors in (origin, along, across, shift.nan_to_num(0.0))
    )
    return Frames(origin, along, across, shift, there, scale[:, 0])


def _face_middle(marks: Landmarks) -> Tensor:
    """Of nose and eyes, a little below, [B, 2]; NaN where there is none of them."""
    return _mean(marks.points[:, _NOSE_AND_EYES]) + _FACE_BELOW * marks.scale * marks.down


def _rows(frames: Frames) -> tuple[Tensor, Tensor]:
    """What a vector is multiplied by for its coordinates along and across each part, [B, 10, 2] each."""
    along, across = (
        axis / axis.square().sum(-1, keepdim=True).clamp_min(_COINCIDENT**2)
        for axis in (frames.along, frames.across)
    )
    return along, across


def _between(source: Frames, target: Frames) -> Tensor:
    """Target pixel -> source pixel by each part, [B, 10, 2, 3]; without meaning where either lacks it."""
    along, across = (row[..., None, :] for row in _rows(target))
    linear = source.along[..., None] * along + source.across[..., None] * across
    return _affine(linear, target.origin + target.shift, source.origin + source.shift)


def _head(source: Landmarks, target: Landmarks) -> Tensor:
    """Target pixel -> source pixel by the points of the face that both have, [B, 2, 3]; NaN for under two.

    The similarity of least squares, mirrored where that fits better, as for a head seen from behind. By a few
    points of a small face alone a head would reel: a point straight below the face, along the trunk, counts a
    little, too.
    """
    common = ~(source.points + target.points)[:, _FACE].isnan()
    points = []
    for marks in (target, source):
        face = torch.where(common, marks.points[:, _FACE], torch.nan)
        below = _mean(face) + _NECK_TO_FACE * marks.scale * marks.down
        points.append(torch.cat((face, below[:, None]), 1))
    common = ~(points[0] + points[1]).isnan().any(-1, keepdim=True)
    weights = common * points[0].new_tensor((*(1.0 for _ in _FACE), _BELOW_WEIGHT))[:, None]
    points = [torch.where(common, places, 0.0) for places in points]
    start, end = ((places * weights).sum(1) / weights.sum(1) for places in points)
    here, there = points[0] - start[:, None], points[1] - end[:, None]
    (x, y), (u, v) = (here * weights).unbind(-1), there.unbind(-1)
    straight = torch.stack((x * u + y * v, x * v - y * u), -1).sum(1)
    mirrored = torch.stack((x * u - y * v, x * v + y * u), -1).sum(1)
    is_mirrored = _length(mirrored) > _CLEARLY * _length(straight)
    spread = (here.square() * weights).sum((1, 2))[:, None]
    fit = torch.where(is_mirrored, mirrored, straight) / spread
    (a, b), flip = fit.unbind(-1), torch.where(is_mirrored[:, 0], -1.0, 1.0)
    linear = torch.stack((a, -b * flip, b, a * flip), -1).view(-1, 2, 2)
    fits = (common[:, : len(_FACE)].sum(1) >= 2) & (spread > _COINCIDENT) & (_length(fit) > _COINCIDENT)
    return torch.where(fits[..., None], _affine(linear, start, end), torch.nan)


def _affine(linear: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """Matrices [..., 2, 3]: turn and stretch by `linear` [..., 2, 2], and take `start` [..., 2] to `end`."""
    offset = end - (linear * start[..., None, :]).sum(-1)
    return torch.cat((linear, offset[..., None]), -1)


def _first(*values: Tensor) -> Tensor:
    """The first of the values that is not NaN."""
    *others, last = values
    for value in reversed(others):
        last = torch.where(value.isnan(), last, value)
    return last


def _at_least(values: Tensor, least: Tensor | float) -> Tensor:
    """The larger of the two, where `values` is not NaN.

    As `clamp_min` and `maximum` give it; but not every engine that runs an exported graph keeps NaN there.
    """
    return torch.where(values < least, least, values)


def _mean(points: Tensor) -> Tensor:
    """The mean [B, 2] of those of [B, N, 2] that are not NaN."""
    there = ~points.isnan()
    return torch.where(there, points, 0.0).sum(1) / there.sum(1)


def _length(vectors: Tensor) -> Tensor:
    """[..., 1] of [..., 2]."""
    return vectors.square().sum(-1, keepdim=True).sqrt()


def _unit(vectors: Tensor) -> Tensor:
    """The vectors [..., 2] scaled to length 1; NaN where they have none."""
    length = _length(vectors)
    return vectors / torch.where(length > _COINCIDENT, length, torch.nan)


def _turned(vectors: Tensor) -> Tensor:
    """The vectors [..., 2] turned by a right angle: from down to right."""
    return torch.stack((vectors[..., 1], -vectors[..., 0]), -1)


def _marks(keypoints: Tensor | Landmarks) -> Landmarks:
    return keypoints if isinstance(keypoints, Landmarks) else landmarks(keypoints)


def _where(condition: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """One of two batches of matrices [B, 10, 2, 3] by a condition [B, 10]."""
    return torch.where(condition[..., None, None], first, second)
