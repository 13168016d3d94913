"""Things that stand in scenes: lists of pieces around the origin, on the floor, their front towards -y."""

import colorsys

import numpy as np

from pg2.rendering.geometry import Array
from pg2.rendering.scenes.pieces import Finish, Paint, Piece, blob, box, column, moved, prism, quad

_WOODS = ((0.72, 0.55, 0.38), (0.50, 0.34, 0.22), (0.84, 0.72, 0.56), (0.33, 0.22, 0.15), (0.62, 0.44, 0.28))
_GREENS = ((0.30, 0.42, 0.20), (0.24, 0.36, 0.18), (0.40, 0.48, 0.22), (0.20, 0.33, 0.22), (0.47, 0.50, 0.26))


def hue(
    rng: np.random.Generator,
    saturation: tuple[float, float] = (0.0, 0.5),
    value: tuple[float, float] = (0.2, 0.95),
) -> Array:
    """A colour of any hue; most things are duller than they may be."""
    dull = float(rng.uniform()) ** 1.6
    low, high = saturation
    return np.array(colorsys.hsv_to_rgb(rng.uniform(), low + (high - low) * dull, rng.uniform(*value)))


def wood(rng: np.random.Generator) -> Array:
    """A colour of wood."""
    return np.array(_WOODS[int(rng.integers(len(_WOODS)))]) * rng.uniform(0.85, 1.1)


def green(rng: np.random.Generator) -> Array:
    """A colour of leaves."""
    return np.array(_GREENS[int(rng.integers(len(_GREENS)))]) * rng.uniform(0.8, 1.25)


def paint(
    rng: np.random.Generator, finish: Finish, colour: Array, second: Array | None = None, scale: float = 1.0
) -> Paint:
    """Paint with a seed of its own; the second colour is a darker one unless given."""
    return Paint(finish, colour, colour * 0.6 if second is None else second, scale, float(rng.uniform(0, 40)))


def bed(rng: np.random.Generator) -> list[Piece]:
    """With a headboard, a blanket and pillows."""
    wide, long, high = rng.uniform(0.9, 1.8), 2.0, rng.uniform(0.42, 0.58)
    frame = paint(rng, Finish.PLANKS, wood(rng), scale=3.0)
    cover = paint(rng, Finish.FABRIC, hue(rng), hue(rng), rng.uniform(0.2, 1.2))
    linen = paint(rng, Finish.FABRIC, hue(rng, (0, 0.2), (0.75, 1.0)), scale=9.0)
    pieces = box((-wide / 2, -long, 0.0), (wide / 2, 0, high - 0.18), frame)
    pieces += box((-wide / 2 - 0.03, -long - 0.02, high - 0.32), (wide / 2 + 0.03, -0.5, high), cover)
    pieces += box((-wide / 2, -0.55, high - 0.2), (wide / 2, 0, high - 0.02), linen)
    pieces += box((-wide / 2, -0.06, 0), (wide / 2, 0.02, high + rng.uniform(0.3, 0.7)), frame)
    for x in (-wide / 4, wide / 4):
        pieces.append(blob((x, -0.28, high + 0.06), (wide * 0.22, 0.2, 0.11), linen))
    return pieces


def sofa(rng: np.random.Generator) -> list[Piece]:
    """With arms and cushions."""
    wide, cloth = rng.uniform(0.9, 2.2), paint(rng, Finish.FABRIC, hue(rng, value=(0.15, 0.85)), scale=8.0)
    pieces = box((-wide / 2, -0.85, 0.08), (wide / 2, 0, 0.43), cloth)
    pieces += box((-wide / 2, -0.22, 0.4), (wide / 2, 0, 0.85), cloth)
    for x in (-wide / 2 - 0.16, wide / 2):
        pieces += box((x, -0.85, 0), (x + 0.16, 0, 0.62), cloth)
    for _ in range(int(rng.integers(0, 4))):
        x = rng.uniform(-wide / 2 + 0.2, wide / 2 - 0.2)
        cushion = paint(rng, Finish.FABRIC, hue(rng), hue(rng), rng.uniform(0.15, 0.6))
        pieces.append(blob((x, -0.33, 0.62), (0.22, 0.1, 0.2), cushion))
    return pieces


def shelf(rng: np.random.Generator) -> list[Piece]:
    """Full of books and boxes."""
    wide, high, deep = rng.uniform(0.6, 1.6), rng.uniform(1.0, 2.2), 0.3
    frame = paint(
        rng, Finish.PLANKS, wood(rng) if rng.uniform() < 0.6 else hue(rng, (0, 0.1), (0.7, 0.97)), scale=3.0
    )
    books = paint(rng, Finish.BOOKS, frame.colour, frame.colour * 0.4, rng.uniform(0.27, 0.38))
    front = quad((-wide / 2, -deep, 0), (wide, 0, 0), (0, 0, high), books)
    return [*box((-wide / 2 - 0.02, -deep + 0.01, 0), (wide / 2 + 0.02, 0, high + 0.02), frame), front]


def cupboard(rng: np.random.Generator) -> list[Piece]:
    """A wardrobe, a chest of drawers or a kitchen counter, with lines between its doors."""
    wide, high = rng.uniform(0.6, 2.0), rng.choice([0.75, 0.9, 2.0])
    colour = wood(rng) if rng.uniform() < 0.5 else hue(rng, (0, 0.3), (0.5, 0.97))
    doors = paint(rng, Finish.TILES, colour, colour * 0.45, rng.uniform(0.3, 0.6))
    pieces = box((-wide / 2, -0.5, 0), (wide / 2, 0, high), doors)
    if high < 1:
        pieces += box(
            (-wide / 2 - 0.02, -0.54, high),
            (wide / 2 + 0.02, 0, high + 0.035),
            paint(rng, Finish.PLAIN, hue(rng)),
        )
        for _ in range(int(rng.integers(0, 5))):
            pieces.append(_pot(rng, (0.05, 0.16), wide, -0.25, high, (0.6, 0.45, 2)))
    return pieces


def _pot(
    rng: np.random.Generator,
    sizes: tuple[float, float],
    wide: float,
    y: float,
    high: float,
    shape: tuple[float, float, float],
) -> Piece:
    """One on a thing so wide and high; `shape` is its radius below and above and its height, by its size."""
    x, size = rng.uniform(-wide / 2 + 0.1, wide / 2 - 0.1), rng.uniform(*sizes)
    below, above, tall = (size * part for part in shape)
    return column((x, y, high), below, above, tall, paint(rng, Finish.ENAMEL, hue(rng, (0, 0.8))))


def table(rng: np.random.Generator) -> list[Piece]:
    """With four legs and some things on it."""
    wide, deep, high = rng.uniform(0.6, 1.8), rng.uniform(0.5, 0.9), rng.uniform(0.45, 0.78)
    top = paint(rng, Finish.PLANKS, wood(rng) if rng.uniform() < 0.7 else hue(rng, (0, 0.2)), scale=4.0)
    pieces = box((-wide / 2, -deep, high - 0.04), (wide / 2, 0, high), top)
    for x in (-wide / 2 + 0.05, wide / 2 - 0.05):
        for y in (-deep + 0.05, -0.05):
            pieces += box((x - 0.025, y - 0.025, 0), (x + 0.025, y + 0.025, high), top)
    for _ in range(int(rng.integers(0, 4))):
        pieces.append(_pot(rng, (0.04, 0.14), wide, -deep / 2, high, (0.7, 0.5, 1.8)))
    return pieces


def chair(rng: np.random.Generator) -> list[Piece]:
    """With a back."""
    seat = paint(rng, Finish.PLANKS, wood(rng) if rng.uniform() < 0.6 else hue(rng, (0, 0.6)), scale=4.0)
    pieces = box((-0.22, -0.44, 0.43), (0.22, 0, 0.48), seat)
    for x in (-0.2, 0.2):
        for y in (-0.42, -0.02):
            pieces += box((x - 0.018, y - 0.018, 0), (x + 0.018, y + 0.018, 0.45 if y < -0.1 else 0.92), seat)
    pieces += box((-0.2, -0.03, 0.6), (0.2, 0, 0.92), seat)
    return pieces


def lamp(rng: np.random.Generator) -> list[Piece]:
    """A standing lamp, lit or not."""
    high, lit = rng.uniform(1.3, 1.7), rng.uniform() < 0.6
    shade = hue(rng, (0, 0.3), (0.7, 1.0))
    metal = paint(rng, Finish.ENAMEL, hue(rng, (0, 0.1), (0.1, 0.8)))
    return [
        column((0, -0.25, 0), 0.14, 0.13, 0.03, metal),
        column((0, -0.25, 0), 0.013, 0.013, high, metal),
        column(
            (0, -0.25, high - 0.05), 0.2, 0.13, 0.26, paint(rng, Finish.GLOW if lit else Finish.FABRIC, shade)
        ),
    ]


def house_plant(rng: np.random.Generator) -> list[Piece]:
    """A pot with leaves."""
    high, pot = rng.uniform(0.4, 1.3), paint(rng, Finish.ENAMEL, hue(rng, (0, 0.5)))
    pieces = [column((0, -0.2, 0), 0.12, 0.16, 0.3, pot)]
    leaves = paint(rng, Finish.LEAVES, green(rng), green(rng) * 0.6, rng.uniform(0.8, 1.6))
    for _ in range(int(rng.integers(3, 7))):
        x, y = rng.uniform(-0.2, 0.2, 2)
        z = 0.3 + high * rng.uniform(0.2, 0.9)
        pieces.append(
            blob((x, -0.2 + y, z), (rng.uniform(0.1, 0.26), 0.16, rng.uniform(0.1, 0.3)), leaves, 0.5, x * 90)
        )
    return pieces


def picture_frame(rng: np.random.Generator) -> list[Piece]:
    """A picture, a poster or a mirror, hung at the height of the eyes."""
    wide, high = rng.uniform(0.25, 1.2), rng.uniform(0.25, 1.0)
    low = rng.uniform(1.15, 1.6)
    art = paint(rng, Finish.PICTURE, hue(rng, (0, 0.2), (0.1, 0.95)), hue(rng, (0.1, 0.8)), 0.06)
    return [quad((-wide / 2, -0.02, low), (wide, 0, 0), (0, 0, high), art, whole=True)]


def door(rng: np.random.Generator) -> list[Piece]:
    """A door in its frame."""
    colour = wood(rng) if rng.uniform() < 0.4 else hue(rng, (0, 0.5), (0.4, 0.97))
    leaf = paint(rng, Finish.TILES, colour, colour * 0.7, rng.choice([0.4, 0.8, 1.05]))
    frame = paint(rng, Finish.PLAIN, colour * 0.9)
    wide, high = rng.uniform(0.8, 1.0), 2.05
    pieces = [quad((-wide / 2, -0.015, 0), (wide, 0, 0), (0, 0, high), leaf)]
    for x in (-wide / 2 - 0.08, wide / 2):
        pieces += box((x, -0.04, 0), (x + 0.08, 0, high + 0.08), frame)
    pieces += box((-wide / 2, -0.04, high), (wide / 2, 0, high + 0.08), frame)
    pieces.append(
        blob(
            (wide / 2 - 0.08, -0.06, 1.03),
            (0.03, 0.03, 0.03),
            paint(rng, Finish.ENAMEL, np.array([0.7, 0.65, 0.5])),
        )
    )
    return pieces


def window(rng: np.random.Generator) -> list[Piece]:
    """A window with daylight behind it, often with curtains."""
    wide, high, low = rng.uniform(0.8, 2.2), rng.uniform(1.0, 1.6), rng.uniform(0.1, 0.95)
    pane = paint(rng, Finish.PANE, green(rng), hue(rng, (0, 0.1), (0.75, 1.0)), rng.uniform(0.4, 0.9))
    pieces = [quad((-wide / 2, -0.01, low), (wide, 0, 0), (0, 0, high), pane)]
    if rng.uniform() < 0.6:
        curtain = paint(rng, Finish.CURTAIN, hue(rng, (0, 0.6), (0.4, 1.0)), scale=rng.uniform(0.1, 0.2))
        drop = 0.02 if rng.uniform() < 0.7 else low - 0.05
        for x in (-wide / 2 - 0.25, wide / 2 - 0.2):
            pieces.append(quad((x, -0.07, drop), (0.45, 0, 0), (0, 0, low + high + 0.12 - drop), curtain))
    else:
        pieces += box(
            (-wide / 2 - 0.05, -0.12, low - 0.04),
            (wide / 2 + 0.05, 0, low),
            paint(rng, Finish.PLAIN, np.array([0.93, 0.92, 0.9])),
        )
    return pieces


def radiator(rng: np.random.Generator) -> list[Piece]:
    """Under windows."""
    ribs = paint(rng, Finish.CURTAIN, np.array([0.9, 0.9, 0.88]), scale=0.08)
    return [*box((-0.5, -0.1, 0.12), (0.5, -0.02, 0.72), ribs)]


def tree(rng: np.random.Generator, high: float) -> list[Piece]:
    """A trunk and a crown."""
    trunk = paint(rng, Finish.GRAVEL, np.array([0.36, 0.29, 0.23]) * rng.uniform(0.8, 1.3))
    leaves = paint(rng, Finish.LEAVES, green(rng), green(rng) * 0.5, rng.uniform(0.25, 0.5))
    pieces = [column((0, 0, 0), 0.035 * high, 0.02 * high, 0.6 * high, trunk, 9)]
    wide = high * rng.uniform(0.2, 0.34)
    for _ in range(int(rng.integers(5, 9))):
        angle, out = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.8) * wide
        size = wide * rng.uniform(0.4, 0.75)
        centre = (np.cos(angle) * out, np.sin(angle) * out, high * rng.uniform(0.5, 0.95))
        pieces.append(blob(centre, (size, size, size * 0.8), leaves, 0.35, angle * 7))
    return pieces


def bush(rng: np.random.Generator, high: float) -> list[Piece]:
    """Some blobs of leaves."""
    leaves = paint(rng, Finish.LEAVES, green(rng), green(rng) * 0.5, rng.uniform(0.6, 1.2))
    return [
        blob(
            (rng.uniform(-0.6, 0.6) * high, rng.uniform(-0.3, 0.3) * high, high * rng.uniform(0.25, 0.55)),
            (high * rng.uniform(0.4, 0.8), high * 0.5, high * rng.uniform(0.3, 0.5)),
            leaves,
            0.4,
            index * 3.0,
        )
        for index in range(int(rng.integers(2, 6)))
    ]


def hedge(rng: np.random.Generator, wide: float, high: float) -> list[Piece]:
    """A wall of leaves, about straight."""
    leaves = paint(rng, Finish.LEAVES, green(rng), green(rng) * 0.5, rng.uniform(0.7, 1.1))
    step = high * 0.7
    return [
        blob(
            (x + rng.uniform(-0.1, 0.1), 0, high / 2),
            (step * 0.9, 0.4, high * rng.uniform(0.48, 0.58)),
            leaves,
            0.25,
            x,
        )
        for x in np.arange(-wide / 2, wide / 2 + step, step)
    ]


def car(rng: np.random.Generator) -> list[Piece]:
    """Seen from its side: a body, a cabin with dark windows, wheels."""
    long = rng.uniform(3.7, 4.7)
    body = paint(rng, Finish.ENAMEL, hue(rng, (0, 0.8), (0.08, 0.95)))
    glass = paint(rng, Finish.ENAMEL, np.array([0.12, 0.14, 0.16]))
    dark = paint(rng, Finish.PLAIN, np.array([0.07, 0.07, 0.08]))
    half = long / 2
    low = [(-half, 0.3), (half, 0.3), (half, 0.72), (half * 0.55, 0.88), (-half * 0.85, 0.92), (-half, 0.75)]
    cabin = [(-half * 0.8, 0.88), (half * 0.5, 0.88), (half * 0.2, 1.42), (-half * 0.55, 1.45)]
    roof = [(-half * 0.56, 1.43), (half * 0.22, 1.40), (half * 0.16, 1.47), (-half * 0.5, 1.49)]
    pieces = (
        prism(low, 1.7, body, (0, 0, 0))
        + prism(cabin, 1.5, glass, (0, 0.1, 0))
        + prism(roof, 1.5, body, (0, 0.1, 0))
    )
    pieces += box((-0.06 - half * 0.15, 0.09, 0.88), (0.02 - half * 0.15, 0.12, 1.45), body)
    for x in (-half * 0.62, half * 0.62):
        angle = np.linspace(0, 2 * np.pi, 15)[:-1]
        wheel = [(x + 0.32 * np.cos(a), 0.32 + 0.32 * np.sin(a)) for a in angle]
        hub = [(x + 0.18 * np.cos(a), 0.32 + 0.18 * np.sin(a)) for a in angle]
        pieces += prism(wheel, 0.2, dark, (0, -0.02, 0))
        pieces += prism(hub, 0.1, paint(rng, Finish.ENAMEL, np.array([0.6, 0.6, 0.62])), (0, -0.03, 0))
    for x in (-half * 0.97, half * 0.9):
        pieces += box(
            (x, -0.01, 0.6),
            (x + 0.14, 0.05, 0.72),
            paint(rng, Finish.ENAMEL, np.array([0.85, 0.6 if x > 0 else 0.15, 0.5 if x > 0 else 0.12])),
        )
    return pieces


def lamp_post(rng: np.random.Generator) -> list[Piece]:
    """Or the post of a sign."""
    metal = paint(rng, Finish.ENAMEL, hue(rng, (0, 0.2), (0.12, 0.6)))
    high = rng.uniform(2.6, 6.0)
    pieces = [column((0, 0, 0), 0.07, 0.05, high, metal, 9)]
    if rng.uniform() < 0.5:
        pieces += box((-0.2, -0.12, high), (0.2, 0.12, high + 0.3), metal)
    else:
        sign = paint(rng, Finish.PICTURE, hue(rng, (0, 0.8), (0.3, 1.0)), hue(rng, (0.3, 0.9)), 0.1)
        size = rng.uniform(0.4, 0.8)
        pieces.append(
            quad((-size / 2, -0.08, high - size - 0.1), (size, 0, 0), (0, 0, size), sign, whole=True)
        )
    return pieces


def bench(rng: np.random.Generator) -> list[Piece]:
    """For two."""
    planks = paint(rng, Finish.SLATS, wood(rng), scale=0.11)
    iron = paint(rng, Finish.ENAMEL, np.array([0.15, 0.16, 0.16]))
    pieces = [
        quad((-0.8, -0.45, 0.45), (1.6, 0, 0), (0, 0.42, 0.02), planks),
        quad((-0.8, 0, 0.52), (1.6, 0, 0), (0, 0.12, 0.42), planks),
    ]
    for x in (-0.7, 0.66):
        pieces += box((x, -0.42, 0), (x + 0.05, 0, 0.45), iron)
    return pieces


def passer_by(rng: np.random.Generator) -> list[Piece]:
    """Somebody far away: good enough out of focus."""
    tall = rng.uniform(1.55, 1.88)
    skin = np.array([0.88, 0.68, 0.55]) * rng.uniform(0.4, 1.05)
    top, legs = (
        paint(rng, Finish.FABRIC, hue(rng, (0, 0.8), (0.1, 0.9)), scale=9.0),
        paint(rng, Finish.FABRIC, hue(rng, (0, 0.4), (0.08, 0.6)), scale=9.0),
    )
    body = paint(rng, Finish.PLAIN, skin)
    step, s = rng.uniform(0.03, 0.16), tall / 1.7
    pieces = [
        blob((0, 0, 1.16 * s), (0.21 * s, 0.13 * s, 0.33 * s), top),
        blob((0, 0, 0.86 * s), (0.18 * s, 0.13 * s, 0.16 * s), legs),
        blob((0, 0, 1.59 * s), (0.085 * s, 0.10 * s, 0.125 * s), body),
        blob(
            (0, 0.02, 1.63 * s),
            (0.095 * s, 0.10 * s, 0.11 * s),
            paint(rng, Finish.PLAIN, np.array([0.2, 0.14, 0.1])),
        ),
    ]
    for x in (-1, 1):
        pieces.append(column((x * 0.09 * s, x * step, 0), 0.055 * s, 0.09 * s, 0.85 * s, legs, 9))
        pieces.append(column((x * 0.26 * s, -x * step * 0.8, 0.75 * s), 0.04 * s, 0.06 * s, 0.66 * s, top, 8))
        pieces.append(
            blob(
                (x * 0.09 * s, x * step - 0.05, 0.05),
                (0.05, 0.13, 0.06),
                paint(rng, Finish.PLAIN, np.array([0.15, 0.14, 0.14])),
            )
        )
    return moved(pieces, float(rng.uniform(-180, 180)))
