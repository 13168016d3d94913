"""A command run in this process, and a small model for it."""

import sys
from pathlib import Path

import pytest
from cli_samples import Ran

from pg2 import cli


@pytest.fixture
def pg2(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):  # type: ignore[no-untyped-def]
    """Run `pg2 ARGUMENTS` in this process."""

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["pg2", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            cli.main()
        except SystemExit as exit_:
            code = int(exit_.code or 0)
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained model of 32x16."""
    from pg2.models.config import CoarseConfig, DifferenceConfig, ModelConfig
    from pg2.models.pg2 import PG2

    folder = tmp_path_factory.mktemp("models") / "small"
    config = ModelConfig(
        frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=DifferenceConfig(width=8, blocks=2)
    )
    PG2(config).save(folder)
    return folder
