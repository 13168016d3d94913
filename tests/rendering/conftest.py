"""What the tests of rendering share; those that draw are skipped, with a reason, where there is no EGL."""

from collections.abc import Iterator

import numpy as np
import pytest

from pg2.errors import Pg2Error
from pg2.rendering.body import BodyModel
from pg2.rendering.figure import Figure
from pg2.rendering.options import RenderOptions
from pg2.rendering.people import check_renderer
from pg2.rendering.person import Person, draw_person, draw_person_of_photographs
from pg2.rendering.picture import Picture
from pg2.rendering.pictures import Photographer

OPTIONS = RenderOptions(poses=4, size=(64, 64), seed=3)


@pytest.fixture(scope="session")
def egl() -> None:
    """Skips where this machine cannot draw without a screen."""
    try:
        check_renderer()
    except Pg2Error as error:
        if "EGL does not work here" not in str(error):
            raise
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def model() -> BodyModel:
    return BodyModel()


@pytest.fixture(scope="session")
def people(model: BodyModel) -> list[Person]:
    """The first two people of `OPTIONS`."""
    return [draw_person(model, np.random.default_rng([OPTIONS.seed, index])) for index in range(2)]


@pytest.fixture(scope="session")
def photo_people(model: BodyModel) -> list[Person]:
    """Two people as photographs show them."""
    return [draw_person_of_photographs(model, np.random.default_rng([5, index])) for index in range(2)]


@pytest.fixture(scope="session")
def figure(people: list[Person]) -> Figure:
    return people[0].figure


@pytest.fixture(scope="session")
def options() -> RenderOptions:
    return OPTIONS


@pytest.fixture(scope="session")
def pictures(egl: None) -> Iterator[list[list[Picture]]]:
    """All pictures of the first two people of `OPTIONS`, made in this process."""
    with Photographer(OPTIONS) as photographer:
        yield [list(photographer.photograph(index)[1]) for index in range(2)]
