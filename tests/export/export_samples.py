"""Small models to be exported, and how they are."""

import torch

from pg2 import PG2
from pg2.models.config import CoarseConfig, DifferenceConfig, ModelConfig, PoseConfig, TransportConfig


def transport() -> PG2:
    """One of each thing that the models of 256x256 that ship are made of, tiny, at 64x32."""
    refine = TransportConfig(kind="transport", widths=(8, 8), finish=8, segment=(8, 8), radius=3.0, shade=8)
    coarse = CoarseConfig(width=8, blocks=2, unshuffle=2, bottleneck=8, slim_decoder=True)
    return made(ModelConfig(frame=(64, 32), pose=PoseConfig(shrink=2), coarse=coarse, refine=refine))


def difference() -> PG2:
    """The paper's two stages, tiny, at 32x16."""
    return made(
        ModelConfig(
            frame=(32, 16),
            coarse=CoarseConfig(width=8, blocks=2, bottleneck=8),
            refine=DifferenceConfig(width=8, blocks=2),
        )
    )


def coarse() -> PG2:
    """Stage I alone, at 32x16, which is told of poses by numbers."""
    pose = PoseConfig(embedding="coordinates")
    return made(ModelConfig(frame=(32, 16), pose=pose, coarse=CoarseConfig(width=8, blocks=2), refine=None))


def made(config: ModelConfig, seed: int = 0) -> PG2:
    """A model with random weights, none of them zero, so that nothing that is wrong stays unseen."""
    torch.manual_seed(seed)
    model = PG2(config)
    model.initialise()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return model.eval()
