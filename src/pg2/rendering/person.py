"""A person: attributes, a body, and the layers that are drawn."""

from dataclasses import dataclass

import numpy as np

from pg2.rendering.attributes import Attributes, draw_attributes
from pg2.rendering.body import BodyModel
from pg2.rendering.figure import Figure
from pg2.rendering.garments import draw_dyes, sew
from pg2.rendering.hair import make_hair
from pg2.rendering.layers import Layer
from pg2.rendering.shoes import make_shoes
from pg2.rendering.skin import make_skin


@dataclass(frozen=True, eq=False)
class Person:
    """One person, dressed.

    Attributes:
        attributes: what they are like.
        figure: their body at rest.
        layers: all that is drawn of them, at rest.
    """

    attributes: Attributes
    figure: Figure
    layers: list[Layer]


def draw_person(model: BodyModel, rng: np.random.Generator) -> Person:
    """Draw a person and dress them."""
    wear = draw_attributes(rng)
    figure = Figure(model, wear.phenotype)
    dyes = draw_dyes(wear, rng)
    clothes, hides = sew(figure, wear, dyes, rng)
    shoes, in_shoes = make_shoes(figure, wear, dyes.shoe)
    skin = make_skin(figure, wear, [*hides, in_shoes], rng)
    return Person(wear, figure, [*clothes, *shoes, *skin, *make_hair(figure, wear, rng)])
