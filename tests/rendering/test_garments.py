"""Clothes, shoes and hair: what covers what."""

from dataclasses import replace

import numpy as np
import pytest

from pg2.rendering.attributes import draw_attributes
from pg2.rendering.coverage import inside_bottom, inside_top
from pg2.rendering.garments import Tights, draw_dyes, sew
from pg2.rendering.hair import make_hair
from pg2.rendering.layers import FABRICS, Kind
from pg2.rendering.outfits import draw_outfit
from pg2.rendering.shoes import make_shoes

WEAR = replace(
    draw_attributes(np.random.default_rng(0)),
    top="t-shirt", bottom="trousers", dress=False, tuck=False, neck="crew", sleeve=0.6, leg_hem=0.02,
    top_pattern="stripes", bottom_pattern="plain", shoes="sneaker", hair="short",
)  # fmt: skip


def at(figure, bone: str):
    point = figure.head(bone)[None]
    arm = np.array([float(bone.startswith(("upperarm", "lowerarm", "wrist")))])
    return point, arm


def test_a_t_shirt_covers_the_trunk_and_the_upper_arms(figure):
    for bone, covered in {
        "spine02": True, "upperarm01.L": True, "lowerarm01.L": False, "wrist.R": False, "head": False,
        "lowerleg01.L": False,
    }.items():  # fmt: skip
        assert (inside_top(figure, WEAR, *at(figure, bone))[0] > 0) == covered, bone
    long = replace(WEAR, top="long sleeve")
    assert inside_top(figure, long, *at(figure, "lowerarm01.L"))[0] > 0


def test_trousers_and_shorts_end_at_their_hems(figure):
    shorts = replace(WEAR, bottom="shorts", leg_hem=0.38)
    for bone in ("upperleg01.L", "lowerleg01.L"):
        assert inside_bottom(figure, WEAR, *at(figure, bone))[0] > 0
    assert inside_bottom(figure, shorts, *at(figure, "lowerleg01.L"))[0] < 0
    assert inside_bottom(figure, WEAR, *at(figure, "spine01"))[0] < 0
    assert inside_bottom(figure, WEAR, *at(figure, "wrist.L"))[0] < 0


@pytest.mark.parametrize(
    ("wear", "count"),
    [
        (WEAR, 2),
        (replace(WEAR, top="jacket"), 3),
        (replace(WEAR, bottom="skirt", leg_hem=0.3, tuck=True), 3),
        (replace(WEAR, bottom="leggings", leg_hem=0.05, neck="v"), 2),
        (replace(WEAR, top="tank top", bottom="shorts", leg_hem=0.4), 2),
        (replace(WEAR, top="long sleeve", neck="high"), 2),
    ],
)
def test_garments_are_whole_meshes_that_follow_the_bones(figure, wear, count):
    rng = np.random.default_rng(0)
    clothes = sew(figure, wear, draw_dyes(wear, rng), Tights(figure), rng)
    layers, hides = clothes.layers, clothes.hides
    assert len(layers) == count
    for layer in layers:
        assert layer.material.kind == Kind.CLOTH
        assert np.isfinite(layer.vertices).all()
        np.testing.assert_allclose(np.asarray(layer.weights.sum(1)).ravel(), 1)
        assert layer.drawn_faces.max() < len(layer.source) == len(layer.inside) == len(layer.colour)
        np.testing.assert_array_equal(layer.source[layer.drawn_faces], layer.faces)
        assert (layer.inside > 0).any()
    chest = np.argmin(np.linalg.norm(figure.vertices - figure.head("spine02"), axis=1))
    assert np.max(hides, 0)[chest] > 0
    assert len(hides) == (3 if wear.top == "jacket" else 2)


@pytest.mark.parametrize("kind", ["sneaker", "flat", "boot"])
def test_shoes_hide_the_toes(figure, kind):
    layers, inside = make_shoes(figure, replace(WEAR, shoes=kind), np.array([0.5, 0.4, 0.3]))
    assert len(layers) == (3 if kind == "boot" else 2)
    toe = np.argmin(np.linalg.norm(figure.vertices - figure.head("toe2-2.L"), axis=1))
    assert inside[toe] > 0
    assert inside[np.argmax(figure.vertices[:13380, 2])] < 0
    assert layers[0].vertices[:, 0].mean() > 0 > layers[1].vertices[:, 0].mean()


@pytest.mark.parametrize(
    ("style", "count"),
    [("bald", 0), ("short", 1), ("cropped", 1), ("afro", 1), ("quiff", 1), ("cap", 3), ("bob", 2),
     ("long", 2), ("bun", 2), ("ponytail", 2)],
)  # fmt: skip
def test_hair_is_on_the_head(figure, style, count):
    layers = make_hair(figure, replace(WEAR, hair=style), np.random.default_rng(0))
    assert len(layers) == count
    for layer in layers:
        np.testing.assert_allclose(np.asarray(layer.weights.sum(1)).ravel(), 1)
        assert layer.vertices[:, 2].max() > figure.neck + 0.05


def photo_wear(**details):
    """The clothes of `WEAR` with a jacket, as a photograph shows them."""
    drawn = draw_outfit(np.random.default_rng(1)).details
    usual = {
        "fabrics": ("knit", "denim", "wool"),
        "open": 0.0,
        "coat_hem": None,
        "drop": 0.0,
        "front": "plain",
    }
    return replace(WEAR, top="jacket", details=replace(drawn, **usual | details))


def sewn(figure, wear):
    return sew(
        figure,
        wear,
        draw_dyes(wear, np.random.default_rng(0)),
        Tights(figure, even=True),
        np.random.default_rng(0),
    )


def test_a_photograph_knows_the_fabrics(figure):
    bottom, top, jacket = sewn(figure, photo_wear()).layers
    assert [FABRICS[one.material.fabric] for one in (top, bottom, jacket)] == ["knit", "denim", "wool"]


def test_a_coat_hangs_below_the_hips_and_gapes_where_it_is_open(figure):
    def below_the_hips(one):
        drawn = one.vertices[one.source][one.inside > 0]
        return drawn[drawn[:, 2] < figure.hip - 0.1]

    closed, open_ = (sewn(figure, photo_wear(coat_hem=0.3, open=share)).layers[-1] for share in (0.0, 1.0))
    assert len(below_the_hips(closed))
    assert below_the_hips(closed)[:, 2].min() > figure.floor + 0.25 * figure.stature
    in_front = [
        one[(one[:, 1] < -0.05) & (np.abs(one[:, 0]) < 0.02)] for one in map(below_the_hips, (closed, open_))
    ]
    assert len(in_front[0])
    assert not len(in_front[1])
    assert len(sewn(figure, photo_wear()).layers) == 3


def test_sleeves_are_narrow_at_the_wrists_of_photographs_only(figure):
    tights = Tights(figure)
    wrist = (tights.arm > 0.5) & (np.abs(tights.along - 0.95 * (figure.upper_arm + figure.forearm)) < 0.02)
    skin = tights.cloth(np.zeros(len(tights.points)))[wrist]
    of_photo, of_studio = (
        np.linalg.norm(sewn(figure, wear).layers[2].vertices[wrist] - skin, axis=1).mean()
        for wear in (photo_wear(), replace(WEAR, top="jacket"))
    )
    assert of_photo < 0.6 * of_studio


def test_patterns_go_evenly_around_the_trunk(figure):
    """The angle by which stripes are laid grows about as fast at the back as in front."""
    shares = []
    for even in (False, True):
        tights = Tights(figure, even=even)
        place = tights.places[0]
        chest = (tights.arm < 0.1) & (np.abs(tights.points[:, 2] - figure.waist - 0.1) < 0.05)
        turn = np.arctan2(place[:, 0], -place[:, 1])[chest]
        x, y = tights.points[chest, 0], tights.points[chest, 1]
        beside = np.abs(x) < 0.06
        front, back = (
            np.polyfit(x[side & beside], np.sin(turn[side & beside]), 1)[0]
            for side in (y < np.median(y), y > np.median(y))
        )
        shares.append(back / front)
    assert abs(np.log(shares[1])) < 0.4 * abs(np.log(shares[0]))
