"""Recipes: the settings of a training run, read from YAML and checked name by name."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from pg2.errors import Pg2Error
from pg2.io.files import exists, read_text
from pg2.io.packaged import RECIPES
from pg2.training.settings import Recipe

_MOST_BYTES = 64_000  # of a recipe; a whole one has 4,000
_DEEPEST = 16
_LONGEST = 300  # characters of what a recipe says, as they are repeated in an error

# What may change when a run is taken up again: how long it goes on, what it reports on the way, and what
# changes nothing but time and memory.
_MAY_CHANGE = {
    "steps",
    "log_every",
    "save_every",
    "validate_every",
    "threads",
    "compile",
    "accumulate",
    "sharded",
}


class _Loader(yaml.SafeLoader):
    """YAML as settings need it, and YAML's own error for all that it cannot read."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            # A few lines of them stand for more than fits into memory.
            raise self._error("aliases (*name) are not taken; name a recipe to start from with extends")
        if self._depth == _DEEPEST:
            raise self._error(f"settings nest deeper than {_DEEPEST} levels")
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1

    def _error(self, why: str) -> yaml.YAMLError:
        event = self.peek_event()  # type: ignore[no-untyped-call]
        return yaml.composer.ComposerError(None, None, why, event.start_mark)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (ValueError, LookupError, ArithmeticError, AttributeError, TypeError) as error:
            kind = node.tag.rpartition(":")[2]
            raise yaml.constructor.ConstructorError(
                None, None, f"not a valid {kind}", node.start_mark
            ) from error


def _parse(text: str, what: str) -> Any:
    try:
        return yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise Pg2Error(f"{what} is not valid YAML: {_shown(error)}") from error


def _shown(words: object) -> str:
    """What a recipe says, or what is said of it, as it may stand in a sentence."""
    text = " ".join(str(words).split())
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _subsettings(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _subsettings(part)]


def _walk(location: Sequence[str | int]) -> tuple[str, type[BaseModel] | None]:
    """The place of an error as it stands in a recipe, and the settings that its last name is one of."""
    settings: type[BaseModel] | None = Recipe
    names: list[str] = []
    for number, step in enumerate(location):
        field = settings.model_fields.get(str(step)) if settings else None
        last = number == len(location) - 1
        if settings and field is None and not last:
            continue  # which kind of a stage the checks took it for, no name in the recipe
        names.append(str(step))
        if not last:
            inner = _subsettings(field.annotation) if field else []
            kinds = [kind for kind in inner if str(location[number + 1]) in _tags(kind)]
            settings = next(iter(kinds or inner), None)
    return ".".join(names), settings


def _tags(settings: type[BaseModel]) -> tuple[Any, ...]:
    kind = settings.model_fields.get("kind")
    return get_args(kind.annotation) if kind else ()


def _sentence(error: ValidationError, source: str) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    where, settings = _walk(first["loc"])
    where = _shown(where)
    if first["type"] == "extra_forbidden":
        known = list(settings.model_fields) if settings else []
        near = difflib.get_close_matches(_shown(first["loc"][-1]), known, 1, 0.0)
        return f'{source}: unknown setting "{where}"; did you mean "{near[0] if near else known}"?'
    if first["type"] == "missing":
        return f'{source}: the setting "{where}" is missing'
    if first["type"] == "union_tag_invalid":
        context = first["ctx"]
        kinds = context["expected_tags"].replace("'", "").replace(", ", " or ")
        return f'{source}: {where}.kind is {kinds}, not "{_shown(context["tag"])}"'
    reason = _shown(first["msg"].removeprefix("Value error, "))
    return f"{source}: {where + ': ' if where else ''}{reason}"


def parse_recipe(values: Any, source: str) -> Recipe:
    """Check decoded YAML; `source` names it in errors.

    Raises:
        Pg2Error: naming the wrong setting, and for a typo the nearest valid name.
    """
    if not isinstance(values, dict):
        raise Pg2Error(f"{source} is not a recipe: it must be a YAML mapping of settings")
    try:
        return Recipe.model_validate(values)
    except ValidationError as error:
        raise Pg2Error(_sentence(error, source)) from error


def shipped_recipes() -> dict[str, Path]:
    """Name -> file of the recipes that come with the package."""
    return {
        file.relative_to(RECIPES).with_suffix("").as_posix(): file for file in sorted(RECIPES.rglob("*.yaml"))
    }


def _merge(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """`base` with `changes` laid over it, mapping by mapping; one that names its `kind` takes the place."""
    merged = dict(base)
    for key, value in changes.items():
        before = merged.get(key)
        if isinstance(before, dict) and isinstance(value, dict) and "kind" not in value:
            value = _merge(before, value)
        merged[key] = value
    return merged


def _read(name: str | Path, within: tuple[str, ...] = ()) -> tuple[Path, dict[str, Any]]:
    """The file and the settings of a recipe, those that it `extends` included."""
    shipped = shipped_recipes()
    path = shipped.get(str(name), Path(name))
    if not exists(path):
        near = difflib.get_close_matches(_shown(name), shipped, 1, 0.0)
        raise Pg2Error(
            f'there is no recipe "{_shown(name)}": neither a file nor one of the shipped {", ".join(shipped)}'
            + (f'; did you mean "{near[0]}"?' if near else "")
        )
    values = _parse(read_text(path, "a recipe", _MOST_BYTES), str(path))
    if not isinstance(values, dict):
        raise Pg2Error(f"{path} is not a recipe: it must be a YAML mapping of settings")
    base = values.pop("extends", None)
    if base is None:
        return path, values
    if not isinstance(base, str) or base in (*within, str(name)):
        raise Pg2Error(f"{path}: extends takes the name of one other recipe, not {_shown(base)}")
    if len(within) == _DEEPEST:
        raise Pg2Error(f"{path}: more than {_DEEPEST} recipes extend one another")
    return path, _merge(_read(base, (*within, str(name)))[1], values)


def load_recipe(name: str | Path, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe by shipped name (`fast/market1501`) or file, and apply `a.b=value` overrides.

    A recipe may say `extends: OTHER`, a shipped name or a file: then it holds only what differs from that.

    Raises:
        Pg2Error: no such recipe, not YAML, an unknown or wrong setting.
    """
    path, values = _read(name)
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals or not key:
            raise Pg2Error(f'--set takes NAME=VALUE, such as coarse.steps=1000, not "{_shown(override)}"')
        inner = values
        *parents, last = key.split(".")
        for parent in parents:
            if inner.get(parent) is None:
                inner[parent] = {}
            inner = inner[parent]
            if not isinstance(inner, dict):
                raise Pg2Error(f'--set {_shown(override)}: "{_shown(parent)}" is a value without settings')
        inner[last] = _parse(text, f"--set {_shown(override)}: the value")
    return parse_recipe(values, str(path) if not overrides else f"{path} with --set")


def check_same(now: Recipe, before: Recipe, run: Path) -> None:
    """Refuse to go on with a run under another recipe.

    Raises:
        Pg2Error: a setting differs that changes what is trained.
    """

    def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in values.items():
            found.update(flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value})
        return found

    for name, stage in now.stages.items():
        begun = before.stages.get(name)
        if begun is not None and begun.steps != stage.steps and stage.decay:
            raise Pg2Error(
                f"{run} was begun with {name}.steps = {begun.steps}, now it is {stage.steps}: the "
                f"learning rate falls over the last {stage.decay:.0%} of them, so that another number "
                "changes steps that were made already; give --out for a new run, or go on with "
                "--init-from and a recipe without decay"
            )
    old, new = flat(before.model_dump()), flat(now.model_dump())
    for key in [*old, *new]:
        if old.get(key) != new.get(key) and key.rpartition(".")[2] not in _MAY_CHANGE:
            raise Pg2Error(
                f"{run} was begun with {key} = {old.get(key)}, now it is {new.get(key)}: give the same "
                "recipe, or another --out for a new run"
            )
