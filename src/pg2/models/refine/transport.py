"""A second stage that fetches the detail from the source picture instead of painting it.

Poses are known on both sides, so most of the way from a target pixel to its place in the source is
closed-form geometry (`pg2.pose.parts`). A small network learns the rest: which body part a pixel shows, a
bounded residual of the way, where what was fetched is to be trusted, where the person ends, and a correction
of colours. After Siarohin et al. 2018 (deformable skips), Balakrishnan et al. 2018 (layers), Li et al. 2019
(intrinsic flow). It stays PG2: the coarse picture gives the body, the second stage refines it.
"""

from contextlib import AbstractContextManager, nullcontext
from itertools import pairwise
from typing import ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.errors import Pg2Error
from pg2.io.pixels import to_unit
from pg2.models.blocks import ConvBlock, double, down, encode
from pg2.models.config import TransportConfig
from pg2.models.inputs import Inputs, Output, PictureInfo
from pg2.models.stage import Refiner
from pg2.pose.maps import heatmaps
from pg2.pose.parts import PARTS, Parts, part_places, part_priors, part_transforms, sample

# Full-resolution outputs: copy mask, silhouettes of target and source, colours of the person and of the
# ground.
_COPY, _TARGET, _SOURCE, _PERSON, _GROUND = 0, 1, 2, slice(3, 6), slice(6, 9)
_FULL = 9

# Log odds of the copy mask before training: most of what is fetched is shown.
_COPY_AT_FIRST = 1.0


class TransportRefiner(Refiner):
    """Warps the source by parts, and lays the person over a ground; see the module.

    The ground is the source's own background, filled in where the person stood (`background: keep`), or the
    coarse picture's (`background: expected`).
    """

    config: TransportConfig
    pictures: ClassVar = {
        "warped": PictureInfo("warped"),
        "mask": PictureInfo("copied", "mask"),
        "silhouette": PictureInfo("silhouette", "mask"),
    }

    def __init__(self, config: TransportConfig, frame: tuple[int, int]) -> None:
        """`frame`: (height, width) of the pictures in pixels."""
        super().__init__()
        self.config, self.frame = config, frame
        ratio = config.stride // config.shrink
        seen = 3 * (len(PARTS) + 2) * ratio**2 + len(PARTS) + 2 * 18
        widths = [config.width * (level + 1) for level in range(config.levels)]
        self.stem = nn.Conv2d(seen, config.width, 3, padding=1)
        self.encoder = nn.ModuleList(ConvBlock(width, width, shortcut=True) for width in widths)
        self.downs = nn.ModuleList(down(a, b) for a, b in pairwise(widths))
        self.reduce = nn.ModuleList(
            nn.Conv2d(below + here, here, 1)
            for below, here in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        self.decoder = nn.ModuleList(ConvBlock(width, width, shortcut=True) for width in widths[-2::-1])
        self.way = nn.Conv2d(config.width, len(PARTS) + 2, 3, padding=1)
        self.full = nn.Conv2d(config.width, _FULL * config.stride**2, 3, padding=1)

    def initialise(self) -> None:
        """See `Stage`. The heads begin next to zero: at first geometry alone says where to fetch."""
        for part in self.modules():
            if isinstance(part, nn.Conv2d):
                nn.init.kaiming_normal_(part.weight)
                nn.init.zeros_(part.bias)  # type: ignore[arg-type]
        for block in (*self.encoder, *self.decoder):
            assert isinstance(block, ConvBlock)
            block.second.weight.data.mul_(0.3)
        for head in (self.way, self.full):
            nn.init.normal_(head.weight, 0.0, 1e-3)
        self.full.bias.data.view(_FULL, -1)[_COPY] = _COPY_AT_FIRST  # type: ignore[union-attr]

    def start_from(self, start: Self, factor: int) -> None:
        """See `Stage`. It goes on from pictures of its own size alone: what it learned counts pixels.

        Raises:
            Pg2Error: the frames, or other settings, differ.
        """
        if factor != 1:
            raise Pg2Error(
                "the model to start from does not fit the recipe: a transport stage starts from one "
                f"of the same frame, not {factor} times as small"
            )
        self.check_fits(start, {})
        self.load_state_dict(start.state_dict())

    def forward(self, inputs: Inputs, coarse: Tensor) -> Output:
        """The refined picture; warped source, copy mask [B, 1, H, W] and silhouette [B, 1, H, W].

        See `Refiner`. `Output.maps` has what losses look at: "places" [B, h, w, 2], where in the source the
        cells of the grid of 1/stride were fetched; "source_silhouette" and "copied" [B, 1, H, W].
        """
        # Places are pixels: half precision would move them by more than one.
        with _full_precision(inputs.source.device):
            source, coarse = to_unit(inputs.source), coarse.float()
            parts = part_transforms(inputs.source_keypoints, inputs.target_keypoints)
            priors = part_priors(parts, self.frame, self.config.stride)
            seen = self._seen(source, coarse, parts, priors, inputs)
        way, full = (head.float() for head in self._network(seen))
        with _full_precision(inputs.source.device):
            odds, residual = self._odds(priors, way), self._residual(way)
            warped, places = self._fetch(source, parts, odds, residual)
            copied, target, stood = (full[:, at : at + 1].sigmoid() for at in (_COPY, _TARGET, _SOURCE))
            # Blur wins L1: with its gradient here, the mask would close. It has a loss of its own.
            shown = copied.detach()
            person = shown * warped + (1 - shown) * (coarse + full[:, _PERSON])
            ground = self._ground(source, coarse, stood) + full[:, _GROUND]
            image = target * person + (1 - target) * ground
        pictures = {"warped": warped, "mask": copied * target, "silhouette": target}
        return Output(image, pictures, {"places": places, "source_silhouette": stood, "copied": copied})

    def _seen(self, source: Tensor, coarse: Tensor, parts: Parts, priors: Tensor, inputs: Inputs) -> Tensor:
        """What the network sees, [B, channels, h, w] on the grid of 1/stride."""
        shrink, stride = self.config.shrink, self.config.stride
        small, small_coarse = (F.avg_pool2d(picture, shrink) for picture in (source, coarse))
        places = part_places(parts, self.frame, shrink)
        count, height, width = len(source), places.shape[2], places.shape[3]
        # Every part's view of the shrunk source, where the part may be.
        views = sample(
            small[:, None].expand(-1, len(PARTS), -1, -1, -1).flatten(0, 1),
            ((places + 0.5) / shrink - 0.5).flatten(0, 1),
        ).view(count, len(PARTS), 3, height, width)
        soft = (part_priors(parts, self.frame, shrink) + 1).sigmoid()
        pictures = torch.cat(((views * soft[:, :, None]).flatten(1, 2), small, small_coarse), 1)
        maps = [
            heatmaps(keypoints, self.frame, self.config.radius, stride)
            for keypoints in (inputs.source_keypoints, inputs.target_keypoints)
        ]
        return torch.cat((F.pixel_unshuffle(pictures, stride // shrink), priors.sigmoid(), *maps), 1)

    def _network(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The heads: [B, 10 + 2, h, w], and [B, 9, H, W] after the pixel shuffle."""
        x = F.relu(self.stem(x))
        skips = encode(x, self.encoder, self.downs)
        x = skips.pop()
        for reduce, block in zip(self.reduce, self.decoder, strict=True):
            x = block(F.relu(reduce(torch.cat((double(x), skips.pop()), 1))))
        return self.way(x), F.pixel_shuffle(self.full(x), self.config.stride)

    def _odds(self, priors: Tensor, way: Tensor) -> Tensor:
        """Log odds of the parts, [B, 10, h, w]: what the poses say, and what the network adds."""
        return self.config.sharpness * (priors + 4 * way[:, : len(PARTS)])

    def _residual(self, way: Tensor) -> Tensor:
        """What is added to the way by parts, [B, 2, h, w] in pixels, bounded."""
        return self.config.reach * self.frame[0] * way[:, len(PARTS) :].tanh()

    def _fetch(self, source: Tensor, parts: Parts, odds: Tensor, residual: Tensor) -> tuple[Tensor, Tensor]:
        """The source as the target's pixels see it, and where the cells of the grid were fetched.

        The choice between the parts is made pixel by pixel, and by the exact way of each: between two limbs a
        mean of both ways would point at a wrong place on the body.
        """
        size, stride = self.frame, self.config.stride
        at_cells = self._mixed(odds, parts, stride) + residual.permute(0, 2, 3, 1)
        if stride == 1:
            return sample(source, at_cells), at_cells
        odds, residual = (
            F.interpolate(part, scale_factor=float(stride), mode="bilinear") for part in (odds, residual)
        )
        places = self._mixed(odds, parts, 1) + residual.permute(0, 2, 3, 1)
        assert places.shape[1:3] == size
        return sample(source, places), at_cells

    def _mixed(self, odds: Tensor, parts: Parts, stride: int) -> Tensor:
        """Places in the source, [B, h, w, 2], of cells whose parts are as likely as `odds` say."""
        return (odds.softmax(1)[..., None] * part_places(parts, self.frame, stride)).sum(1)

    def _ground(self, source: Tensor, coarse: Tensor, stood: Tensor) -> Tensor:
        """What is seen behind the person, [B, 3, H, W]."""
        if self.config.background == "expected":
            return coarse
        free = 1 - stood
        return free * source + stood * filled(source, free)


def _full_precision(device: torch.device) -> AbstractContextManager[object]:
    if not torch.amp.is_autocast_available(device.type):
        return nullcontext()
    return torch.autocast(device.type, enabled=False)


def filled(image: Tensor, known: Tensor) -> Tensor:
    """A picture with its unknown places filled in from around them, from coarse to fine (push-pull).

    Args:
        image: float [B, C, H, W].
        known: how much each place is to be trusted, [B, 1, H, W] in [0, 1].

    Returns:
        float [B, C, H, W], smooth where nothing is known.
    """
    # The square makes a little trust count for little beside full trust.
    weight = known.square() + 1e-8
    if min(image.shape[2:]) <= 4:
        return (image * weight).sum((2, 3), keepdim=True) / weight.sum((2, 3), keepdim=True).expand_as(image)
    share = F.avg_pool2d(weight, 2)
    # Never the root of 0, whose slope is infinite.
    below = filled(F.avg_pool2d(image * weight, 2) / share, share.sqrt().clamp_max(1))
    below = F.interpolate(below, size=image.shape[2:], mode="bilinear")
    return known * image + (1 - known) * below
