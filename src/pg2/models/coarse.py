"""G1 of the paper (section 3.1), at the exact sizes or compact: a setting, not a second model."""

from itertools import pairwise
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.errors import Pg2Error
from pg2.io.pixels import to_unit
from pg2.models.blocks import ConvBlock, double, down, encode, grown, head, stem
from pg2.models.config import CoarseConfig, PoseConfig
from pg2.models.inputs import Inputs
from pg2.models.stage import Stage
from pg2.pose.maps import pose_input

POSE_CHANNELS = 18
"""Of the heat maps."""

COORDINATES = 18 * 3
"""x, y and presence of every keypoint."""

_FULL_SIZE = PoseConfig()


class PoseEncoder(nn.Module):
    """Heat maps to a vector (HME, paper, section 4.3): the convs of G1's own encoder, no image beside.

    The paper says no more than that it is an encoder; as wide and deep as the image's is our choice.
    """

    def __init__(self, config: CoarseConfig, cells: int, unshuffle: int) -> None:
        """`cells`: places of the smallest level; `unshuffle`: from the heat maps' size to the stem's."""
        super().__init__()
        widths = [config.width * (i + 1) for i in range(config.blocks)]
        layers: list[nn.Module] = [stem(POSE_CHANNELS, config.width, unshuffle)]
        for before, after in pairwise(widths):
            layers += [ConvBlock(before, before, shortcut=True), down(before, after)]
        layers.append(ConvBlock(widths[-1], widths[-1], shortcut=True))
        self.encoder = nn.Sequential(*layers)
        self.squeeze = nn.Linear(widths[-1] * cells, config.bottleneck)

    def forward(self, heatmaps: Tensor) -> Tensor:
        """[B, 18, H / shrink, W / shrink] in [-1, 1] -> [B, z]."""
        vector: Tensor = self.squeeze(self.encoder(heatmaps).flatten(1))
        return vector


class CoarseGenerator(Stage):
    """G1, stage I (paper, section 3.1): a U-Net of residual blocks with a fully connected bottleneck.

    Encoder block i of N has h*i channels and an additive shortcut; the bottleneck maps the smallest
    level to z values and back to h channels there, so that information reaches every place; each
    decoder level concatenates the skip of its level.

    The pose enters as `pose.embedding` says (Table 1). At the input: heat maps beside the image. As an
    embedding, the convolutional input is the image alone, and z further values join the bottleneck's: from
    heat maps through a `PoseEncoder` (HME), or from coordinates through two linear layers with a ReLU
    between (CE). The paper gives neither's widths: z everywhere is our choice.

    Strided convs pad one pixel on every side, where the released TensorFlow graph pads only right and
    bottom; parameter counts are the same.
    """

    name = "coarse"
    config: CoarseConfig

    def __init__(self, config: CoarseConfig, frame: tuple[int, int], pose: PoseConfig = _FULL_SIZE) -> None:
        super().__init__()
        self.config, self.frame, self.pose_config = config, frame, pose
        h, levels = config.width, config.blocks
        shrink = config.unshuffle * 2 ** (levels - 1)
        self.smallest = (frame[0] // shrink, frame[1] // shrink)
        cells = self.smallest[0] * self.smallest[1]
        widths = [h * (i + 1) for i in range(levels)]

        # Maps that are drawn smaller meet the image where it has been unshuffled to their size.
        ratio, z = config.unshuffle // pose.shrink, config.bottleneck
        beside = POSE_CHANNELS if pose.embedding == "input" else 0
        self.stem = stem(3 * pose.shrink**2 + beside, h, ratio)
        self.encoder = nn.ModuleList(ConvBlock(w, w, shortcut=True) for w in widths)
        self.downs = nn.ModuleList(down(a, b) for a, b in pairwise(widths))
        self.squeeze = nn.Linear(widths[-1] * cells, z)
        self.pose: nn.Module | None = None
        if pose.embedding == "heatmaps":
            self.pose = PoseEncoder(config, cells, ratio)
        elif pose.embedding == "coordinates":
            self.pose = nn.Sequential(nn.Flatten(), nn.Linear(COORDINATES, z), nn.ReLU(), nn.Linear(z, z))
        self.expand = nn.Linear(z if self.pose is None else 2 * z, h * cells)

        self.reduce = nn.ModuleList()
        self.decoder = nn.ModuleList()
        self.ups = nn.ModuleList()
        entering = h
        for level in reversed(range(levels)):
            joined = entering + widths[level]
            inner = widths[level] if config.slim_decoder else joined
            self.reduce.append(
                nn.Sequential(nn.Conv2d(joined, inner, 1), nn.ReLU())
                if config.slim_decoder
                else nn.Identity()
            )
            self.decoder.append(ConvBlock(inner, inner, shortcut=True))
            if level > 0:
                entering = widths[level - 1]
                self.ups.append(nn.Sequential(nn.Conv2d(inner, entering, 1), nn.ReLU()))
        self.head = head(inner, config.unshuffle)

    def enlarge_pose(self) -> None:
        """Begin the pose's encoder, if there is one, with He's weights (He et al., 2015) after all.

        Xavier's, by which a model is initialised, leave little of a heat map after an encoder.
        """
        for part in () if self.pose is None else self.pose.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                nn.init.kaiming_uniform_(part.weight, nonlinearity="relu")

    def forward(self, inputs: Inputs) -> Tensor:
        """Coarse result I_B1 = G1(I_A, P_B).

        Args:
            inputs: see `Inputs`; the pose on the source is not looked at.

        Returns:
            image [B, 3, H, W]; linear, so values a little outside [-1, 1] can occur.
        """
        source, pose = to_unit(inputs.source), self.draw(inputs.target_keypoints)
        if self.pose_config.shrink > 1:
            source = F.pixel_unshuffle(source, self.pose_config.shrink)
        x = self.stem(torch.cat((source, pose), 1) if self.pose is None else source)
        skips = encode(x, self.encoder, self.downs)
        x = self.squeeze(skips[-1].flatten(1))
        x = self.expand(x if self.pose is None else torch.cat((x, self.pose(pose)), 1))
        x = x.unflatten(1, (-1, *self.smallest))
        for level, (reduce, block) in enumerate(zip(self.reduce, self.decoder, strict=True)):
            x = block(reduce(torch.cat((x, skips.pop()), 1)))
            if level < len(self.ups):
                # A 1x1 conv and nearest enlargement commute; the conv is cheaper on the small map.
                x = double(self.ups[level](x))
        image: Tensor = self.head(x)
        return image

    def draw(self, keypoints: Tensor) -> Tensor:
        """P_B as this network takes it, from keypoints [B, 18, 2]. See `pose_input`."""
        return pose_input(keypoints, self.frame, **self.pose_config.model_dump())

    def start_from(self, start: Self, factor: int) -> None:
        """See `Stage`. The heat maps are drawn so much smaller that they stay of the size that they were."""
        self.check_fits(start, {"unshuffle": start.config.unshuffle * factor})
        wanted = {"embedding": start.pose_config.embedding, "shrink": start.pose_config.shrink * factor}
        for setting, value in wanted.items():
            if getattr(self.pose_config, setting) != value:
                raise Pg2Error(
                    f"the model to start from does not fit the recipe: model.pose.{setting} must be {value}, "
                    f"not {getattr(self.pose_config, setting)}"
                )
        shrink = start.pose_config.shrink
        ratio = start.config.unshuffle // shrink
        self.load_state_dict(grown(start.state_dict(), 3, shrink, ratio, factor))
