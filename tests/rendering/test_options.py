import pytest

from pg2.errors import Pg2Error
from pg2.rendering.options import RenderOptions


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"poses": 0}, "give 1 to 100 poses a person, not 0"),
        ({"poses": 101}, "not 101"),
        ({"size": (250, 256)}, "multiples of 16, such as 256x256 or 128x64, not 250x256"),
        ({"size": (16, 256)}, "32 to 1024 pixels a side"),
        ({"size": (256, 1040)}, "32 to 1024 pixels a side"),
        ({"seed": -1}, "a seed is a whole number from 0"),
        ({"look": "plain"}, 'no look "plain"; choose studio or street or photo'),
        ({"framing": "upper"}, 'no framing "upper"; choose full or mixed or any'),
        ({"framing": "any"}, 'the framing "any" is for --look photo; choose full or mixed for studio'),
    ],
)
def test_what_cannot_be_rendered_is_refused(settings, said):
    with pytest.raises(Pg2Error, match=said):
        RenderOptions(**{"poses": 4, "size": (64, 64)} | settings)


def test_photographs_are_framed_freely_unless_told_otherwise():
    assert RenderOptions(poses=4, size=(64, 64)).framing == "full"
    assert RenderOptions(poses=4, size=(64, 64), look="photo").framing == "any"
    assert RenderOptions(poses=4, size=(64, 64), look="photo", framing="mixed").framing == "mixed"
