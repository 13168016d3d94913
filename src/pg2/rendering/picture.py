"""One picture of a rendered person, and what is known of it."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from pg2.io.pixels import Image8
from pg2.pose.keypoints import Points


@dataclass(frozen=True, eq=False)
class Picture:
    """One picture of a person.

    Attributes:
        image: uint8 RGB [H, W, 3].
        mask: float32 [H, W], 0 to 1, how much of a pixel the person covers.
        points: float32 [18, 2], (x, y) as whole pixels, NaN where missing.
        record: view, yaw (degrees, 0 = frontal), pose and framing.
        surface: float32 [H / 2, W / 2, 4], see `Drawing`; None where the options ask for no geometry.
        quality, subsampling: of the JPEG that it becomes. Full colour resolution (0) unless said otherwise:
            halved, it would blur clothes at these small sizes.
    """

    image: Image8
    mask: npt.NDArray[np.float32]
    points: Points
    record: dict[str, Any]
    surface: npt.NDArray[np.float32] | None = None
    quality: int = 92
    subsampling: int = 0
