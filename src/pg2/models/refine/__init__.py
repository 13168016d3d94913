"""Second stages: one file each, and the one place that makes them from their settings."""

from pg2.models.config import DifferenceConfig, RefineConfig, TransportConfig
from pg2.models.refine.difference import DifferenceRefiner
from pg2.models.refine.transport import TransportRefiner
from pg2.models.stage import Refiner


def build_refiner(config: RefineConfig, frame: tuple[int, int]) -> Refiner:
    """The second stage that the settings describe, for pictures of `frame`, (height, width)."""
    match config:
        case DifferenceConfig():
            return DifferenceRefiner(config)
        case TransportConfig():
            return TransportRefiner(config, frame)
