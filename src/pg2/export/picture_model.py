"""A model whose pictures are bytes, as files have them: what stands in an exported graph."""

from torch import Tensor, nn

from pg2.models.inputs import Inputs, Output, as_bytes
from pg2.models.pg2 import PG2


class PictureModel(nn.Module):
    """Picture and keypoints in, pictures out, in the layout of Pillow and NumPy."""

    def __init__(self, model: PG2) -> None:
        super().__init__()
        self.model = model

    def forward(
        self, source: Tensor, source_keypoints: Tensor, target_keypoints: Tensor
    ) -> dict[str, Tensor]:
        """The result and the pictures that the model made on the way, by name. See `as_bytes`.

        Args:
            source: uint8 [B, H, W, 3] RGB, in the model's frame.
            source_keypoints, target_keypoints: float32 [B, 18, 2], (x, y) in pixels, NaN where missing.
        """
        return as_bytes(self.output(source, source_keypoints, target_keypoints), self.model.pictures)

    def output(self, source: Tensor, source_keypoints: Tensor, target_keypoints: Tensor) -> Output:
        """What the model itself gives. See `forward`."""
        output: Output = self.model(Inputs(source.movedim(-1, 1), source_keypoints, target_keypoints))
        return output
