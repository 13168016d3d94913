"""Losses of transport, and a refiner that learns from them to beat copying and the coarse picture."""

import pytest
import torch
from model_samples import inputs

from pg2.data.correspondence import Seen
from pg2.data.exact import Exact
from pg2.data.loader import Batch
from pg2.models.inputs import Output
from pg2.training.settings import Losses
from pg2.training.terms import Ready
from pg2.training.transport_losses import flow_loss, mask_loss, nearer, selection_loss

FRAME = (32, 16)


def ready(exact: bool) -> tuple[Ready, Output]:
    torch.manual_seed(0)
    known = None
    if exact:
        masks = (torch.rand(2, 2, 1, *FRAME) > 0.5).to(torch.uint8) * 255
        seen = torch.randint(0, 4, (2, 8, 4), dtype=torch.uint8)
        known = Exact(torch.rand(2, 8, 4, 2) * 15, seen, masks[0], masks[1])
    batch = Batch(inputs(2, FRAME), inputs(2, FRAME).source, known)
    source, target, coarse, image, warped = torch.rand(5, 2, 3, *FRAME) * 2 - 1
    mask = (torch.rand(2, 1, *FRAME) > 0.5).float()
    soft = torch.rand(2, 2, 1, *FRAME).requires_grad_()
    pictures = {"warped": warped.requires_grad_()}
    places = (torch.rand(2, 8, 4, 2) * 15).requires_grad_()
    odds = torch.randn(2, 10, 8, 4).requires_grad_()
    maps = {"places": places, "copied": soft[1], "silhouette": soft[0], "source_silhouette": soft[0]}
    maps |= {"odds": odds, "priors": torch.randn(2, 10, 8, 4), "ways": torch.rand(2, 10, 8, 4, 2) * 15}
    maps |= {"painted": warped}
    return Ready(batch, source, target, mask, coarse), Output(image, pictures, maps)


@pytest.mark.parametrize("exact", [False, True])
def test_every_term_is_a_number_with_and_without_exact_flow(exact: bool) -> None:
    values = dict.fromkeys(("flow", "warped", "painted", "copied", "silhouette"), 1)
    losses = Losses.model_validate({name: {"weight": weight} for name, weight in values.items()})
    prepared, output = ready(exact)
    for name, term in losses.terms.items():
        if name == "l1":
            continue
        value = term.value(prepared, output, None)
        assert value.shape == ()
        assert value.isfinite(), name
        assert term.of_transport
        assert value.item() > 0 or (name == "flow" and not exact)


def test_the_flow_counts_where_the_place_is_seen() -> None:
    exact = torch.zeros(1, 2, 2, 2)
    places = torch.tensor([[[[8.0, 8.0], [99, 99]], [[0, 0], [99, 99]]]])
    weight = torch.tensor([[[1.0, 0.0], [1.0, 0.0]]])
    assert flow_loss(places, exact, weight, 16.0).item() == pytest.approx(0.5)
    assert flow_loss(places, exact, torch.zeros_like(weight), 16.0).item() == 0.0


def test_the_copy_mask_opens_where_the_warped_picture_is_nearer() -> None:
    target = torch.zeros(1, 3, 32, 32)
    good, bad = target + 0.01, target + 0.5
    assert nearer(good, bad, target, 0.0).min() > 0.99
    assert nearer(bad, good, target, 0.0).max() < 0.01
    assert nearer(good, good, target, 0.08).min() > 0.9, "the margin is in its favour"


def test_a_pattern_that_lies_a_little_aside_is_nearer_than_a_blur() -> None:
    stripes = torch.tensor([-1.0, 1.0]).repeat_interleave(2).repeat(32).expand(1, 3, 128, 128)
    aside, blur = stripes.roll(1, 3), torch.zeros_like(stripes)
    assert (aside - stripes).abs().mean() >= (blur - stripes).abs().mean()
    assert nearer(aside, blur, stripes, 0.04)[..., 8:-8].min() > 0.5


def test_a_mask_that_is_right_costs_nothing() -> None:
    wanted = torch.tensor([[[[0.0, 1.0]]]])
    assert mask_loss(wanted, wanted).item() < 1e-3
    assert mask_loss(1 - wanted, wanted).item() > 5
    assert mask_loss(1 - wanted, wanted, torch.zeros_like(wanted)).item() == 0.0
    assert mask_loss(wanted * torch.nan, wanted).isnan(), "the loop says so, and stops"


def test_borrowed_places_count_less() -> None:
    prepared, output = ready(True)
    assert prepared.batch.exact is not None
    seen = torch.full_like(prepared.batch.exact.seen, Seen.BORROWED)
    borrowed = prepared._replace(
        batch=prepared.batch._replace(exact=prepared.batch.exact._replace(seen=seen))
    )
    without = Losses.model_validate({"flow": {"weight": 1, "borrowed": 0}}).flow
    assert without.value(borrowed, output, None).item() == 0.0
    assert without.value(prepared, output, None).item() > 0.0


def test_the_part_that_fetches_from_next_to_the_exact_place_is_to_be_chosen() -> None:
    exact, weight = torch.zeros(1, 1, 1, 2), torch.ones(1, 1, 1)
    ways = torch.full((1, 10, 1, 1, 2), 90.0)
    ways[:, 3] = 1.0
    priors = torch.zeros(1, 10, 1, 1)

    def loss(part: int) -> float:
        odds = torch.zeros(1, 10, 1, 1)
        odds[:, part] = 9.0
        return selection_loss(odds, priors, ways, exact, weight).item()

    assert loss(3) < 0.01
    assert loss(4) > 5
    ways[:, 4] = 0.0
    priors[:, 4] = -12.0
    assert loss(3) < 0.01, "one that cannot be there is no choice, however near"
