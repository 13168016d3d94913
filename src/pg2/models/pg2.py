"""The two stages as one model; saving, loading and sharing it."""

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any, NamedTuple

import torch
from huggingface_hub import PyTorchModelHubMixin, hf_hub_download
from pydantic import ValidationError
from torch import Tensor, nn

from pg2.errors import Pg2Error
from pg2.io import packaged
from pg2.io.files import atomic_path, write_json
from pg2.io.tensors import load_tensors, save_tensors
from pg2.models.coarse import CoarseGenerator
from pg2.models.config import ModelConfig
from pg2.models.refine.difference import RefineGenerator

CONFIG, WEIGHTS = "config.json", "model.safetensors"


class PG2Output(NamedTuple):
    """What the model gives; images are float [B, 3, H, W], about [-1, 1] (linear outputs, not clamped).

    `difference` is None and `image` is `coarse` for a one-stage model.
    """

    image: Tensor
    coarse: Tensor
    difference: Tensor | None


class PG2(
    nn.Module,
    PyTorchModelHubMixin,
    library_name="pg2",
    tags=["pose-transfer", "person-image-generation"],
    coders={ModelConfig: (lambda config: config.model_dump(mode="json"), ModelConfig.model_validate)},
):
    """PG2 (paper, section 3): coarse image from source and pose, then a difference map that refines it.

    `save_pretrained(folder)`, `from_pretrained(name, folder or hub id)` and `push_to_hub(id)` follow
    `huggingface_hub`. A saved model is two files, config.json and model.safetensors; nothing is unpickled.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.coarse = CoarseGenerator(config.coarse, config.frame, config.pose)
        self.refine = None if config.refine is None else RefineGenerator(config.refine)

    def forward(self, source: Tensor, pose: Tensor) -> PG2Output:
        """Both stages.

        Args:
            source: image I_A, [B, 3, H, W] in [-1, 1].
            pose: P_B as `config.pose` says: heat maps [B, 18, H / shrink, W / shrink] in [-1, 1], or
                coordinates [B, 18, 3]; `pg2.pose.maps.pose_input` makes either from keypoints.
        """
        coarse = self.coarse(source, pose)
        if self.refine is None:
            return PG2Output(coarse, coarse, None)
        difference = self.refine(coarse, source)
        return PG2Output(coarse + difference, coarse, difference)

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
        write_json(folder / CONFIG, {"config": self.config.model_dump(mode="json")})

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

    @classmethod
    def from_pretrained(cls, model: str | Path, **options: Any) -> "PG2":  # type: ignore[override]
        """Load a model.

        Args:
            model: the name of a shipped model (`shipped_models()`), a folder, or a Hugging Face hub id.
            options: `revision`, `token`, `cache_dir`, `local_files_only`, ... of `hf_hub_download`.

        Raises:
            Pg2Error: there is no such model, or its files are damaged or of another kind.
        """
        folder = packaged.WEIGHTS / str(model)
        if str(model) not in shipped_models():
            folder = Path(model)
        if folder.is_dir():
            config, weights = folder / CONFIG, folder / WEIGHTS
        else:
            config, weights = (_download(str(model), name, options) for name in (CONFIG, WEIGHTS))
        loaded = cls(_read_config(config))
        state, _ = load_tensors(weights)
        try:
            loaded.load_state_dict(state)
        except RuntimeError as error:
            raise Pg2Error(f"{weights} does not hold the model that {config} describes") from error
        return loaded.eval()


def shipped_models() -> list[str]:
    """Names of the models inside the package, as `PG2.from_pretrained` takes them."""
    return sorted(
        str(file.parent.relative_to(packaged.WEIGHTS).as_posix()) for file in packaged.WEIGHTS.rglob(CONFIG)
    )


def _download(model: str, name: str, options: dict[str, Any]) -> Path:
    known = ", ".join(shipped_models()) or "none"
    if model.startswith((".", "/", "~")) or model.count("/") != 1:
        raise Pg2Error(f"there is no model {model}: neither a folder nor one of the shipped models ({known})")
    try:
        return Path(hf_hub_download(model, name, **options))
    except Exception as error:  # the hub's errors and those of its HTTP library share no base class
        raise Pg2Error(
            f"there is no model {model}: no such folder, not one of the shipped models ({known}), and {name} "
            f"could not be had from the Hugging Face hub ({type(error).__name__})"
        ) from error


def _read_config(path: Path) -> ModelConfig:
    try:
        return ModelConfig.model_validate(json.loads(path.read_text(encoding="utf-8"))["config"])
    except FileNotFoundError as error:
        raise Pg2Error(f"{path} is missing; a model folder holds {CONFIG} and {WEIGHTS}") from error
    except (ValueError, KeyError, TypeError, OSError, ValidationError) as error:
        raise Pg2Error(f"{path} is not the description of a pg2 model ({type(error).__name__})") from error
