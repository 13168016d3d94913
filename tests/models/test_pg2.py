"""The two stages as one model: output, saving, loading, and files that are not what they should be."""

import contextlib
import json
import random
import re
import shutil
import struct
from pathlib import Path

import pytest
import torch
from model_samples import inputs

from pg2.errors import Pg2Error
from pg2.io.packaged import DEFAULT_MODEL
from pg2.io.tensors import load_tensors, save_tensors
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


class Hub:
    """What `pg2.models.pg2` asks the hub, and what that answers."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[tuple[str, dict[str, object]]] = []
        self.failure: Exception | None = None
        self.downloaded: Path | None = folder
        monkeypatch.setattr("pg2.models.pg2.snapshot_download", self.download)
        monkeypatch.setattr("pg2.models.pg2.HfApi", lambda **options: self)

    def model_info(self, model: str, **options: object) -> None:
        self.asked.append((model, options))
        if self.failure is not None:
            raise self.failure

    def download(self, model: str, **options: object) -> str:
        self.asked.append((model, options))
        if self.downloaded is None:
            raise OSError("not in the cache")
        return str(self.downloaded)


@pytest.fixture
def hub(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    return Hub(folder, monkeypatch)


def test_a_model_of_the_hub_comes_from_one_commit(hub: Hub) -> None:
    PG2.from_pretrained("somebody/model", revision="v1", token="secret")
    wanted = ["config.json", "model.safetensors", "README.md"]
    assert hub.asked == [
        ("somebody/model", {"revision": "v1", "timeout": 10}),
        ("somebody/model", {"revision": "v1", "allow_patterns": wanted, "token": "secret"}),
    ]


def test_without_a_network_only_what_was_downloaded_is_looked_at(hub: Hub) -> None:
    """Left to itself, the library tries again for half a minute."""
    hub.failure = ConnectionError("no route")
    PG2.from_pretrained("somebody/model")
    assert [options.get("local_files_only") for _, options in hub.asked] == [None, True]
    hub.downloaded = None
    with pytest.raises(Pg2Error, match=r"somebody/model.*hub cannot be reached \(ConnectionError\)"):
        PG2.from_pretrained("somebody/model")
    hub.asked.clear()
    with pytest.raises(Pg2Error, match="somebody/model"):
        PG2.from_pretrained("somebody/model", local_files_only=True)
    assert len(hub.asked) == 1


def test_a_model_that_the_hub_lacks(hub: Hub) -> None:
    hub.failure, hub.downloaded = ValueError("bad name"), None
    with pytest.raises(Pg2Error, match=r"somebody/model.*hub does not give it \(ValueError\)"):
        PG2.from_pretrained("somebody/model")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fast/market1510", "did you mean fast/market1501"),
        ("Fast/people265", "did you mean fast/people256"),
        ("market1501", "did you mean fast/market1501"),
        ("here/quick", "no such folder"),
        ("a/b/c", "the shipped models are fast/photo256, fast/market1501, fast/people256"),
        ("n" * 5000, "no such folder"),
        ("a\0b", "no such folder"),
    ],
)
def test_a_slip_is_answered_without_the_hub(
    hub: Hub, name: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path)
    # An error is one line of bounded length, whatever it repeats.
    shown = name.replace("\0", " ")[:900]
    with pytest.raises(Pg2Error, match=f"there is no model {shown}.*{said}"):
        PG2.from_pretrained(name)
    assert not hub.asked


def test_with_a_revision_the_hub_is_meant(hub: Hub) -> None:
    PG2.from_pretrained("fast/market1510", revision="main")
    assert len(hub.asked) == 2


def test_the_folder_of_a_run_says_where_its_model_is(folder: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"
    for stage in ("coarse", "refined"):
        shutil.copytree(folder, run / stage / "model")
    with pytest.raises(Pg2Error, match=r"of a training run; its model is .*refined/model or .*coarse/model"):
        PG2.from_pretrained(run)
    with pytest.raises(Pg2Error, match=r"its model is \S*run/coarse/model"):
        PG2.from_pretrained(run / "coarse")
    with pytest.raises(Pg2Error, match="is a file; give the folder"):
        PG2.from_pretrained(folder / "model.safetensors")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Pg2Error, match=r"config\.json is missing"):
        PG2.from_pretrained(tmp_path / "empty")


def test_a_model_that_is_here_has_no_revisions(folder: Path) -> None:
    for name in (folder, "fast/market1501"):
        with pytest.raises(Pg2Error, match="only models of the hub have revisions"):
            PG2.from_pretrained(name, revision="v1")


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


def named(folder: Path, *settings: object) -> str:
    """What is said of a model whose config has the last of `settings` at the place that the others name."""
    document = json.loads((folder / "config.json").read_text())
    inner = document["config"]
    *parents, last, value = settings
    for parent in parents:
        inner = inner[parent]
    inner[last] = value
    (folder / "config.json").write_text(json.dumps(document))
    with pytest.raises(Pg2Error) as caught:
        PG2.from_pretrained(folder)
    return str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "[1]",
        '{"config": {"frame": [1]}}',
        '{"config": {"colour": 1}}',
        '{"architecture": "VGG"}',
        '{"format": "one"}',
        "[" * 100_000,
        '{"config": ' * 40 + "1" + "}" * 40,
        '{"config": {"frame": [' + "9" * 5000 + ", 64]}}",
        '{"config": {"refine": {"kind": {}}}}',
        '"' + "\\" * 100_001,
        " " * 1_000_001,
    ],
)
def test_a_config_that_is_none(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(Pg2Error, match=r"config\.json (is|nests) .*the description of a pg2 model") as caught:
        PG2.from_pretrained(folder)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    "settings",
    [
        ("coarse", "width", 3000),
        ("coarse", "blocks", 10**10),
        ("coarse", "bottleneck", 10**9),
        ("coarse", "unshuffle", 10**400),
        ("pose", "radius", 10**400),
        ("refine", "width", 10**6),
        ("refine", {"kind": "transport", "widths": [1] * 11}),
        ("refine", {"kind": "transport", "finish": 10**9}),
        ("frame", [10**6, 10**6]),
    ],
)
def test_no_setting_of_a_config_is_without_bounds(folder: Path, settings: tuple[object, ...]) -> None:
    said = named(folder, *settings)
    assert f"not the description of a pg2 model: config.{settings[0]}" in said
    assert re.search(r"Input should be (less than|a valid number)|Tuple should have at most", said), said


def test_weights_are_not_read_before_their_header_fits(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise AssertionError("read too early")

    monkeypatch.setattr("pg2.models.pg2.load_tensors", read)
    said = named(folder, "coarse", "width", 1000)
    assert "coarse.stem.1.weight is F16 [8, 21, 3, 3] there, and should be [1000, 21, 3, 3]" in said


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"coarse.stem.1.bias": None}, r"coarse\.stem\.1\.bias is missing there"),
        ({"further": torch.zeros(2)}, r"further is F32 \[2\] there, and should be absent"),
        ({"coarse.stem.1.bias": torch.zeros(8, dtype=torch.int8)}, r"coarse\.stem\.1\.bias is I8 \[8\]"),
        ({"coarse.stem.1.bias": torch.full((8,), torch.nan)}, r"broken: coarse\.stem\.1\.bias is not finite"),
        ({"coarse.stem.1.bias": torch.full((8,), 1e300, dtype=torch.float64)}, "is not finite"),
    ],
)
def test_weights_that_cannot_be_used(
    folder: Path, changes: dict[str, torch.Tensor | None], said: str
) -> None:
    file = folder / "model.safetensors"
    tensors, metadata = load_tensors(file)
    changed = {name: value for name, value in (tensors | changes).items() if value is not None}
    save_tensors(file, changed, metadata)
    with pytest.raises(Pg2Error, match=said):
        PG2.from_pretrained(folder)


def test_any_damage_to_a_model_folder_is_an_error_of_ours_or_none(folder: Path) -> None:
    generator = random.Random(0)
    for name, first in (("model.safetensors", 2000), ("config.json", 1000)):
        content = (folder / name).read_bytes()
        for _ in range(60):
            broken = bytearray(content)
            for _ in range(generator.choice([1, 1, 4])):
                broken[generator.randrange(min(first, len(content)))] = generator.randrange(256)
            (folder / name).write_bytes(broken)
            with contextlib.suppress(Pg2Error):
                PG2.from_pretrained(folder)
        (folder / name).write_bytes(content)


def test_a_header_that_is_too_large_is_not_parsed(folder: Path) -> None:
    header = b'{"a": ' + b" " * 5_000_000 + b"1}"
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(Pg2Error, match=r"damaged or truncated \(its header would have 5,000,008 bytes\)"):
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
    assert shipped_models()[0] == DEFAULT_MODEL
    assert shipped_models()[1:] == sorted(shipped_models()[1:])
    for name in shipped_models():
        model = PG2.from_pretrained(name)
        size = sum(parameter.numel() for parameter in model.parameters()) * 2
        assert size < 15e6
        file = Path(__file__).parents[2] / "src/pg2/weights" / name / "model.safetensors"
        assert file.stat().st_size < 15e6
        (length,) = struct.unpack("<Q", file.read_bytes()[:8])
        header = json.loads(file.read_bytes()[8 : 8 + length])
        assert {entry["dtype"] for key, entry in header.items() if key != "__metadata__"} == {"F16"}
