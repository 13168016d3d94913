from dataclasses import replace

import numpy as np
import pytest

from pg2.rendering.film import develop, draw_film, hollows
from pg2.rendering.scenes.light import draw_light

SIZE = (64, 48)
FILM = replace(
    draw_film(draw_light(np.random.default_rng(0), "studio", 3.0), np.random.default_rng(0)),
    exposure=1.0, balance=np.ones(3), contrast=0.0, saturation=1.0, vignette=0.0, noise=0.0, soft=0.01,
    crisp=0.0, aperture=0.0, shake=0.0,
)  # fmt: skip


def scene(value=0.3, distance=9.0):
    behind = np.full((*SIZE, 4), value, np.float32)
    behind[..., 3] = distance
    return behind


NOBODY = np.zeros((*SIZE, 4), np.float32)


def shown(film=FILM, person=NOBODY, behind=None, before=None, seed=0):
    behind = scene() if behind is None else behind
    return develop(person, behind, before, 3.0, 100.0, film, np.random.default_rng(seed))


def test_more_light_is_brighter_and_never_too_bright():
    levels = [int(shown(behind=scene(value))[0].mean()) for value in (0.0, 0.05, 0.2, 1.0, 50.0)]
    assert levels == sorted(set(levels))
    assert levels[0] == 0
    assert levels[-1] == 255
    assert shown()[0].shape == (*SIZE, 3)


def test_noise_and_shake_come_from_the_generator():
    film = replace(FILM, noise=0.02)
    one, same, other = (shown(film, seed=seed)[0].astype(int) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert 1 < np.abs(one - other).mean() < 30
    edge = scene()
    edge[:, :24, :3] = 0
    still, shaken = (shown(replace(FILM, shake=share), behind=edge)[0].astype(int) for share in (0.0, 1.0))
    assert np.abs(np.diff(shaken, axis=1)).max() < np.abs(np.diff(still, axis=1)).max()


def test_what_is_far_blurs_and_the_person_does_not():
    lines = scene()
    lines[:, ::8, :3] = 2.0
    person = NOBODY.copy()
    person[20:40, 10:30] = (0.1, 0.1, 0.1, 1.0)
    sharp, blurred = (
        shown(replace(FILM, aperture=aperture), person, lines)[0].astype(int) for aperture in (0.0, 0.2)
    )
    assert np.std(blurred[:15, 12:36]) < 0.4 * np.std(sharp[:15, 12:36])
    np.testing.assert_allclose(blurred[22:38, 12:28], sharp[22:38, 12:28], atol=1)
    near = lines.copy()
    near[..., 3] = 3.0
    np.testing.assert_array_equal(shown(replace(FILM, aperture=0.2), behind=near)[0], shown(behind=near)[0])


def test_what_is_before_hides_the_person():
    person = NOBODY.copy()
    person[..., :] = (0.5, 0.5, 0.5, 1.0)
    leaf = NOBODY.copy()
    leaf[:, :20] = (0.0, 0.4, 0.0, 1.0)
    image, open_ = shown(person=person, before=(leaf, 1.5))
    assert (open_[:, :20] == 0).all()
    assert (open_[:, 20:] == 1).all()
    assert (image[:, 2, 1] > image[:, 2, 0]).all()
    np.testing.assert_array_equal(image[:, 30], shown(person=person)[0][:, 30])


def test_it_is_darker_behind_a_limb_than_on_it():
    distance, covered = np.full(SIZE, 3.0), np.ones(SIZE, np.float32)
    distance[:, 20:26] = 2.85  # an arm before the body
    covered[:4] = 0
    light = hollows(distance, covered, focal=100.0)
    assert light[30, 27] < 0.95
    assert light[30, 23] == pytest.approx(1, abs=1e-3)
    assert light[30, 45] == pytest.approx(1, abs=1e-3)
    np.testing.assert_array_equal(hollows(distance, np.zeros(SIZE, np.float32), 100.0), 1)


def test_the_balance_takes_some_of_the_colour_out_of_the_light():
    for seed in range(6):
        rng = np.random.default_rng(seed)
        light = draw_light(rng, "inside", 3.0)
        film = draw_film(light, rng)
        seen = light.key * 0.5 + (light.sky + light.ground) / 2
        assert np.ptp(np.log(seen * film.balance)) < max(np.ptp(np.log(seen)), 0.15)
        assert 55 <= film.quality <= 96
