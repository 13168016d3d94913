"""What a service is run with. Imports nothing heavy: bad settings are refused at once."""

import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pg2.errors import Pg2Error
from pg2.export.graph import is_exported
from pg2.io.files import read_text

if TYPE_CHECKING:
    from pg2.io.devices import Precision
    from pg2.pipeline import Backend

KEY_VARIABLE = "PG2_API_KEY"

_MOST_KEY = 10_000  # bytes of its file


@dataclass(frozen=True)
class ServeOptions:
    """On these a service's behaviour depends.

    Attributes:
        models: shipped models, model folders, files of `pg2 export` or Hugging Face hub ids, the default one
            first; none: all that are shipped.
        device: where the models run: auto (an accelerator where there is one), cpu, cuda or mps. People are
            found on the CPU.
        precision: of the models' arithmetic: fp32 or bf16; None: bf16 with OpenVINO where the processor has
            it, else fp32.
        backend: what the models run on; None: PyTorch, and for an exported model OpenVINO where it is
            installed and the browser does not compute, else onnxruntime.
        threads: processor threads of the network; None leaves the number to the backend.
        batch: requests to one model that are answered by one run of it, at most.
        batch_wait: milliseconds that a request waits for others to share a run with.
        queue: requests being handled at a time, of all models; one more is refused (429).
        timeout: seconds from a request's arrival until it is given up (504).
        grace: seconds that requests have to be answered in when the service stops (then 503).
        max_body: bytes of a request's body, at most (413).
        max_held: bytes of the bodies and answers of all requests together; what would need more is refused
            (429). The process needs a few times as much while it reads and decodes them.
        max_kept: bytes of the photos that are kept for clients who go on with them, at most; for a new one
            the oldest go.
        keep: seconds that such a photo is kept after it was last asked for.
        api_key: what clients have to show; None: nothing.
        cors_origins: web sites, such as https://example.org, whose pages may use the service.
        hosts: names by which the service may be called, see `pg2.web.sites.Sites`; with a key by any.
        in_browser: give models and estimator to clients, so that the page computes in the browser and sends
            no photo; all models must then be files of `pg2 export`.
    """

    models: tuple[str, ...] = ()
    device: str = "cpu"
    precision: "Precision | None" = None
    backend: "Backend | None" = None
    threads: int | None = None
    batch: int = 8
    batch_wait: float = 5.0
    queue: int = 64
    timeout: float = 30.0
    grace: float = 5.0
    max_body: int = 10_000_000
    max_held: int = 200_000_000
    max_kept: int = 100_000_000
    keep: float = 600.0
    api_key: str | None = None
    cors_origins: tuple[str, ...] = ()
    hosts: tuple[str, ...] = ()
    in_browser: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot be served.

        Raises:
            Pg2Error: a setting is out of range.
        """
        for name in ("batch", "queue", "timeout", "max_body", "max_held", "max_kept", "keep", "threads"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                raise Pg2Error(f"{name} must be a number above 0, not {value}")
        if self.precision not in (None, "fp32", "bf16"):
            raise Pg2Error(f'precision must be fp32 or bf16, not "{self.precision}"')
        for name in ("batch_wait", "grace"):
            if not 0 <= getattr(self, name) < math.inf:
                raise Pg2Error(f"{name} must be a number from 0 on, not {getattr(self, name)}")
        if self.max_held < self.max_body:
            raise Pg2Error(f"max_held must have room for one body of max_body, {self.max_body} bytes")
        if len(set(self.models)) != len(self.models):
            raise Pg2Error("a model is given twice")
        if self.in_browser:
            _check_files(self.models)
        for origin in self.cors_origins:
            if not origin.startswith(("http://", "https://")) or origin.count("/") != 2:
                raise Pg2Error(
                    f'an origin is SCHEME://HOST[:PORT], such as https://example.org, not "{origin}"'
                )


def _check_files(models: tuple[str, ...]) -> None:
    """Refuse what is no exported model.

    Raises:
        Pg2Error: a model is not a file .onnx, or there is none.
    """
    how = "write one with pg2 export MODEL --onnx FILE.onnx and give it as the model"
    if not models:
        raise Pg2Error(f"in_browser needs a model that a browser can run; {how}")
    for model in models:
        if not (is_exported(model) and Path(model).is_file()):
            raise Pg2Error(f'a browser cannot run "{model}", which is no exported model; {how}')


def read_api_key(file: Path | None) -> str | None:
    """The key in a file, or else in the environment variable PG2_API_KEY; None: there is none.

    Raises:
        Pg2Error: the file cannot be read, or the key is empty or not plain ASCII without spaces.
    """
    key = os.environ.get(KEY_VARIABLE)
    if file is not None:
        key = read_text(file, "the API key", _MOST_KEY).strip()
    if key is not None and not (key.isascii() and key.isprintable() and key and " " not in key):
        raise Pg2Error(f"the API key in {file or KEY_VARIABLE} must be printable ASCII without spaces")
    return key
