import json

import numpy as np

from pg2.rendering.attributes import PALETTE
from pg2.rendering.layers import CLOTH_PATTERNS, FABRICS, FRONTS
from pg2.rendering.outfits import draw_outfit

PEOPLE = [draw_outfit(np.random.default_rng(seed)) for seed in range(400)]


def test_a_person_is_drawn_from_the_generator_alone():
    assert draw_outfit(np.random.default_rng(7)) == PEOPLE[7]
    assert PEOPLE[7] != PEOPLE[8]
    assert json.loads(json.dumps(PEOPLE[7].record()))["details"]["hat"] == PEOPLE[7].details.hat


def test_skin_and_weight_are_spread_evenly():
    for values, low, high in (
        ([person.skin_tone for person in PEOPLE], 0, 5),
        ([person.phenotype["weight"] for person in PEOPLE], 0.15, 0.95),
    ):
        counts, _ = np.histogram(values, 4, (low, high))
        assert counts.min() > 70
    assert 160 < sum(person.female for person in PEOPLE) < 240


def test_everything_is_worn_by_somebody_and_known_to_the_renderer():
    assert {person.details.hat for person in PEOPLE} == {"none", "beanie", "brim", "headscarf"}
    assert {person.details.bag for person in PEOPLE} == {"none", "backpack", "crossbody", "handbag"}
    assert {person.details.glasses for person in PEOPLE} == {"none", "glasses", "sunglasses"}
    assert {person.details.collar for person in PEOPLE} == {"none", "shirt", "hood"}
    assert {fabric for person in PEOPLE for fabric in person.details.fabrics} == set(FABRICS)
    assert {person.top_pattern for person in PEOPLE} | {person.bottom_pattern for person in PEOPLE} == set(
        CLOTH_PATTERNS
    )
    assert {person.details.front for person in PEOPLE} <= set(FRONTS)
    assert 20 < sum(person.details.coat_hem is not None for person in PEOPLE) < 120
    assert any(person.details.scarf for person in PEOPLE)


def test_what_is_worn_fits_together():
    for person in PEOPLE:
        details = person.details
        assert (person.bottom_colour == person.top_colour) == person.dress
        assert person.top_second != person.top_colour
        assert set(details.colours) <= PALETTE.keys()
        assert not person.dress or person.bottom == "skirt"
        assert details.coat_hem is None or person.top == "jacket"
        assert details.hat == "none" or person.hair in ("short", "cropped", "bob", "long")
        assert not person.female or details.beard == 0
        assert details.collar == "none" or (person.top != "tank top" and details.hat != "headscarf")
