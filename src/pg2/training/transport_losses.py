"""Loss terms of a second stage that fetches from the source, and of the exact flow that rendered people come
with.

Where a data set has no exact flow (photographs), the terms that need it are 0, and the copy mask learns from
the pictures alone.
"""

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.data.correspondence import Seen
from pg2.models.inputs import Output
from pg2.training.losses import ssim_loss
from pg2.training.terms import Ready, Term

_PATCH = 9  # pixels, over which two pictures' errors are compared


def flow_loss(places: Tensor, exact: Tensor, weight: Tensor, scale: float) -> Tensor:
    """End-point error: how far from the exact place was fetched, mean over the weight.

    Args:
        places, exact: [B, h, w, 2], (x, y) in pixels of the source.
        weight: [B, h, w].
        scale: pixels that count as an error of 1.
    """
    error = (places - exact).abs().sum(-1) / scale
    return (error * weight).sum() / weight.sum().clamp_min(1.0)


def mask_loss(mask: Tensor, wanted: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of a mask [B, 1, H, W] in [0, 1] with the wanted one, mean over the weight."""
    # Written out, so that what is not a number reaches the loss, where the loop stops with a word.
    sure = mask.clamp(1e-4, 1 - 1e-4)
    loss = -(wanted * sure.log() + (1 - wanted) * (1 - sure).log())
    return loss.mean() if weight is None else (loss * weight).sum() / weight.sum().clamp_min(1.0)


def nearer(first: Tensor, second: Tensor, target: Tensor, margin: float) -> Tensor:
    """Where the first of two pictures is nearer to the target, patch by patch, softly: [B, 1, H, W] in [0,
    1].

    Args:
        first, second, target: images [B, 3, H, W] in [-1, 1].
        margin: in favour of the first, of a range of 2.
    """
    errors = [
        F.avg_pool2d((image - target).abs().mean(1, keepdim=True), _PATCH, 1, _PATCH // 2)
        for image in (first, second)
    ]
    return ((errors[1] - errors[0] + margin) / 0.02).sigmoid()


def _seen(ready: Ready, kind: Seen, size: tuple[int, int] | None = None) -> Tensor:
    """Where the source shows a place of the target so, float [B, 1, h, w], or of a size (height, width)."""
    assert ready.batch.exact is not None
    seen = (ready.batch.exact.seen == kind).float()[:, None]
    return seen if size is None else F.interpolate(seen, size, mode="bilinear")


def _none(output: Output) -> Tensor:
    return output.image.new_zeros(())


class _TransportTerm(Term):
    @property
    def wants_exact(self) -> bool:
        """See `Term`."""
        return True

    @property
    def needs_transport(self) -> bool:
        """See `Term`."""
        return True


class FlowTerm(_TransportTerm):
    """End-point error to the exact flow of rendered people, on the grid of 1/stride."""

    borrowed: float = Field(
        0.3, ge=0, description="weight of places that the source hides, towards their nearest counterpart"
    )

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """See `flow_loss`; a sixteenth of the frame's height counts as 1."""
        if ready.batch.exact is None:
            return _none(output)
        weight = _seen(ready, Seen.VISIBLE) + self.borrowed * _seen(ready, Seen.BORROWED)
        scale = ready.target.shape[2] / 16
        return flow_loss(output.maps["places"], ready.batch.exact.places, weight[:, 0], scale)


class WarpedTerm(_TransportTerm):
    """L1 and 1 - SSIM of what was fetched, where the source shows it (or something that may stand for it)."""

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """Without exact flow on the target's pose mask."""
        warped, target = output.pictures["warped"], ready.target
        size = (target.shape[2], target.shape[3])
        there = ready.mask
        if ready.batch.exact is not None:
            either = _seen(ready, Seen.VISIBLE, size) + _seen(ready, Seen.BORROWED, size)
            there = (either > 0.5).float() * (ready.batch.exact.target_mask > 12).float()
        l1 = ((warped - target).abs() * there).sum() / (3 * there.sum()).clamp_min(1.0)
        black = warped.new_tensor(-1.0)
        made, wanted = (torch.where(there > 0, picture, black) for picture in (warped, target))
        return l1 + ssim_loss(made, wanted, stride=3)


class CopyTerm(_TransportTerm):
    """The copy mask: it says where what was fetched is nearer to the target than the coarse picture.

    In the L1 of the result it would close everywhere, as blur wins L1; there it is taken as it stands.
    """

    margin: float = Field(0.08, description="in favour of what was fetched, of a range of 2")

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """Cross-entropy on the person."""
        with torch.no_grad():
            coarse = output.image if ready.coarse is None else ready.coarse
            wanted = nearer(output.pictures["warped"], coarse, ready.target, self.margin)
            body = ready.mask
            if ready.batch.exact is not None:
                size = (body.shape[2], body.shape[3])
                seen = _seen(ready, Seen.VISIBLE, size) + 0.85 * _seen(ready, Seen.BORROWED, size)
                wanted = torch.maximum(0.5 * seen, wanted) * (seen > 0.05)
                body = (ready.batch.exact.target_mask > 25).float()
        return mask_loss(output.maps["copied"], wanted, body)


class SilhouetteTerm(_TransportTerm):
    """Where the person is, in the target and in the source."""

    source: float = Field(0.5, ge=0, description="of the source's silhouette beside the target's")

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """Without exact masks: at least on the pose mask, and nowhere far from it."""
        exact = ready.batch.exact
        if exact is not None:
            target, source = (mask.float() / 255 for mask in (exact.target_mask, exact.source_mask))
            of_source = mask_loss(output.maps["source_silhouette"], source)
            return mask_loss(output.pictures["silhouette"], target) + self.source * of_source
        near = F.max_pool2d(ready.mask, 2 * (ready.mask.shape[2] // 16) + 1, 1, ready.mask.shape[2] // 16)
        known = ready.mask + (1 - near)
        return mask_loss(output.pictures["silhouette"], ready.mask, known)
