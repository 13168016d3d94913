"""Loss terms of a second stage that fetches from the source, and of the exact flow that rendered people come
with.

Where a data set has no exact flow (photographs), the terms that need it are 0, and the copy mask learns from
the pictures alone.
"""

from typing import ClassVar

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn import functional as F

from pg2.data.correspondence import Seen
from pg2.models.inputs import Output
from pg2.training.losses import ssim_loss
from pg2.training.processes import weighted
from pg2.training.terms import Ready, Term, Weight

_NEXT_TO = 8.0  # pixels, over which a place differs from another

_PATCH = 64  # a patch reaches this part of the height to each side


def flow_loss(places: Tensor, exact: Tensor, weight: Tensor, scale: float) -> Tensor:
    """End-point error: how far from the exact place was fetched, mean over the weight.

    Args:
        places, exact: [B, h, w, 2], (x, y) in pixels of the source.
        weight: [B, h, w].
        scale: pixels that count as an error of 1.
    """
    error = (places - exact).abs().sum(-1) / scale
    return weighted((error * weight).sum(), weight.sum())


def selection_loss(odds: Tensor, priors: Tensor, ways: Tensor, exact: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy of the choice between parts with the one that the exact flow speaks for.

    That is the part that would fetch from next to the exact place, by the pose alone, among those that may be
    there.

    Args:
        odds, priors: log odds of the parts, [B, 10, h, w]: the network's, and by the pose alone.
        ways: [B, 10, h, w, 2], where each part would fetch.
        exact: [B, h, w, 2].
        weight: [B, h, w].
    """
    off = (ways.detach() - exact[:, None]).square().sum(-1) / _NEXT_TO**2
    wanted = (priors - off).softmax(1)
    loss = -(wanted * odds.log_softmax(1)).sum(1)
    return weighted((loss * weight).sum(), weight.sum())


def mask_loss(mask: Tensor, wanted: Tensor, weight: Tensor | None = None) -> Tensor:
    """Cross-entropy of a mask [B, 1, H, W] in [0, 1] with the wanted one, mean over the weight."""
    # Written out, so that what is not a number reaches the loss, where the loop stops with a word.
    sure = mask.clamp(1e-4, 1 - 1e-4)
    loss = -(wanted * sure.log() + (1 - wanted) * (1 - sure).log())
    return loss.mean() if weight is None else weighted((loss * weight).sum(), weight.sum())


def _moments(image: Tensor) -> Tensor:
    """Mean and standard deviation of the colours around each pixel, [B, 6, H, W]."""
    around = image.shape[2] // _PATCH
    side = 2 * around + 1
    # Rows, then columns: the same mean, several times as fast.
    both = torch.cat((image, image**2), 1)
    both = F.avg_pool2d(both, (side, 1), 1, (around, 0), count_include_pad=False)
    both = F.avg_pool2d(both, (1, side), 1, (0, around), count_include_pad=False)
    mean, square = both.chunk(2, 1)
    return torch.cat((mean, (square - mean**2).clamp_min(0).sqrt()), 1)


def nearer(first: Tensor, second: Tensor, target: Tensor, margin: Tensor | float) -> Tensor:
    """Where the first of two pictures is nearer to the target, softly: [B, 1, H, W] in [0, 1].

    Patches are compared by the mean and the spread of their colours, not pixel by pixel: a pattern that lies
    a little aside is nearer than a blur.

    Args:
        first, second, target: images [B, 3, H, W] in [-1, 1].
        margin: in favour of the first, of a range of 2; a number, or one a place.
    """
    wanted = _moments(target)
    # Of both moments together, each over the three colours.
    errors = [2 * (_moments(image) - wanted).abs().mean(1, keepdim=True) for image in (first, second)]
    return ((errors[1] - errors[0] + margin) / 0.02).sigmoid()


def _seen(ready: Ready, kind: Seen, size: tuple[int, int] | None = None) -> Tensor:
    """Where the source shows a place of the target so, float [B, 1, h, w], or of a size (height, width)."""
    assert ready.batch.exact is not None
    seen = (ready.batch.exact.seen == kind).float()[:, None]
    return seen if size is None else F.interpolate(seen, size, mode="bilinear")


def _none(output: Output) -> Tensor:
    return output.image.new_zeros(())


class _TransportTerm(Term):
    of_transport: ClassVar = True


class FlowTerm(_TransportTerm):
    """Where was fetched, and by which part, against the exact flow of rendered people."""

    selection: Weight = Field(0.25, description="of `selection_loss` beside the end-point error")
    borrowed: Weight = Field(
        0.3, description="weight of places that the source hides, towards their nearest counterpart"
    )

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """See `flow_loss`; a sixteenth of the frame's height counts as 1."""
        if ready.batch.exact is None:
            return _none(output)
        weight = _seen(ready, Seen.VISIBLE) + self.borrowed * _seen(ready, Seen.BORROWED)
        scale = ready.target.shape[2] / 16
        exact, maps = ready.batch.exact.places, output.maps
        error = flow_loss(maps["places"], exact, weight[:, 0], scale)
        if not self.selection:
            return error
        chosen = selection_loss(maps["odds"], maps["priors"], maps["ways"], exact, weight[:, 0])
        return error + self.selection * chosen


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
        l1 = weighted(((warped - target).abs() * there).sum(), 3 * there.sum())
        black = warped.new_tensor(-1.0)
        made, wanted = (torch.where(there > 0, picture, black) for picture in (warped, target))
        return l1 + ssim_loss(made, wanted, stride=3)


class PaintedTerm(_TransportTerm):
    """L1 of the picture without what is fetched: it is to be there where nothing can be fetched."""

    around: Weight = Field(0.2, description="of what is around the person, beside the person")

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """Of the person, or the target's pose mask where that is not known, and of what is around."""
        exact = ready.batch.exact
        there = ready.mask if exact is None else exact.target_mask.float() / 255
        off = (output.maps["painted"] - ready.target).abs()
        person = weighted((off * there).sum(), 3 * there.sum())
        return person + self.around * (off * (1 - there)).mean()


class CopyTerm(_TransportTerm):
    """The copy mask: it says where what was fetched is nearer to the target than what is painted.

    In the L1 of the result it would close everywhere, as blur wins L1; there it is taken as it stands.
    """

    margin: float = Field(
        0.12,
        ge=-2,
        le=2,
        description="in favour of what was fetched, where the source shows it, of a range of 2",
    )
    unsure: float = Field(
        0.04, ge=-2, le=2, description="the same where it is not known whether the source shows it"
    )

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """Cross-entropy on the person."""
        with torch.no_grad():
            margin: Tensor | float = self.unsure
            body = ready.mask
            if ready.batch.exact is not None:
                size = (body.shape[2], body.shape[3])
                seen = _seen(ready, Seen.VISIBLE, size) + 0.5 * _seen(ready, Seen.BORROWED, size)
                margin = self.margin * seen
                body = (ready.batch.exact.target_mask > 25).float()
            wanted = nearer(output.pictures["warped"], output.maps["painted"], ready.target, margin)
        return mask_loss(output.maps["copied"], wanted, body)


class SilhouetteTerm(_TransportTerm):
    """Where the person is, in the target and in the source."""

    source: Weight = Field(0.5, description="of the source's silhouette beside the target's")

    def value(self, ready: Ready, output: Output, network: nn.Module | None) -> Tensor:
        """Without exact masks: at least deep in the pose mask, and nowhere far from it."""
        exact = ready.batch.exact
        if exact is not None:
            target, source = (mask.float() / 255 for mask in (exact.target_mask, exact.source_mask))
            of_source = mask_loss(output.maps["source_silhouette"], source)
            return mask_loss(output.maps["silhouette"], target) + self.source * of_source
        height = ready.mask.shape[2]
        near, deep = _grown(ready.mask, height // 32), 1 - _grown(1 - ready.mask, height // 64)
        return mask_loss(output.maps["silhouette"], deep, deep + 1 - near)


def _grown(mask: Tensor, pixels: int) -> Tensor:
    return F.max_pool2d(mask, 2 * pixels + 1, 1, pixels)
