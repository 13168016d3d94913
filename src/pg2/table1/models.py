"""What Table 1 compares, and what the paper found."""

from typing import NamedTuple


class Published(NamedTuple):
    """The paper's scores of a model on one data set; higher is better. None: the paper has none."""

    ssim: float
    inception_score: float
    mask_ssim: float | None = None
    mask_inception_score: float | None = None


class Model(NamedTuple):
    """A row of Table 1.

    Attributes:
        name: as the paper has it.
        recipe: the last part of its recipes' names.
        published: data set -> the paper's scores.
    """

    name: str
    recipe: str
    published: dict[str, Published]


MARKET, FASHION = "market1501", "deepfashion"

MODELS = (
    Model(
        "G1-CE-L1",
        "g1-ce-l1",
        {MARKET: Published(0.219, 2.568, 0.771, 2.455), FASHION: Published(0.694, 2.395)},
    ),
    Model(
        "G1-HME-L1",
        "g1-hme-l1",
        {MARKET: Published(0.294, 3.171, 0.802, 2.508), FASHION: Published(0.735, 2.427)},
    ),
    Model(
        "G1-L1",
        "g1-l1",
        {MARKET: Published(0.304, 3.006, 0.809, 2.455), FASHION: Published(0.735, 2.427)},
    ),
    Model(
        "G1-poseMaskLoss",
        "g1-posemaskloss",
        {MARKET: Published(0.340, 3.326, 0.817, 2.682), FASHION: Published(0.779, 2.668)},
    ),
    Model(
        "G1+D",
        "g1-d",
        {MARKET: Published(0.283, 3.490, 0.803, 3.310), FASHION: Published(0.761, 3.091)},
    ),
    Model(
        "G1+G2+D",
        "g1-g2-d",
        {MARKET: Published(0.253, 3.460, 0.792, 3.435), FASHION: Published(0.762, 3.090)},
    ),
)
"""The six models, from the simplest to the whole."""


class Claim(NamedTuple):
    """What the paper says of two models: `more` has the higher score."""

    score: str
    less: str
    more: str

    def made_for(self, data: str) -> bool:
        """Whether the paper claims it of a data set: its table has both numbers, and they differ so.

        Sharpness has no numbers there; the paper shows it in the pictures of both data sets.
        """
        if self.score not in Published._fields:
            return True
        by_name = {model.name: model.published[data] for model in MODELS}
        less, more = (getattr(by_name[name], self.score) for name in (self.less, self.more))
        return less is not None and more is not None and less < more


CLAIMS = (
    Claim("ssim", "G1-CE-L1", "G1-HME-L1"),
    Claim("ssim", "G1-HME-L1", "G1-L1"),
    Claim("ssim", "G1-L1", "G1-poseMaskLoss"),
    Claim("mask_ssim", "G1-L1", "G1-poseMaskLoss"),
    Claim("ssim", "G1+D", "G1-poseMaskLoss"),
    Claim("ssim", "G1+G2+D", "G1-poseMaskLoss"),
    Claim("sharpness", "G1-poseMaskLoss", "G1+D"),
    Claim("sharpness", "G1-poseMaskLoss", "G1+G2+D"),
)
"""The orderings that the paper's text rests on; sharpness stands for what it shows in pictures."""
