"""What clients call the models: never by where they lie on the server's disk."""

from collections.abc import Collection, Sequence
from pathlib import Path

from pg2.export.graph import SUFFIX
from pg2.io.files import exists


def names_for_clients(models: Sequence[str], shipped: Collection[str]) -> dict[str, str]:
    """Models by the names under which they are served, in order.

    A shipped model and one of the hub keep their names. A folder is called by its own name alone; that of a
    training, RUN/refined/model, by RUN/refined; an exported model by its file's name without .onnx. Of
    several with one name the later ones get a number.

    Args:
        models: as they are given to `Pipeline.from_pretrained`.
        shipped: the names of those that ship.
    """
    names: dict[str, str] = {}
    for model in models:
        wanted = model if model in shipped or not exists(model) else _name(Path(model).resolve())
        name, number = wanted, 1
        while name in names:
            number += 1
            name = f"{wanted}-{number}"
        names[name] = model
    return names


def _name(folder: Path) -> str:
    if folder.suffix.lower() == SUFFIX:
        return folder.stem
    stage = folder.parent
    if folder.name == "model" and stage.name in ("coarse", "refined") and stage.parent.name:
        return f"{stage.parent.name}/{stage.name}"
    return folder.name or "model"
