"""A person: attributes, a body, and the layers that are drawn."""

from dataclasses import dataclass

import numpy as np

from pg2.rendering.attributes import Attributes, draw_attributes
from pg2.rendering.bags import make_bag
from pg2.rendering.body import BodyModel
from pg2.rendering.collars import make_collar
from pg2.rendering.figure import Figure
from pg2.rendering.garments import Tights, draw_dyes, sew
from pg2.rendering.hair import make_hair
from pg2.rendering.headwear import make_headwear
from pg2.rendering.layers import Layer
from pg2.rendering.outfits import draw_outfit
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
    """Draw a person of the studio and dress them."""
    return _dressed(model, draw_attributes(rng), rng)


def draw_person_of_photographs(model: BodyModel, rng: np.random.Generator) -> Person:
    """Draw a person as photographs show them; see `outfits`."""
    return _dressed(model, draw_outfit(rng), rng)


def _dressed(model: BodyModel, wear: Attributes, rng: np.random.Generator) -> Person:
    details = wear.details
    figure = Figure(model, wear.phenotype, None if details is None else details.shapes)
    dyes = draw_dyes(wear, rng)
    tights = Tights(figure, even=details is not None)
    clothes = sew(figure, wear, dyes, tights, rng)
    shoes, in_shoes = make_shoes(figure, wear, dyes.shoe)
    skin = make_skin(figure, wear, [*clothes.hides, in_shoes], rng)
    layers = [*clothes.layers, *shoes, *skin, *make_hair(figure, wear, rng)]
    if details is not None:
        layers += make_headwear(figure, details) + make_collar(figure, wear, dyes)
        layers += make_bag(figure, details, tights, clothes.distance)
    return Person(wear, figure, layers)
