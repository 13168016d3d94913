"""Exact flow between rendered pictures: a marker painted on a garment is where it says."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from pg2.data.correspondence import Seen, SourceSurface, correspond
from pg2.io.geometry_file import Geometry, from_surface
from pg2.rendering import pictures as making
from pg2.rendering.options import RenderOptions
from pg2.rendering.person import Person, draw_person
from pg2.rendering.picture import Picture
from pg2.rendering.pictures import Photographer

SIZE = (128, 128)
MARKER = 0.04  # metres


@pytest.fixture(scope="module")
def photographer(egl: None) -> Iterator[Photographer]:
    with Photographer(RenderOptions(poses=8, size=SIZE, seed=3, geometry=True)) as photographer:
        yield photographer


@pytest.fixture(scope="module")
def shots(photographer: Photographer) -> list[Picture]:
    return list(photographer.photograph(0)[1])


def geometry_of(shot: Picture) -> Geometry:
    assert shot.surface is not None
    return from_surface(shot.surface, shot.mask, (3, 0), b"")


def cell_centres() -> np.ndarray:
    return np.stack(np.meshgrid(*[np.arange(side // 4) * 4 + 1.5 for side in SIZE[::-1]]), -1)


def test_a_picture_lies_on_itself(shots: list[Picture]) -> None:
    for shot in shots:
        geometry = geometry_of(shot)
        found = correspond(SourceSurface(geometry), geometry)
        visible = found.seen == Seen.VISIBLE
        assert visible.sum() > 80
        assert visible.sum() > 0.98 * (found.seen != Seen.BACKGROUND).sum()
        off = np.abs(found.places - cell_centres()).max(-1)[visible]
        # Places that touch at rest, as of both thighs, cannot be told apart.
        assert np.mean(off < 2) > 0.98
        assert np.median(off) < 0.1


def marked(person: Person, number: int, place: np.ndarray) -> Person:
    """The person with a stain on one of the layers, counted from 1."""
    one = person.layers[number - 1]
    near = np.linalg.norm(one.vertices[one.source] - place, axis=1) < MARKER
    assert near.sum() >= 5
    colour = np.where(near[:, None], 1 - one.colour, one.colour)
    layers = [*person.layers]
    layers[number - 1] = replace(one, colour=colour)
    return replace(person, layers=layers)


def test_a_marker_lands_where_the_flow_says(
    photographer: Photographer, shots: list[Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    front = [shot.record["view"] for shot in shots].index("front")
    surface = shots[front].surface
    assert surface is not None
    # On the garment that shows most, where its rim is farthest.
    number = int(np.bincount(surface[..., 3].astype(int).ravel())[1:].argmax()) + 1
    from_rim = distance_transform_edt(surface[..., 3] == number)
    place = surface[np.unravel_index(from_rim.argmax(), from_rim.shape)][:3].astype(np.float64)
    monkeypatch.setattr(making, "draw_person", lambda *given: marked(draw_person(*given), number, place))
    stained = list(photographer.photograph(0)[1])
    geometries = [geometry_of(shot) for shot in shots]
    stains = [
        np.abs(with_stain.image.astype(float) - shot.image).sum(-1)
        for with_stain, shot in zip(stained, shots, strict=True)
    ]
    whole = max(stain.sum() for stain in stains)
    shown = [index for index, stain in enumerate(stains) if stain.sum() > 0.7 * whole]
    rows, columns = np.indices(SIZE)
    centres = {
        index: np.array([(columns * stains[index]).sum(), (rows * stains[index]).sum()]) / stains[index].sum()
        for index in shown
    }
    off = []
    for source in shown:
        index = SourceSurface(geometries[source])
        for target in shown:
            found = correspond(index, geometries[target], stride=2)
            x, y = (centres[target] + 0.5) / 2 - 0.5
            left, top = int(x), int(y)
            assert (found.seen[top : top + 2, left : left + 2] == Seen.VISIBLE).all()
            across, down = x - left, y - top
            upper, lower = (
                found.places[row, left] * (1 - across) + found.places[row, left + 1] * across
                for row in (top, top + 1)
            )
            off.append(np.linalg.norm(upper * (1 - down) + lower * down - centres[source]))
    assert len(shown) >= 3
    assert max(off) < 1
