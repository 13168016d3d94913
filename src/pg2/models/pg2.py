"""The stages as one model; saving, loading and sharing it."""

import difflib
import hashlib
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import HfApi, ModelCard, PyTorchModelHubMixin, snapshot_download
from huggingface_hub.errors import HfHubHTTPError
from pydantic import ValidationError
from torch import Tensor, nn

from pg2.errors import Pg2Error
from pg2.io import packaged
from pg2.io.files import atomic_path, exists, read_json, write_json
from pg2.io.tensors import load_tensors, read_header, save_tensors
from pg2.models.coarse import CoarseGenerator
from pg2.models.config import ModelConfig
from pg2.models.inputs import Inputs, Output, PictureInfo, results
from pg2.models.refine import build_refiner
from pg2.models.stage import Stage

CONFIG, WEIGHTS, CARD = "config.json", "model.safetensors", "README.md"

FORMAT = 1
"""Of config.json, which names it from now on: the highest that this version reads."""

ARCHITECTURE = "PG2"

_MOST_BYTES = 1_000_000  # of config.json, and of a model card

_DTYPES = ("F16", "BF16", "F32", "F64")

# A name as alike as this is one of ours with a slip; "john/people256" and "fast/people256" have 0.71.
_ALIKE = 0.8

_PATIENCE = 10  # seconds for the hub to say that it has a model

RESERVED = frozenset({"image", "source", "target", "skeleton", "strip", "full_size", "origin", "json"})
"""What no picture of a stage may be called: where pictures are asked for by name, it means something else."""

_CARD_TEMPLATE = """\
---
{{ card_data }}
---

# A pg2 model

Puts the person of a photo into another pose: PG2 ("Pose Guided Person Image Generation", Ma et al., NIPS
2017).

    from pg2 import Pipeline
    Pipeline.from_pretrained("THIS/MODEL")("photo.jpg", "walking").image.save("walking.png")

Say here what it was trained on, under which licence its weights are, how it scores and where it fails: the
licence above is pg2's own.
"""


class PG2(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="pg2",
    license="mit",
    pipeline_tag="image-to-image",
    tags=["pose-transfer", "person-image-generation"],
    model_card_template=_CARD_TEMPLATE,
    coders={ModelConfig: (lambda config: config.model_dump(mode="json"), ModelConfig.model_validate)},
):
    """PG2 (paper, section 3): a coarse image from source and pose, then a second stage that refines it.

    `save_pretrained(folder)`, `from_pretrained(name, folder or hub id)` and `push_to_hub(id)` follow
    `huggingface_hub`. A saved model is two files, config.json and model.safetensors; nothing is unpickled.

    Attributes:
        config: all its settings.
        card: the model card that it was loaded with, to be shared along with it; None: there was none.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.card: str | None = None
        self.coarse = CoarseGenerator(config.coarse, config.frame, config.pose)
        self.refine = None if config.refine is None else build_refiner(config.refine, config.frame)
        headings = [info.heading for info in self.pictures.values()]
        if RESERVED & self.pictures.keys() or len({*headings, "source", "result"}) < len(headings) + 2:
            raise ValueError(f"a stage makes pictures of names or headings that are taken: {self.pictures}")

    @property
    def stages(self) -> dict[str, Stage]:
        """The generators in the order in which they work, by the name of their picture: coarse, refined."""
        return {"coarse": self.coarse, **({} if self.refine is None else {"refined": self.refine})}

    @property
    def pictures(self) -> dict[str, PictureInfo]:
        """What `Output.pictures` will hold, in order."""
        further = {} if self.refine is None else self.refine.pictures
        return {"coarse": PictureInfo("stage I"), **further}

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    @property
    def digest(self) -> str:
        """The weights as 16 hexadecimal digits: a folder of the same name may hold another training."""
        return self.weights_sha256()[:16]

    def weights_sha256(self) -> str:
        """A hash of all weights."""
        digest = hashlib.sha256()
        for name, value in self.state_dict().items():
            digest.update(name.encode())
            digest.update(value.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    def forward(self, inputs: Inputs) -> Output:
        """All stages. The model draws heat maps itself, as its own settings say; see `Inputs`."""
        coarse = self.coarse(inputs)
        if self.refine is None:
            return Output(coarse, {"coarse": coarse})
        refined: Output = self.refine(inputs, coarse)
        return Output(refined.image, {"coarse": coarse, **refined.pictures}, refined.maps)

    @property
    def background(self) -> str | None:
        """What the second stage puts behind the person; None: it has no choice."""
        return None if self.refine is None else getattr(self.refine.config, "background", None)

    def set_background(self, background: str) -> None:
        """Put another of the second stage's `backgrounds` behind the person.

        Raises:
            Pg2Error: it does not know it.
        """
        known = () if self.refine is None else self.refine.backgrounds
        if self.refine is None or background not in known:
            have = f"only {' and '.join(known)}" if known else "no choice"
            raise Pg2Error(f'there is no background "{background}": this model has {have}')
        self.refine.set_background(background)

    def results(self, output: Output) -> dict[str, Tensor]:
        """The picture of each of `stages` in what `forward` gave, images [B, 3, H, W]."""
        return results(self.stages, output)

    def initialise(self) -> None:
        """Start all stages from nothing, each in its own way."""
        for stage in self.stages.values():
            stage.initialise()

    def start_from(self, start: "PG2") -> None:
        """Copy the weights of another model; a stage that it lacks, or has of another kind, is left alone.

        Where this model's pictures are k times as large and its stems unshuffle by k times as much, both work
        on the same grid inside, and only stem and head have other shapes. They are spread so that at first
        this model makes what `start` makes of the source scaled down k times, enlarged k times. So a model
        grows from small pictures, on which poses are learned in a fraction of the time, to large ones.

        Raises:
            Pg2Error: the networks differ in another setting than that.
        """
        new, old = self.config.frame, start.config.frame
        factor = new[0] // old[0]
        if new != (old[0] * factor, old[1] * factor):
            raise Pg2Error(
                f"a model for {old[0]}x{old[1]} cannot start one for {new[0]}x{new[1]}; a whole "
                "multiple of its frame is needed"
            )
        others = start.stages
        for name, stage in self.stages.items():
            if type(others.get(name)) is type(stage):
                stage.start_from(others[name], factor)

    def ending_with(self, stage: str, trained: nn.Module) -> "PG2":
        """A copy of this model whose last stage is `stage`, with the weights of `trained` in it."""
        names = list(self.stages)
        further = names[names.index(stage) + 1 :]
        copy = PG2(self.config.model_copy(update={"refine": None}) if "refined" in further else self.config)
        for name, own in copy.stages.items():
            own.load_state_dict((trained if name == stage else self.stages[name]).state_dict())
        return copy

    def save(self, folder: str | Path, dtype: torch.dtype = torch.float16) -> None:
        """Write the model as a folder of config.json and model.safetensors, the whole folder atomically.

        Args:
            folder: replaced when it exists.
            dtype: of the stored weights; float16 halves the file.
        """
        with atomic_path(folder) as new:
            new.mkdir()
            self._write(new, dtype)

    def _write(self, folder: Path, dtype: torch.dtype) -> None:
        state = {name: value.to(dtype) for name, value in self.state_dict().items()}
        save_tensors(folder / WEIGHTS, state, {"format": "pt"})
        about = {"architecture": ARCHITECTURE, "format": FORMAT}
        write_json(folder / CONFIG, {**about, "config": self.config.model_dump(mode="json")})

    def save_pretrained(self, save_directory: str | Path, **options: Any) -> str | None:
        """Write the model into a folder as `huggingface_hub` does, model card included; see it for `options`.

        Each file is replaced atomically; other files in the folder stay.
        """
        folder = Path(save_directory)
        with tempfile.TemporaryDirectory() as temporary:
            options.setdefault("repo_id", folder.name)
            answer: str | None = super().save_pretrained(temporary, **options)
            for name in (WEIGHTS, *sorted(file.name for file in Path(temporary).iterdir())):
                with atomic_path(folder / name) as new:
                    shutil.copyfile(Path(temporary) / name, new)
        return answer

    def _save_pretrained(self, save_directory: Path) -> None:
        self._write(save_directory, torch.float16)

    def generate_model_card(self, *args: Any, **options: Any) -> ModelCard:
        """The card of the model that this was loaded from, or a new one to be filled in."""
        if self.card is not None:
            return ModelCard(self.card, ignore_metadata_errors=True)
        return super().generate_model_card(*args, **options)

    @classmethod
    def from_pretrained(  # type: ignore[override]
        cls,
        model: str | Path,
        *,
        device: str | torch.device = "cpu",
        revision: str | None = None,
        **options: Any,
    ) -> "PG2":
        """Load a model.

        Args:
            model: the name of a shipped model (`shipped_models()`), a folder, or a Hugging Face hub id.
            device: where the weights go.
            revision: branch, tag or commit of a model of the hub; all files come from one commit.
            options: `token`, `cache_dir`, `local_files_only`, ... of `huggingface_hub.snapshot_download`.

        Raises:
            Pg2Error: there is no such model, or its files are damaged or of another kind.
        """
        folder = _find(str(model), revision, options)
        # Nothing is drawn at random only to be replaced: the weights that are read become the model's own.
        with torch.device("meta"):
            loaded = cls(_read_config(folder / CONFIG))
        loaded.load_state_dict(_read_weights(folder, loaded, device), assign=True)
        if (folder / CARD).is_file():
            with (folder / CARD).open("rb") as card:
                loaded.card = card.read(_MOST_BYTES).decode("utf-8", "replace")
        return loaded.eval()


def shipped_models() -> list[str]:
    """Names of the models inside the package, as `PG2.from_pretrained` takes them: the default one first."""
    root = packaged.WEIGHTS
    names = (file.parent.relative_to(root).as_posix() for file in root.rglob(CONFIG))
    return sorted(names, key=lambda name: (name != packaged.DEFAULT_MODEL, name))


def _find(model: str, revision: str | None, options: Mapping[str, Any]) -> Path:
    """The folder of a model: a shipped one's, the one that is named, or a copy of the hub's."""
    folder = packaged.WEIGHTS / model if model in shipped_models() else Path(model)
    if not exists(folder):
        return _download(model, revision, options)
    if revision is not None:
        raise Pg2Error(
            f"{model} is a local model and has no revision {revision}: only models of the hub have revisions"
        )
    if not folder.is_dir():
        raise Pg2Error(f"{model} is a file; give the folder of {CONFIG} and {WEIGHTS}")
    if not (folder / CONFIG).exists():
        inside = [folder / name for name in ("refined/model", "coarse/model", "model")]
        there = [str(place) for place in inside if (place / CONFIG).exists()]
        if there:
            raise Pg2Error(f"{model} is the folder of a training run; its model is {' or '.join(there)}")
    return folder


def _download(model: str, revision: str | None, options: Mapping[str, Any]) -> Path:
    shipped = shipped_models()
    near = difflib.get_close_matches(model[:100], shipped, 1)
    hint = f"did you mean {near[0]}" if near else f"the shipped models are {', '.join(shipped)}"
    beside = model.partition("/")[0]
    if model.startswith((".", "/", "~")) or model.count("/") != 1 or (revision is None and exists(beside)):
        raise Pg2Error(f"there is no model {model}: no such folder; {hint}")
    # With a revision the hub's is meant for certain.
    if revision is None and difflib.get_close_matches(model[:100], shipped, 1, _ALIKE):
        raise Pg2Error(f"there is no model {model}; {hint}? (--revision main asks the Hugging Face hub)")
    # One commit for all files: a model that is being updated is never read half old, half new.
    wanted = {"revision": revision, "allow_patterns": [CONFIG, WEIGHTS, CARD], **options}
    failed: Exception | None = None
    try:
        if not wanted.get("local_files_only"):
            try:
                # One short question, as snapshot_download may wait for minutes where there is no network.
                api = HfApi(endpoint=wanted.get("endpoint"), token=wanted.get("token"))
                api.model_info(model, revision=revision, timeout=_PATIENCE)
            except Exception as error:
                failed, wanted["local_files_only"] = error, True
        return Path(snapshot_download(model, **wanted))
    except Exception as error:  # the hub's errors and those of its HTTP library share no base class
        reason = failed or error
        why = "does not give it" if isinstance(reason, HfHubHTTPError | ValueError) else "cannot be reached"
        raise Pg2Error(
            f"there is no model {model}: no such folder, {hint}, and the Hugging Face hub {why} "
            f"({type(reason).__name__})"
        ) from error


def _read_config(path: Path) -> ModelConfig:
    if not path.exists():
        raise Pg2Error(f"{path} is missing; a model folder holds {CONFIG} and {WEIGHTS}")
    document = read_json(path, "the description of a pg2 model", _MOST_BYTES)
    if not isinstance(document, dict) or document.get("architecture", ARCHITECTURE) != ARCHITECTURE:
        raise Pg2Error(f"{path} is not the description of a pg2 model")
    number = document.get("format", 1)
    if isinstance(number, int) and number > FORMAT:
        raise Pg2Error(
            f"{path} was written by a newer pg2 (format {number}; this one reads up to {FORMAT}); upgrade pg2"
        )
    try:
        return ModelConfig.model_validate(document.get("config"))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, ("config", *first["loc"])))
        raise Pg2Error(
            f"{path} is not the description of a pg2 model: {where[:100]}: "
            f"{first['msg'].removeprefix('Value error, ')[:200]}"
        ) from error


def _read_weights(folder: Path, model: PG2, device: str | torch.device) -> dict[str, Tensor]:
    """The weights of `model`, which has none yet: of the right shapes, float32, finite."""
    file = folder / WEIGHTS
    wanted = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    # The header is small, and tells whether the rest is worth its memory.
    header = read_header(file)
    for name in {**wanted, **header}:
        dtype, shape = header.get(name, ("", None))
        if shape != wanted.get(name) or dtype not in _DTYPES:
            raise Pg2Error(
                f"{file} does not hold the model that {folder / CONFIG} describes: {name[:100]} is "
                f"{'missing' if shape is None else f'{dtype} {list(shape)}'} there, and should be "
                f"{list(wanted[name]) if name in wanted else 'absent'}"
            )
    state, _ = load_tensors(file)
    floats = {name: value.float() for name, value in state.items()}
    for name, value in floats.items():
        if not value.isfinite().all():
            raise Pg2Error(f"{file} is broken: {name} is not finite; get or train the model again")
    return {name: value.to(device) for name, value in floats.items()}
