"""Recipes: every setting of a training run, read from YAML and checked name by name."""

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import yaml
from pydantic import BaseModel, Field, ValidationError, model_validator

from pg2.errors import Pg2Error
from pg2.io.packaged import RECIPES
from pg2.models.config import DiscriminatorConfig, ModelConfig, Settings
from pg2.training.losses import AdversarialLoss

Beta = Annotated[float, Field(ge=0, lt=1)]


class AdversarialConfig(Settings):
    """The adversary of a stage (paper, section 3.3). The defaults are the paper's."""

    discriminator: DiscriminatorConfig = DiscriminatorConfig()
    pairing: Literal["pair", "triplet"] = Field(
        "pair",
        description="pair: D sees (source, image) pairs (paper); triplet: single images, the source a fake "
        "too (released code)",
    )
    loss: AdversarialLoss = "bce"
    region: Literal["frame", "body"] = Field(
        "frame",
        description="frame: every patch that D judges counts (paper); body: those that the target's pose "
        "mask reaches, as there is little to be judged in a background",
    )
    weight: float = Field(1.0, ge=0, description="of L_adv in the generator's loss")
    feature_weight: float = Field(
        0.0, ge=0, description="of the distance of D's activations to the real image's; the paper has none"
    )
    r1_weight: float = Field(
        0.0, ge=0, description="of the squared gradient of D's logits at real images; the paper has none"
    )
    r1_every: int = Field(16, ge=1, description="steps from one such penalty to the next, weighted as often")
    lr: float | None = Field(None, gt=0, description="of the discriminator; null: the stage's")

    @model_validator(mode="after")
    def _has_patches(self) -> "AdversarialConfig":
        if self.region == "body" and (self.discriminator.head != "patch" or self.pairing != "pair"):
            raise ValueError('region: body needs discriminator.head "patch" and pairing "pair"')
        return self


class StageConfig(Settings):
    """One stage of training. The defaults are the paper's for Market-1501."""

    steps: int = Field(ge=0, description="0, for stage I alone: keep that of the model that is started from")
    batch: int = Field(16, ge=1, description="pairs a step, over all processes")
    lr: float = Field(2e-5, gt=0)
    betas: tuple[Beta, Beta] = Field((0.5, 0.999), description="of Adam")
    warmup: int = Field(0, ge=0, description="steps over which the learning rate rises from zero")
    decay: float = Field(
        0.0, ge=0, le=1, description="last share of the steps, over which the learning rate falls to zero"
    )
    mask_weight: float = Field(1.0, ge=0, description="of the pose mask in the L1 loss; 0: plain L1")
    l1_weight: float = Field(1.0, ge=0, description="lambda: of the L1 loss beside the adversarial one")
    ssim_weight: float = Field(0.0, ge=0, description="of 1 - SSIM beside the L1 loss; the paper has none")
    ssim_after: int = Field(0, ge=0, description="steps before that term joins")
    ssim_stride: int = Field(1, ge=1, le=7, description="of the windows of that term in pixels")
    adversarial: AdversarialConfig | None = None
    ema: float = Field(0.0, ge=0, lt=1, description="decay of the averaged weights; 0: none are kept")
    best_by: Literal["ssim", "mask_ssim", "l1"] | None = Field(
        None, description="keep a copy of the model that is best by this on validation pairs"
    )
    log_every: int = Field(50, ge=1)
    save_every: int = Field(250, ge=1, description="steps between checkpoints")
    validate_every: int = Field(500, ge=1)


class DataConfig(Settings):
    """How pairs are drawn."""

    flip: bool = Field(True, description="mirror half of the pairs left to right")
    validation_people: int = Field(
        16,
        ge=0,
        description="people of the training split kept out of training, for validation; a third at most",
    )
    validation_pairs: int = Field(256, ge=1)


class Recipe(Settings):
    """A training run: model, data, stage I ("coarse") and stage II ("refined")."""

    model: ModelConfig = ModelConfig()
    data: DataConfig = DataConfig()
    seed: int = Field(0, ge=0)
    precision: Literal["fp32", "bf16"] = "fp32"
    threads: int | None = Field(None, ge=1, description="CPU threads a process; null: PyTorch's choice")
    coarse: StageConfig
    refined: StageConfig | None = None

    @model_validator(mode="after")
    def _stages_fit(self) -> "Recipe":
        if self.refined is not None and self.refined.steps == 0:
            raise ValueError("refined.steps = 0: set refined and model.refine to null for a one-stage model")
        if (self.refined is None) != (self.model.refine is None):
            raise ValueError('"refined" and "model.refine" belong together: give both, or set both to null')
        for stage in (self.coarse, self.refined):
            factor = stage.adversarial.discriminator.unshuffle if stage and stage.adversarial else 1
            if any(side % factor for side in self.model.frame):
                raise ValueError(f"the frame does not divide by the discriminator's unshuffle = {factor}")
        return self


# What may change when a run is taken up again: how long it goes on, and what it reports on the way.
_MAY_CHANGE = {"steps", "log_every", "save_every", "validate_every", "threads"}


def _subsettings(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in get_args(annotation) for found in _subsettings(part)]


def _known_names(location: Sequence[str | int]) -> list[str]:
    """The names valid where a name was refused: those beside it."""
    settings: type[BaseModel] = Recipe
    for step in location[:-1]:
        field = settings.model_fields.get(str(step))
        inner = _subsettings(field.annotation) if field else []
        if not inner:
            return []
        settings = inner[0]
    return list(settings.model_fields)


def _sentence(error: ValidationError, source: str) -> str:
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"])
    if first["type"] == "extra_forbidden":
        name, known = str(first["loc"][-1]), _known_names(first["loc"])
        near = difflib.get_close_matches(name, known, 1, 0.0)
        return f'{source}: unknown setting "{where}"; did you mean "{near[0] if near else known}"?'
    if first["type"] == "missing":
        return f'{source}: the setting "{where}" is missing'
    reason = first["msg"].removeprefix("Value error, ")
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
    """`base` with `changes` laid over it, mapping by mapping."""
    merged = dict(base)
    for key, value in changes.items():
        before = merged.get(key)
        merged[key] = _merge(before, value) if isinstance(before, dict) and isinstance(value, dict) else value
    return merged


def _read(name: str | Path, within: tuple[str, ...] = ()) -> tuple[Path, dict[str, Any]]:
    """The file and the settings of a recipe, those that it `extends` included."""
    shipped = shipped_recipes()
    path = shipped.get(str(name), Path(name))
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        near = difflib.get_close_matches(str(name), shipped, 1, 0.0)
        raise Pg2Error(
            f'there is no recipe "{name}": neither a file nor one of the shipped {", ".join(shipped)}'
            + (f'; did you mean "{near[0]}"?' if near else "")
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise Pg2Error(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(values, dict):
        raise Pg2Error(f"{path} is not a recipe: it must be a YAML mapping of settings")
    base = values.pop("extends", None)
    if base is None:
        return path, values
    if not isinstance(base, str) or base in (*within, str(name)):
        raise Pg2Error(f"{path}: extends takes the name of one other recipe, not {base}")
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
            raise Pg2Error(f'--set takes NAME=VALUE, such as coarse.steps=1000, not "{override}"')
        inner = values
        *parents, last = key.split(".")
        for parent in parents:
            if inner.get(parent) is None:
                inner[parent] = {}
            inner = inner[parent]
            if not isinstance(inner, dict):
                raise Pg2Error(f'--set {override}: "{parent}" is a value, it has no settings below it')
        try:
            inner[last] = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise Pg2Error(f"--set {override}: the value is not valid YAML") from error
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

    old, new = flat(before.model_dump()), flat(now.model_dump())
    for key in [*old, *new]:
        if old.get(key) != new.get(key) and key.rpartition(".")[2] not in _MAY_CHANGE:
            raise Pg2Error(
                f"{run} was begun with {key} = {old.get(key)}, now it is {new.get(key)}: give the same "
                "recipe, or another --out for a new run"
            )
