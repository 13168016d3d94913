"""The two stages as one model: output, saving, loading, and files that are not what they should be."""

import json
import struct
from pathlib import Path

import pytest
import torch

from pg2.errors import Pg2Error
from pg2.models.config import CoarseConfig, ModelConfig, RefineConfig
from pg2.models.pg2 import PG2, shipped_models

CONFIG = ModelConfig(
    frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=RefineConfig(width=8, blocks=2)
)
ARGUMENTS = torch.randn(1, 3, 32, 16), torch.randn(1, 18, 32, 16)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    PG2(CONFIG).save(tmp_path / "model")
    return tmp_path / "model"


def test_the_result_is_coarse_plus_difference() -> None:
    output = PG2(CONFIG)(*ARGUMENTS)
    assert output.difference is not None
    assert torch.equal(output.image, output.coarse + output.difference)
    one = PG2(CONFIG.model_copy(update={"refine": None}))(*ARGUMENTS)
    assert one.difference is None
    assert torch.equal(one.image, one.coarse)


def test_saved_and_loaded_it_is_the_same_to_half_precision(tmp_path: Path) -> None:
    model = PG2(CONFIG)
    for save in (model.save, model.save_pretrained):
        save(tmp_path / "model")
        assert {file.name for file in (tmp_path / "model").iterdir()} >= {"config.json", "model.safetensors"}
        loaded = PG2.from_pretrained(tmp_path / "model")
        assert loaded.config == CONFIG
        assert not loaded.training
        torch.testing.assert_close(loaded(*ARGUMENTS).image, model(*ARGUMENTS).image, atol=1e-2, rtol=1e-2)
        assert next(loaded.parameters()).dtype == torch.float32


def test_pushing_sends_the_two_files(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: dict[str, set[str]] = {}

    class FakeHub:
        def __init__(self, **_: object) -> None: ...

        def create_repo(self, repo_id: str, **_: object) -> object:
            return type("Repo", (), {"repo_id": repo_id})()

        def upload_folder(self, *, repo_id: str, folder_path: str, **_: object) -> str:
            sent[repo_id] = {file.name for file in Path(folder_path).iterdir()}
            return "done"

    monkeypatch.setattr("huggingface_hub.hub_mixin.HfApi", FakeHub)
    PG2(CONFIG).push_to_hub("somebody/model")
    assert sent["somebody/model"] >= {"config.json", "model.safetensors"}


def test_a_model_of_the_hub_is_downloaded_file_by_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(repo: str, name: str, **options: object) -> str:
        asked.append((repo, name, options))
        return str(folder / name)

    monkeypatch.setattr("pg2.models.pg2.hf_hub_download", download)
    PG2.from_pretrained("somebody/model", revision="v1")
    assert asked == [
        ("somebody/model", "config.json", {"revision": "v1"}),
        ("somebody/model", "model.safetensors", {"revision": "v1"}),
    ]


def test_no_such_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("pg2.models.pg2.hf_hub_download", offline)
    for name in ("nowhere/nothing", "./nothing", "nothing"):
        with pytest.raises(Pg2Error, match=f"there is no model {name}"):
            PG2.from_pretrained(name)


def test_missing_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(Pg2Error, match=r"model\.safetensors is missing"):
        PG2.from_pretrained(folder)


@pytest.mark.parametrize("keep", [0, 5, 300, -1])
def test_truncated_weights(folder: Path, keep: int) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises(Pg2Error, match="damaged or truncated"):
        PG2.from_pretrained(folder)


def test_a_pickle_is_not_unpickled(folder: Path) -> None:
    """A pickle that would write a file when it is loaded."""
    victim = folder / "pwned"
    (folder / "model.safetensors").write_bytes(f"cpathlib\nPath\n(V{victim}\ntR.".encode())
    with pytest.raises(Pg2Error, match="damaged"):
        PG2.from_pretrained(folder)
    assert not victim.exists()


def test_weights_of_another_model(folder: Path) -> None:
    other = CONFIG.model_copy(update={"coarse": CoarseConfig(width=16, blocks=2)})
    (folder / "config.json").write_text(json.dumps({"config": other.model_dump(mode="json")}))
    with pytest.raises(Pg2Error, match="does not hold the model"):
        PG2.from_pretrained(folder)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"config": {"frame": [1]}}', '{"config": {"colour": 1}}'])
def test_a_config_that_is_none(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(Pg2Error, match=r"config\.json is not the description"):
        PG2.from_pretrained(folder)


def test_a_full_disk_leaves_the_old_model(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pg2.io.tensors.save_file", full)
    with pytest.raises(Pg2Error, match="no space left on device"):
        PG2(CONFIG).save(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in folder.parent.iterdir()] == ["model"]


def test_a_full_disk_leaves_the_old_model_to_the_hubs_way_too(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", full)
    with pytest.raises(Pg2Error, match="no space left on device"):
        PG2(CONFIG).save_pretrained(folder)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_shipped_models_load_and_are_small() -> None:
    """Float16 files under 15 MB, each of which loads by its name."""
    assert "fast/market1501" in shipped_models()
    for name in shipped_models():
        model = PG2.from_pretrained(name)
        size = sum(parameter.numel() for parameter in model.parameters()) * 2
        assert size < 15e6
        file = Path(__file__).parents[2] / "src/pg2/weights" / name / "model.safetensors"
        assert file.stat().st_size < 15e6
        (length,) = struct.unpack("<Q", file.read_bytes()[:8])
        header = json.loads(file.read_bytes()[8 : 8 + length])
        assert {entry["dtype"] for key, entry in header.items() if key != "__metadata__"} == {"F16"}
