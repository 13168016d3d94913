"""The two stages as one model: output, saving, loading, and files that are not what they should be."""

import json
import struct
from pathlib import Path

import pytest
import torch
from model_samples import inputs

from pg2.errors import Pg2Error
from pg2.models.config import CoarseConfig, DifferenceConfig, ModelConfig
from pg2.models.pg2 import PG2, shipped_models

CONFIG = ModelConfig(
    frame=(32, 16), coarse=CoarseConfig(width=8, blocks=2), refine=DifferenceConfig(width=8, blocks=2)
)
GIVEN = inputs(1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    torch.manual_seed(0)
    PG2(CONFIG).save(tmp_path / "model")
    return tmp_path / "model"


def test_the_result_is_coarse_plus_difference() -> None:
    output = PG2(CONFIG)(GIVEN)
    assert list(output.pictures) == ["coarse", "difference"]
    assert torch.equal(output.image, output.pictures["coarse"] + output.pictures["difference"])
    one = PG2(CONFIG.model_copy(update={"refine": None}))(GIVEN)
    assert list(one.pictures) == ["coarse"]
    assert torch.equal(one.image, one.pictures["coarse"])


@pytest.mark.parametrize("refine", [CONFIG.refine, None])
def test_a_model_says_what_it_will_give(refine: DifferenceConfig | None) -> None:
    model = PG2(CONFIG.model_copy(update={"refine": refine}))
    output = model(GIVEN)
    assert list(model.pictures) == list(output.pictures)
    results = model.results(output)
    assert list(results) == list(model.stages)
    assert list(results.values())[-1] is output.image


def test_a_model_that_ends_with_a_stage_is_a_copy() -> None:
    torch.manual_seed(0)
    model, other = PG2(CONFIG), PG2(CONFIG)
    for stage in ("coarse", "refined"):
        ended = model.ending_with(stage, other.stages[stage])
        assert list(ended.stages)[-1] == stage
        wanted = model.ending_with("refined", other.stages["refined"]) if stage == "refined" else other
        assert torch.equal(ended.results(ended(GIVEN))[stage], wanted.results(wanted(GIVEN))[stage])
        assert ended.coarse.squeeze.weight is not model.coarse.squeeze.weight


def test_inputs_move_as_one() -> None:
    assert {tensor.device.type for tensor in GIVEN.to("meta")} == {"meta"}
    with torch.device("meta"):
        model = PG2(CONFIG)
    assert model.device.type == "meta"
    output = model(GIVEN.to("meta"))
    assert output.image.shape == (1, 3, 32, 16)
    assert {picture.device.type for picture in output.pictures.values()} == {"meta"}


@pytest.mark.gpu
def test_an_accelerator_makes_the_same_picture() -> None:
    device = torch.accelerator.current_accelerator()
    model = PG2(CONFIG).eval()
    with torch.inference_mode():
        wanted = model(GIVEN).image
        made = model.to(device)(GIVEN.to(device)).image.cpu()
    torch.testing.assert_close(made, wanted, atol=1e-3, rtol=1e-3)


def test_saved_and_loaded_it_is_the_same_to_half_precision(tmp_path: Path) -> None:
    model = PG2(CONFIG)
    for save in (model.save, model.save_pretrained):
        save(tmp_path / "model")
        assert {file.name for file in (tmp_path / "model").iterdir()} >= {"config.json", "model.safetensors"}
        loaded = PG2.from_pretrained(tmp_path / "model")
        assert loaded.config == CONFIG
        assert not loaded.training
        torch.testing.assert_close(loaded(GIVEN).image, model(GIVEN).image, atol=1e-2, rtol=1e-2)
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


def test_a_model_of_the_hub_comes_from_one_commit(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(repo: str, **options: object) -> str:
        asked.append((repo, options))
        return str(folder)

    monkeypatch.setattr("pg2.models.pg2.snapshot_download", download)
    PG2.from_pretrained("somebody/model", revision="v1", token="secret")
    wanted = ["config.json", "model.safetensors", "README.md"]
    assert asked == [("somebody/model", {"revision": "v1", "allow_patterns": wanted, "token": "secret"})]


def test_a_model_that_is_here_has_no_revisions(folder: Path) -> None:
    for name in (folder, "fast/market1501"):
        with pytest.raises(Pg2Error, match="only models of the hub have some"):
            PG2.from_pretrained(name, revision="v1")


def test_no_such_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: object, **__: object) -> str:
        raise OSError("no network")

    monkeypatch.setattr("pg2.models.pg2.snapshot_download", offline)
    for name in ("nowhere/nothing", "./nothing", "nothing"):
        with pytest.raises(Pg2Error, match=f"there is no model {name}"):
            PG2.from_pretrained(name)


def test_a_saved_model_says_what_it_is(folder: Path) -> None:
    document = json.loads((folder / "config.json").read_text())
    assert (document["architecture"], document["format"]) == ("PG2", 1)
    (folder / "config.json").write_text(json.dumps({**document, "format": 2}))
    with pytest.raises(Pg2Error, match="written by a newer pg2"):
        PG2.from_pretrained(folder)
    (folder / "config.json").write_text(json.dumps({**document, "architecture": "other"}))
    with pytest.raises(Pg2Error, match="is not the description of a pg2 model"):
        PG2.from_pretrained(folder)
    # As pg2 0.1 wrote it.
    (folder / "config.json").write_text(json.dumps({"config": document["config"]}))
    assert PG2.from_pretrained(folder).config == CONFIG


def test_a_model_card_goes_along(folder: Path, tmp_path: Path) -> None:
    PG2(CONFIG).save_pretrained(tmp_path / "new")
    card = (tmp_path / "new/README.md").read_text()
    for line in ("library_name: pg2", "license: mit", "pipeline_tag: image-to-image", "- pose-transfer"):
        assert line in card
    (folder / "README.md").write_text("---\nlicense: cc0-1.0\n---\n# Mine\n")
    PG2.from_pretrained(folder).save_pretrained(tmp_path / "copy")
    assert "# Mine" in (tmp_path / "copy/README.md").read_text()


def test_loading_draws_no_random_numbers(folder: Path) -> None:
    """The weights that are read become the model's own, on the device that is asked for."""
    torch.manual_seed(3)
    expected = torch.get_rng_state()
    model = PG2.from_pretrained(folder)
    assert torch.equal(torch.get_rng_state(), expected)
    assert not any(parameter.is_meta for parameter in model.parameters())
    assert PG2.from_pretrained(folder, device="meta").device.type == "meta"


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
