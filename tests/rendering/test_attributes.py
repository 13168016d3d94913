import json

import numpy as np

from pg2.rendering.attributes import PALETTE, draw_attributes


def test_a_person_is_drawn_from_the_generator_alone():
    assert draw_attributes(np.random.default_rng(1)) == draw_attributes(np.random.default_rng(1))
    assert draw_attributes(np.random.default_rng(1)) != draw_attributes(np.random.default_rng(2))


def test_clothes_can_be_told_apart():
    people = [draw_attributes(np.random.default_rng(seed)) for seed in range(200)]
    for person in people:
        assert person.top_colour != person.top_second
        assert (person.bottom_colour == person.top_colour) == person.dress
        assert person.jacket_colour not in (person.top_colour, person.top_second)
        assert {person.top_colour, person.bottom_colour, person.shoe_colour} <= PALETTE.keys()
        assert not person.dress or (person.bottom == "skirt" and person.top != "jacket")
        assert ((person.skin_rgb > 0) & (person.skin_rgb < 1)).all()
    assert 70 < sum(person.female for person in people) < 130
    assert {person.top for person in people} == {"t-shirt", "long sleeve", "tank top", "jacket"}


def test_the_record_is_json():
    record = draw_attributes(np.random.default_rng(4)).record()
    assert json.loads(json.dumps(record)) == record


def test_the_studio_has_no_details():
    assert draw_attributes(np.random.default_rng(4)).details is None
    assert "details" not in draw_attributes(np.random.default_rng(4)).record()
