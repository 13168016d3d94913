"""A service of two tiny models."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from serving_samples import Fade, Start, wait_for
from starlette.testclient import TestClient

from pg2 import PG2, Pipeline
from pg2.models.config import CoarseConfig, DifferenceConfig, ModelConfig, TransportConfig
from pg2.serving.app import service_app
from pg2.serving.options import ServeOptions
from pg2.serving.service import Service


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Two model folders: of two stages at 64x32, of one stage at 32x16."""
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("models")
    coarse, refine = CoarseConfig(width=8, blocks=2), DifferenceConfig(width=8, blocks=2)
    PG2(ModelConfig(frame=(64, 32), coarse=coarse, refine=refine)).save(folder / "two")
    PG2(ModelConfig(frame=(32, 16), coarse=coarse, refine=None)).save(folder / "one")
    return str(folder / "two"), str(folder / "one")


@pytest.fixture(scope="session")
def fetching(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of a model at 64x32 that fetches from the photo, and so knows how much of it is copied."""
    torch.manual_seed(0)
    coarse = CoarseConfig(width=8, blocks=2)
    refine = TransportConfig(kind="transport", widths=(8, 8), finish=8)
    model = PG2(ModelConfig(frame=(64, 32), coarse=coarse, refine=refine))
    model.initialise()
    folder = tmp_path_factory.mktemp("fetching") / "fetching"
    model.save(folder)
    return str(folder)


@pytest.fixture(scope="session")
def start(models: tuple[str, str]) -> Start:
    """Run a service with these options in this process."""

    @contextlib.contextmanager
    def run(**options: Any) -> Iterator[tuple[TestClient, Service]]:
        service = Service(ServeOptions(**({"models": models} | options)))
        with TestClient(service_app(service), raise_server_exceptions=False) as client:
            wait_for(lambda: service.state != "loading" or service.failure)
            yield client, service

    return run


@pytest.fixture
def fading(models: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The folder of a model of two stages, which services started now load with another second one."""
    load = Pipeline.from_pretrained

    def loaded(name: str, **options: Any) -> Pipeline:
        pipeline = load(name, **options)
        if name == models[0]:
            pipeline.model.refine = Fade()
        return pipeline

    monkeypatch.setattr(Pipeline, "from_pretrained", loaded)
    return models[0]


@pytest.fixture(scope="session")
def client(start: Start) -> Iterator[TestClient]:
    """Of a service with ordinary options."""
    with start() as (client, _):
        yield client
