"""Bags: a backpack, one across the chest, one in the hand. Layers of a person; in photographs only."""

import numpy as np
from scipy import sparse

from pg2.rendering.attributes import PALETTE, Details
from pg2.rendering.body import BodyModel
from pg2.rendering.figure import Figure
from pg2.rendering.garments import Tights
from pg2.rendering.geometry import Array, Weights, smoothstep, turn, unit
from pg2.rendering.hair import follow
from pg2.rendering.layers import FABRICS, SEAM, Kind, Layer, Material, layer
from pg2.rendering.solids import rounded_box, tube

_HAND, _ELBOW = "finger3-1.L", "lowerarm01.L"
_STRAP = 0.006  # metres from the outermost garment


def make_bag(figure: Figure, details: Details, tights: Tights, distance: Array) -> list[Layer]:
    """The bag of a person, if any.

    Args:
        figure: who carries it.
        details: says which, and its colour.
        tights: on which straps lie.
        distance: [N], how far from these the outermost garment hangs.
    """
    if details.bag == "none":
        return []
    colour = np.array(PALETTE[details.colours[1]])
    fabric = "leather" if details.bag != "backpack" else "linen"
    material = Material(
        Kind.CLOTH, second=colour * 0.5, fold=0.002, seed=8.0, outer=3, fabric=FABRICS.index(fabric)
    )
    if details.bag == "handbag":
        return _handbag(figure, colour, material)
    make = _backpack if details.bag == "backpack" else _crossbody
    body, strap = make(figure, colour, material, tights)
    edge = Material(Kind.CLOTH, second=colour * 0.5, outer=3, hem=SEAM, fabric=material.fabric)
    return [body, tights.cut(distance + _STRAP, strap, colour * 0.85, edge)]


def hanging(model: BodyModel, bones: Array, yaw: float, heads: Array) -> Array:
    """The transforms [B + 1, 4, 4] of the bones [B, 4, 4] and of what hangs straight down from the left arm.

    It hangs from the hand, or from the crook of the arm where the hand is higher.

    Args:
        model: whose bones they are.
        bones: from rest into a pose.
        yaw: how far the person is turned, in degrees.
        heads: of the bones at rest, [B, 3].
    """
    hand = model.bones[_HAND]
    hook = np.eye(4)
    hook[:3, :3] = turn("z", yaw)
    held, crook = (
        bones[bone, :3, :3] @ heads[bone] + bones[bone, :3, 3] for bone in (hand, model.bones[_ELBOW])
    )
    hook[:3, 3] = (held if held[2] < crook[2] else crook) - hook[:3, :3] @ heads[hand]
    return np.concatenate([bones, hook[None]])


def _backpack(figure: Figure, colour: Array, material: Material, tights: Tights) -> tuple[Layer, Array]:
    scale = figure.scale
    bottom, top = figure.waist - 0.02 * scale, figure.clavicle + 0.02 * scale
    on_back = tights.points[(tights.arm < 0.1) & (np.abs(tights.points[:, 0]) < 0.1 * scale)]
    back = on_back[(on_back[:, 2] > bottom) & (on_back[:, 2] < top), 1].max()
    centre = np.array([0, back + 0.095 * scale, (bottom + top) / 2])
    vertices, faces = rounded_box(centre, np.array([0.145 * scale, 0.075 * scale, (top - bottom) / 2]), 0.4)
    pack = layer(vertices, faces, _on_spine(figure, len(vertices)), colour, material)
    x, _, z = tights.points.T
    low = figure.waist + 0.16 * scale
    # Further down it runs outwards, below the arms and to the pack.
    centre_of_strap = (0.125 - 0.045 * smoothstep(low, figure.clavicle - 0.02 * scale, z)) * scale
    strap = 0.022 * scale - np.abs(np.abs(x) - centre_of_strap)
    return pack, np.where(tights.arm > 0.5, -1.0, np.minimum(strap, z - low))


def _crossbody(figure: Figure, colour: Array, material: Material, tights: Tights) -> tuple[Layer, Array]:
    """From the right shoulder to the left hip."""
    scale = figure.scale
    shoulder = np.array([-0.085 * scale, figure.clavicle + 0.03 * scale])
    hip = np.array([figure.hip_half_width * 0.95, figure.hip - 0.02 * scale])
    along = unit(hip - shoulder)
    across = np.array([-along[1], along[0]])
    middle = np.array([hip[0] + 0.055 * scale, -0.02 * scale, hip[1] - 0.05 * scale])
    vertices, faces = rounded_box(middle, np.array([0.045, 0.115, 0.085]) * scale, 0.3)
    weights = follow(figure, len(vertices), {"spine05": np.ones(len(vertices))})
    bag = layer(vertices, faces, weights, colour, material)
    flat = tights.points[:, [0, 2]]
    strap = 0.013 * scale - np.abs((flat - shoulder) @ across)
    length = (flat - shoulder) @ along
    strap = np.minimum(strap, np.minimum(length + 0.06 * scale, np.linalg.norm(hip - shoulder) - length))
    return bag, np.where(tights.arm > 0.5, -1.0, strap)


def _handbag(figure: Figure, colour: Array, material: Material) -> list[Layer]:
    """Hangs from the left hand by two handles."""
    scale = figure.scale
    held = figure.head(_HAND)
    drop = 0.15 * scale
    centre = held - [0, 0, drop + 0.11 * scale]
    body, faces = rounded_box(centre, np.array([0.055, 0.16, 0.11]) * scale, 0.28)
    layers = [layer(body, faces, _hangs(figure, len(body)), colour, material)]
    angle = np.linspace(0, np.pi, 16)
    for side in (-1, 1):
        handle = np.stack(
            [
                side * 0.03 * scale * (1 - np.sin(angle)),
                0.075 * scale * np.cos(angle),
                -drop + drop * np.sin(angle) ** 0.7,
            ],
            1,
        )
        vertices, handle_faces = tube(held + handle, 0.005 * scale, sides=6)
        layers.append(layer(vertices, handle_faces, _hangs(figure, len(vertices)), colour * 0.8, material))
    return layers


def _on_spine(figure: Figure, count: int) -> Weights:
    return follow(figure, count, {"spine01": np.full(count, 0.4), "spine03": np.full(count, 0.6)})


def _hangs(figure: Figure, count: int) -> Weights:
    """Weights CSR [count, B + 1]: all of it hangs; see `hanging`."""
    bones = len(figure.model.bones)
    return sparse.csr_matrix(
        (np.ones(count), (np.arange(count), np.full(count, bones))), shape=(count, bones + 1)
    )
