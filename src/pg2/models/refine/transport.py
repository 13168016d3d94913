"""A second stage that fetches the detail from the source picture instead of painting it.

Poses are known on both sides, so most of the way from a target pixel to its place in the source is
closed-form geometry (`pg2.pose.parts`). A small network learns the rest: which body part a pixel shows, a
bounded residual of the way, where what was fetched is to be trusted, where the person ends, and a correction
of colours. After Siarohin et al. 2018 (deformable skips), Balakrishnan et al. 2018 (layers), Li et al. 2019
(intrinsic flow). It stays PG2: the coarse picture gives the body, the second stage refines it.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.errors import Pg2Error
from pg2.io.devices import full_precision
from pg2.io.pixels import to_unit
from pg2.models.blocks import ConvBlock, double, down, encode
from pg2.models.config import TransportConfig
from pg2.models.inputs import Inputs, Output, PictureInfo
from pg2.models.refine.ground import continued, joined, running_maximum, spread_out
from pg2.models.refine.rules import STEEP, as_other_side, clothed, in_lost, shrunk, with_hair
from pg2.models.stage import Refiner
from pg2.pose.maps import heatmaps
from pg2.pose.parts import (
    DESCRIBED,
    PARTS,
    Parts,
    around_face,
    cell_centres,
    changed,
    described,
    landmarks,
    other_side,
    part_places,
    part_priors,
    part_transforms,
    sample,
    source_face,
)

# Outputs a pixel: copy mask and silhouette of the target; silhouette of the source, unless there is a network
# that segments it; and what is added to the coarse picture's colours.
_MASKS, _SOURCE, _PAINT = slice(0, 2), slice(2, 3), slice(3, 6)
_FULL = 6

_HEAD, _TRUNK = (slice(PARTS.index(name), PARTS.index(name) + 1) for name in ("head", "trunk"))

# Log odds of the copy mask before training: most of what is fetched is shown.
_COPY_AT_FIRST = 1.0

_POSE = 256  # numbers that both poses together are summed up in

_TURN = 0.5  # units of S, by which they may change the way of a part, at most

_FINE = 16  # channels at half the frame, of which the outputs a pixel are made

# A rim around where the source's person is seen, this part of the height wide, whose colours are not trusted
# to be the ground's.
_RIM = 64

# Less than these log odds of a part, by the pose, is next to the person. Below the other ones nobody is:
# what a network takes for a person so far off is a dark thing or a lively wall.
_NEAR, _FAR = 1.5, -11.0

# Log odds of the trunk from which on, and over which, a place becomes sure to be on it.
_WITHIN, _SURELY = 2.3, 0.35

# A skirt may reach this part of the height beyond what is next to the person.
_FURTHER = 3 / 32

# Log odds below the likeliest part's, beyond which a part is out of the question; their exponential is no 0.
_NO_ODDS = -80.0

# Pixels beyond the edge of the source, where what is fetched there passes from its detail to its colours.
_EDGE = (2.0, 6.0)


class _UNet(nn.Module):
    """Levels of half the size each, and back: [B, widths[0], h, w] -> the same."""

    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        self.encoder = nn.ModuleList(ConvBlock(width, width, shortcut=True) for width in widths)
        self.downs = nn.ModuleList(down(a, b) for a, b in pairwise(widths))
        self.reduce = nn.ModuleList(
            nn.Conv2d(below + here, here, 1)
            for below, here in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.decoder = nn.ModuleList(ConvBlock(width, width, shortcut=True) for width in widths[-2::-1])

    def forward(self, x: Tensor, told: Tensor | None = None) -> Tensor:
        """`told`, [B, widths[-1]], is added on the smallest level."""
        skips = encode(x, self.encoder, self.downs)
        x = skips.pop()
        if told is not None:
            x = x + told[..., None, None]
        for reduce, block in zip(self.reduce, self.decoder, strict=True):
            x = block(F.relu(reduce(torch.cat((double(x), skips.pop()), 1))))
        return x


class _Segmenter(nn.Module):
    """Where the person of a picture is, by the picture and the pose: log odds [B, 1, H, W].

    What was fetched for another pose tells little about that, and what it overlooks stays as a ghost.
    """

    def __init__(self, widths: Sequence[int], stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.stem = nn.Conv2d(3 * stride**2 + len(PARTS) + 18, widths[0], 3, padding=1)
        self.levels = _UNet(widths)
        self.head = nn.Conv2d(widths[0], stride**2, 3, padding=1)

    def forward(self, image: Tensor, body: Tensor, pose: Tensor) -> Tensor:
        """`body`, log odds of the parts by the pose, and `pose`, heat maps, are on the grid of 1/stride."""
        seen = torch.cat((F.pixel_unshuffle(image, self.stride), (body + 1).sigmoid(), pose), 1)
        return F.pixel_shuffle(self.head(self.levels(F.relu(self.stem(seen)))), self.stride)


class TransportRefiner(Refiner):
    """Warps the source by parts, looks at what came of it, and lays the person over a ground; see the module.

    The ground is the source's own background, filled in where the person stood (`background: keep`), or
    painted like the person, from the coarse picture (`background: expected`).
    """

    config: TransportConfig
    pictures: ClassVar = {
        "warped": PictureInfo("warped"),
        "mask": PictureInfo("copied", "mask"),
        "silhouette": PictureInfo("silhouette", "mask"),
    }

    backgrounds = ("keep", "expected")

    def __init__(self, config: TransportConfig, frame: tuple[int, int]) -> None:
        """`frame`: (height, width) of the pictures in pixels."""
        super().__init__()
        self.config, self.frame = config, frame
        width, pixels = config.widths[0], 3 * config.stride**2
        self.stem = nn.Conv2d(3 * (len(PARTS) + 2) + len(PARTS) + 2 * 18, width, 3, padding=1)
        self.pose = nn.Sequential(
            nn.Linear(2 * DESCRIBED, _POSE),
            nn.ReLU(),
            nn.Linear(_POSE, _POSE),
            nn.ReLU(),
            nn.Linear(_POSE, _POSE),
            nn.ReLU(),
        )
        self.turn, self.tell = nn.Linear(_POSE, 6 * len(PARTS)), nn.Linear(_POSE, config.widths[-1])
        self.seek = _UNet(config.widths)
        self.way = nn.Conv2d(width, 3 * len(PARTS) + (3 if config.shade else 0), 3, padding=1)
        self.look = nn.Conv2d(width + 2 * pixels, config.finish, 3, padding=1)
        self.finish = _UNet((config.finish, 2 * config.finish))
        middle = config.stride // 2
        self.finer = nn.Conv2d(config.finish, _FINE * middle**2, 1)
        self.full = nn.Conv2d(_FINE, _FULL * 4, 3, padding=1)
        self.segment = _Segmenter(config.segment, config.stride) if config.segment else None

    def initialise(self) -> None:
        """See `Stage`. The heads begin next to zero: at first geometry alone says where to fetch."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_normal_(part.weight)
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]
            if isinstance(part, ConvBlock):
                part.second.weight.data.mul_(0.3)
        for head in (self.turn, self.way, self.full):
            nn.init.normal_(head.weight, 0.0, 1e-4 if head is self.turn else 1e-3)
        self.full.bias.data.view(_FULL, -1)[0] = _COPY_AT_FIRST  # type: ignore[union-attr]

    def start_from(self, start: Self, factor: int) -> None:
        """See `Stage`. It goes on from pictures of its own size alone: what it learned counts pixels.

        The background and the shade may be other ones, and a network that segments may join or leave.

        Raises:
            Pg2Error: the frames, or other settings, differ.
        """
        if factor != 1:
            raise Pg2Error(
                "the model to start from does not fit the recipe: a transport stage starts from one "
                f"of the same frame, not {factor} times as small"
            )
        free = ("background", "shade", "segment")
        self.check_fits(start, {setting: getattr(self.config, setting) for setting in free})
        state = self.state_dict()
        same = start.config.segment == self.config.segment
        for name, value in start.state_dict().items():
            if name in state and (same or not name.startswith("segment.")):
                state[name] = value
        for name, own in self.way.named_parameters(prefix="way"):
            both = min(len(own), len(state[name]))
            state[name] = torch.cat((state[name][:both], torch.zeros_like(own[both:])))
        self.load_state_dict(state)

    def set_background(self, background: str) -> None:
        """See `Refiner`."""
        self.config = TransportConfig.model_validate(self.config.model_dump() | {"background": background})

    def forward(self, inputs: Inputs, coarse: Tensor) -> Output:
        """The refined picture; warped source, copy mask [B, 1, H, W] and silhouette [B, 1, H, W].

        Masks and picture do not follow the networks alone. A face that the pose turns away is not copied, and
        what is painted there has the colour of the hair; nothing is copied from beside the source's person,
        where a network segments that; a trunk has no holes, and what is painted there is as on its other
        side, and has the colours of what is copied.

        See `Refiner`. `Output.maps` has what losses look at. On the grid of 1/stride: "places" [B, h, w, 2],
        where in the source the cells were fetched; "odds" and "priors" [B, 10, h, w], log odds of the parts,
        and those by the pose alone; "ways" [B, 10, h, w, 2], where each part alone would fetch. A pixel:
        "fetched" [B, H, W, 2], where in the source it was fetched;
        "copied", "silhouette" and "source_silhouette" [B, 1, H, W]; "painted" [B, 3, H, W], the person
        and what is around, without what is fetched; "changed" [B, 1, H, W], where the picture is not the
        source's own ground.
        """
        stride = self.config.stride
        # Places are pixels: half precision would move them by more than one.
        with full_precision(inputs.source.device):
            source, coarse = to_unit(inputs.source), coarse.float()
            poses = (inputs.source_keypoints, inputs.target_keypoints)
            source_marks, target_marks = (landmarks(pose) for pose in poses)
            posed = self.pose(torch.cat([described(marks) for marks in (source_marks, target_marks)], 1))
            parts = changed(part_transforms(source_marks, target_marks), self._turned(posed))
            ways = part_places(parts, self.frame, stride)
            priors = part_priors(parts, self.frame, stride)
            maps = [heatmaps(pose, self.frame, self.config.radius, stride) for pose in poses]
            # Of the source's person in their own pose.
            own = part_priors(part_transforms(source_marks, source_marks), self.frame, stride)
            small, small_coarse = (shrunk(picture, stride) for picture in (source, coarse))
            seen = self._seen(small, small_coarse, ways, priors, maps)
        features = self.seek(F.relu(self.stem(seen)), self.tell(posed))
        way = self.way(features).float()
        with full_precision(inputs.source.device):
            count = len(PARTS)
            odds = self.config.sharpness * (priors + 4 * way[:, :count])
            residual = self.config.reach * self.frame[0] * way[:, count : 3 * count].tanh()
            # Enlarged at once, which takes half the time of one after the other in an exported graph. What is
            # of the source alone is not among it, as an engine may keep that for other poses.
            large = self._enlarged(
                torch.cat((_chances(odds), residual, _about(priors)[:, 1:], priors[:, _TRUNK]), 1)
            )
            coming = large[:, 3 * count :].detach()  # it is of the poses alone
            chances = large[:, :count].exp()
            fetched = self._places(parts, chances, large[:, count : 3 * count])
            warped, inside = self._fetch(source, small, fetched)
        # It looks at what came of its choice; the choice is not to be made to please it.
        pixels = F.pixel_unshuffle(torch.cat((warped.detach(), source), 1), stride)
        finished = self.finish(F.relu(self.look(torch.cat((features, pixels), 1))))
        finer = F.relu(F.pixel_shuffle(self.finer(finished), stride // 2))
        full = self.full(finer)
        masks, paint = _outputs(full, _MASKS), _outputs(full, _PAINT)
        stood = _outputs(full, _SOURCE) if self.segment is None else self.segment(source, own, maps[0])
        with full_precision(inputs.source.device):
            masks, stood = _smoothed(masks.float()).sigmoid(), _smoothed(stood.float()).sigmoid()
            copied, target = masks[:, :1], masks[:, 1:]
            painted = coarse + paint.float()
            # The masks have losses of their own. With its gradient here the copy mask would close, as blur
            # wins L1, and the person would grow over a background that is not the target's.
            face, taken = source_face(source_marks, target_marks), fetched.detach()
            lost = in_lost(taken, face)
            shown = _steep(copied.detach()) * (1 - lost)
            if self.segment is not None:
                # Nobody wears the ground.
                shown = shown * (STEEP * sample(stood.detach(), taken)).clamp_max(1)
            person = _steep(target.detach()) * ((coming[:, :1] - _FAR) / 2).clamp(0, 1)
            # A trunk has no holes.
            trunk = ((coming[:, 1:] - _WITHIN) / _SURELY).clamp(0, 1)
            person = torch.maximum(person, trunk)
            ground, covered = self._ground(source, painted, stood.detach(), own, way[:, 3 * count :])
            share = (chances[:, : _TRUNK.stop] / chances.sum(1, keepdim=True)).detach()
            around = around_face(target_marks, self.frame) * share[:, _HEAD] * face.there[..., None, None]
            hair = torch.maximum(lost, around) * person
            paint = with_hair(painted, hair, small, stood.detach(), face, stride)
            # Without the arms before it.
            bare = trunk * share[:, _TRUNK]
            seen = shown * inside.detach()
            paint = as_other_side(
                paint, warped.detach(), seen, bare, *other_side(target_marks, parts.target, self.frame)
            )
            body = clothed(paint, warped.detach(), seen, bare, 2 * stride).lerp(warped, shown)
            image = ground.lerp(body, person)
            mixed = (odds.softmax(1)[..., None] * (ways + _by_part(residual).movedim(2, -1))).sum(1)
        pictures = {"warped": warped, "mask": shown * person * inside, "silhouette": person}
        learned = {"places": mixed, "odds": odds, "priors": priors, "ways": ways, "painted": painted}
        learned |= {"fetched": fetched, "copied": copied, "silhouette": target, "source_silhouette": stood}
        return Output(image, pictures, learned | {"changed": torch.maximum(person, covered)})

    def _enlarged(self, maps: Tensor) -> Tensor:
        return F.interpolate(maps, scale_factor=float(self.config.stride), mode="bilinear")

    def _turned(self, posed: Tensor) -> Tensor:
        """How each part's way is to be changed by what the two poses together say, [B, 10, 2, 3].

        From the side a body is another one than from the front; closed-form geometry knows little of that.
        """
        change: Tensor = self.turn(posed).tanh()
        return _TURN * change.view(-1, len(PARTS), 2, 3)

    def _seen(
        self, small: Tensor, small_coarse: Tensor, ways: Tensor, priors: Tensor, maps: Sequence[Tensor]
    ) -> Tensor:
        """What the network sees, [B, channels, h, w] on the grid of 1/stride; `maps` are of both poses."""
        # Every part's view of the shrunk source, where the part may be.
        views = sample(
            small[:, None].expand(-1, len(PARTS), -1, -1, -1).flatten(0, 1),
            ((ways + 0.5) / self.config.stride - 0.5).flatten(0, 1),
        ).view(small.shape[0], len(PARTS), 3, *ways.shape[2:4])
        soft = (priors + 1).sigmoid()
        return torch.cat(((views * soft[:, :, None]).flatten(1, 2), small, small_coarse, soft, *maps), 1)

    def _places(self, parts: Parts, chances: Tensor, residual: Tensor) -> Tensor:
        """Where in the source each pixel is fetched, [B, H, W, 2].

        The choice between the parts is made pixel by pixel, and by the exact way of each: between two limbs a
        mean of both ways would point at a wrong place on the body.

        `chances` [B, 10, H, W] of the parts need not sum up to 1.
        """
        # The mean of the parts' ways is the way by the mean of their matrices.
        rows = F.pad(parts.matrices.flatten(2).mT, (0, 0, 0, 1), value=1.0)
        sums = (rows @ chances.flatten(2)).view(-1, 7, *self.frame)
        by_x, by_y, offset = sums[:, :6].view(-1, 2, 3, *self.frame).unbind(2)
        x, y = cell_centres(self.frame, 1, chances.device).unbind(-1)
        added = (chances[:, :, None] * _by_part(residual)).sum(1)
        places = (by_x * x + by_y * y + offset + added) / sums[:, 6:]
        height, width = self.frame
        far = places.new_tensor((width, height)).view(2, 1, 1)
        return places.clamp(-far, 2 * far).movedim(1, -1)

    def _fetch(self, source: Tensor, small: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """The source at these places [B, 3, H, W], and which of them lie in it, from 0 to 1, [B, 1, H, W].

        Beyond its edge a garment goes on in its colours. Its detail does not: lines that end at the edge
        would be drawn out into stripes.
        """
        height, width = self.frame
        far, apart = places.new_tensor((width - 1, height - 1)).view(2, 1, 1), places.movedim(-1, 1)
        beyond = torch.maximum(-apart, apart - far).amax(1, keepdim=True)
        first, last = _EDGE
        inside = ((last - beyond) / (last - first)).clamp(0, 1)
        cell = 2 * self.config.stride
        colours = F.avg_pool2d(F.pad(F.avg_pool2d(small, 2), (2, 2, 2, 2), "replicate"), 5, 1)
        around = sample(colours, (places + 0.5) / cell - 0.5)
        return around.lerp(sample(source, places, "bicubic"), inside), inside

    def _ground(
        self, source: Tensor, painted: Tensor, stood: Tensor, own: Tensor, shade: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What is seen behind the person, [B, 3, H, W], and where it is not the source's, [B, 1, H, W].

        Args:
            source, painted: [B, 3, H, W].
            stood: where a network sees the person in the source, [B, 1, H, W].
            own: log odds of the parts by the source's pose, [B, 10, h, w].
            shade: [B, 3 or 0, h, w], added to what is kept of the source: shadows, another camera's colours.
                It is smoothed first, so that it cannot wipe out what there is to be seen.
        """
        if self.config.background == "expected":
            return painted, torch.ones_like(stood)
        cell = None if self.segment is None else 2 * self.config.stride
        hidden = _hidden(stood, self._enlarged(_about(own)), cell)
        rim = self.frame[0] // _RIM
        covered = spread_out(hidden, rim)
        free = 1 - covered
        ground = source.lerp(continued(source, free), covered)
        if self.config.shade:
            shade = F.avg_pool2d(shade, self.config.shade // self.config.stride)
            ground = ground + F.interpolate(shade, size=self.frame, mode="bilinear")
        return ground, covered


def _outputs(full: Tensor, which: slice) -> Tensor:
    """Some of the outputs a pixel, [B, n, H, W], from all of them at half that size, four a place."""
    return F.pixel_shuffle(full[:, 4 * which.start : 4 * which.stop], 2)


def _chances(odds: Tensor) -> Tensor:
    """Log odds below the likeliest part's: of a softmax whose sum is divided by in the end."""
    return (odds - odds.amax(1, keepdim=True)).clamp_min(_NO_ODDS)


def _about(there: Tensor) -> Tensor:
    """Log odds that a person is about, [B, 2, h, w]: by the parts, and below the trunk, too.

    Below the trunk there may be legs without keypoints.

    `there`: log odds of their parts by the pose alone, [B, 10, h, w].
    """
    below = running_maximum(there[:, PARTS.index("trunk")], 1)
    return torch.stack((there.amax(1), torch.maximum(there.amax(1), below)), 1)


def _hidden(seen: Tensor, about: Tensor, cell: int | None) -> Tensor:
    """What the source's person hides of the ground, [B, 1, H, W], by the pose and by the network's eye.

    Where the pose puts the person, that is enough: ground that is taken for the person is filled in well,
    while a forgotten sleeve stays as a ghost. What the network sees counts next to that, and below the
    trunk, where legs without keypoints may be. Elsewhere a lively wall may look like a person to it.

    Args:
        seen: the silhouette that a network sees, [B, 1, H, W].
        about: `_about` the source's person in their own pose, enlarged, [B, 2, H, W].
        cell: pixels to a side of the cells in which what is seen is followed further off, as far as it hangs
            together: a wide skirt, a bag, hair. H and W are multiples of it. None: not at all, as what is
            seen is not to be trusted so far.
    """
    on, near = (about[:, :1] + 0.5).clamp(0, 1), (about[:, 1:] + _NEAR).clamp(0, 1)
    if cell is not None:
        there = _steep(shrunk(seen, cell))
        further = joined(there, there * shrunk(near, cell), round(_FURTHER * seen.shape[2] / cell))
        near = torch.maximum(near, F.interpolate(further, scale_factor=float(cell), mode="bilinear"))
    return torch.maximum(STEEP * seen * near, on).clamp_max(1)


def _by_part(residual: Tensor) -> Tensor:
    """[B, 20, h, w] as [B, 10, 2, h, w]."""
    return residual.view(residual.shape[0], len(PARTS), 2, *residual.shape[2:])


def _smoothed(maps: Tensor) -> Tensor:
    """Over 3 x 3 pixels: four at a time come from one place of the network, and outlines would show it."""
    maps = F.pad(maps, (1, 1, 1, 1), "replicate")
    maps = maps[..., :-2] + 2 * maps[..., 1:-1] + maps[..., 2:]
    return (maps[..., :-2, :] + 2 * maps[..., 1:-1, :] + maps[..., 2:, :]) / 16


def _steep(mask: Tensor) -> Tensor:
    return (0.5 + STEEP * (mask - 0.5)).clamp(0, 1)
