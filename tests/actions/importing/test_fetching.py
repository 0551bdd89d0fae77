"""A model's files from a Hub on this machine: what is wanted, what breaks off, what is gone on with."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save

from rf_app.actions.application import Application
from rf_app.actions.fetching import name_on_hub
from rf_app.actions.import_model import ImportModel, import_model, start_import
from rf_app.actions.run import results
from rf_app.actions.wanted import wanted
from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.processes import ROOT
from rf_app.jobs.progress import progress
from rf_app.plugins.deltas import weights_of
from rf_app.registry.checking import CONFIGS, WEIGHTS
from rf_app.registry.models import Registry
from tests.actions.importing.bringing import UNET
from tests.actions.importing.hub import CHUNK, Hub
from tests.jobs.queues import ended
from tests.settled import until

CONTROLNET = "diffusion_pytorch_model.safetensors"
CONTROLNET_HALF = "diffusion_pytorch_model.fp16.safetensors"
VERSION = "diffusion_pytorch_model.v0-0.safetensors"
LORA = "pytorch_lora_weights.safetensors"
FETCH = """
import sys
from pathlib import Path
from rf_app.errors import UserError
from rf_app.actions.fetching import fetch
folder = Path(sys.argv[1])
try:
    fetch("somebody/tiny", folder / "hub", lambda done, of, text: print(done, of, text), print)
except UserError as error:
    raise SystemExit(f"error: {error}")
"""


def test_of_the_files_on_the_hub_half_precision_is_wanted_and_pickles_are_not():
    names = [
        *("README.md", "v1-5.ckpt", "unet/config.json", "unet/diffusion_pytorch_model.bin"),
        *("unet/diffusion_pytorch_model.fp16.safetensors", UNET),
        *("scheduler/scheduler_config.json", "../escape"),
    ]
    assert sorted(wanted(dict.fromkeys(names, 1))) == [
        "README.md",
        "scheduler/scheduler_config.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.fp16.safetensors",
    ]
    checker = ["safety_checker/config.json", "safety_checker/pytorch_model.bin"]
    assert sorted(wanted(dict.fromkeys([*names, *checker], 1))) == sorted(wanted(dict.fromkeys(names, 1)))
    checker.append("safety_checker/model.safetensors")
    assert {checker[0], checker[2]} < wanted(dict.fromkeys([*names, *checker], 1)).keys()
    with pytest.raises(UserError, match="a pickle only"):
        wanted({"unet/config.json": 1, "unet/diffusion_pytorch_model.bin": 1})
    with pytest.raises(
        UserError, match=r"no folder unet/.* give OWNER/NAME/FILE; there are a.safetensors, b"
    ):
        wanted({"a.safetensors": 1, "b.safetensors": 1})


@pytest.mark.parametrize(
    ("names", "file", "expected"),
    [
        (["README.md", "config.json", CONTROLNET_HALF, CONTROLNET, "x.bin"], "", [CONTROLNET_HALF]),
        (["config.json", CONTROLNET, "control.py"], "", [CONTROLNET]),
        (["README.md", LORA, "other.safetensors"], "", [LORA]),
        (["one.safetensors", "one.ckpt", "config.json"], "", ["one.safetensors"]),
        (["adapter_model.safetensors", "adapter_config.json"], "", ["adapter_model.safetensors"]),
        (["a.safetensors", "lora/b c.safetensors", UNET], "lora/b c.safetensors", ["lora/b c.safetensors"]),
    ],
)
def test_what_is_no_whole_model_is_wanted_as_one_file(names, file, expected):
    chosen = wanted(dict.fromkeys(names, 1), file)
    assert [name for name in chosen if name.endswith(".safetensors")] == expected
    assert ("config.json" in chosen) == (expected[0] in (CONTROLNET, CONTROLNET_HALF))
    assert ("adapter_config.json" in chosen) == ("adapter_config.json" in names)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Lykon/dreamshaper-7", "Lykon/dreamshaper-7"),
        ("https://huggingface.co/Lykon/dreamshaper-7", "Lykon/dreamshaper-7"),
        ("huggingface.co/Lykon/dreamshaper-7/", "Lykon/dreamshaper-7"),
        ("https://huggingface.co/Lykon/dreamshaper-7/tree/main/unet?x=1#y", "Lykon/dreamshaper-7"),
        ("https://hf.co/a/b/blob/main/c/d.safetensors", "a/b/c/d.safetensors"),
        ("https://huggingface.co/a/b/resolve/main/d%20e.safetensors?download=true", "a/b/d e.safetensors"),
        ("a/b/d.safetensors", "a/b/d.safetensors"),
    ],
)
def test_an_address_on_the_hub_is_as_good_as_a_name(text, name):
    assert name_on_hub(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "https://example.com/a/b",
        "https://huggingface.co/a",
        "https://huggingface.co/a/b/tree/fp16",
        "a/b/../../c.safetensors",
        "a/b/c.ckpt",
    ],
)
def test_what_is_no_address_on_the_hub(text):
    with pytest.raises(UserError, match=r"OWNER/NAME|only main is read"):
        name_on_hub(text)


@pytest.mark.parametrize("piece", ["unet", "text_encoder"])
@pytest.mark.parametrize("variant", ["", ".fp16"])
def test_weights_in_shards_are_named_before_anything_is_fetched(piece, variant):
    weights = WEIGHTS[piece]
    names = {UNET, f"{piece}/{CONFIGS[piece]}", f"{piece}/{weights}.index{variant}.json"} - {
        f"{piece}/{weights}"
    }
    with pytest.raises(UserError, match=f"{piece}: its weights are in shards, .* one file {weights}"):
        wanted(dict.fromkeys(names, 1))


def start(hub, folder):
    """Fetch in a process of its own, as an import does."""
    return subprocess.Popen(
        [sys.executable, "-c", FETCH, str(folder)],
        cwd=ROOT,
        env=os.environ
        | {"HF_ENDPOINT": hub, "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
        | {"HF_HUB_CACHE": str(folder / "cache")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def check_fetched(process, folder):
    """It ends well, and all is there but the pickle."""
    _, said = process.communicate()
    assert process.returncode == 0, said
    hub = folder / "hub" / ("a" * 40)
    got = {str(path.relative_to(hub)): path.read_bytes() for path in hub.rglob("*") if path.is_file()}
    assert got == {name: content for name, content in Hub.files.items() if not name.endswith(".bin")}


def tensors(*shapes):
    return save({name: torch.ones(shape) for name, shape in shapes})


ANYTHING = tensors(("a", (4,)))


def pair(stem, into):
    return {f"{stem}.lora_A.weight": (4, into), f"{stem}.lora_B.weight": (8, 4)}.items()


def index(pipeline):
    return json.dumps({"_class_name": pipeline}).encode()


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({LORA: tensors(*pair("transformer.single_transformer_blocks.0.attn.to_q", 8))}, "as SD 3 and Flux"),
        ({LORA: tensors(*pair("diffusion_model.blocks.0.self_attn.q", 8))}, "as SD 3 and Flux"),
        (
            {LORA: tensors(*pair("unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_v", 2048))},
            "is for Stable Diffusion XL: it takes texts 2048 wide; expected a LoRA for",
        ),
        (
            {
                "a.safetensors": tensors(
                    ("lora_unet_x_attn2_to_k.lokr_w1", (8, 16)), ("lora_unet_x_attn2_to_k.lokr_w2", (8, 128))
                )
            },
            "a.safetensors: is for Stable Diffusion XL",
        ),
        ({LORA: tensors(("lora_unet_mid_block_attentions_0_proj_in.oft_blocks", (4, 4)))}, "belongs to OFT"),
        ({LORA: b"\x80\x04" + bytes(99)}, f"{LORA}: This is a pickle, not safetensors"),
        ({LORA: ANYTHING[:-1]}, "cut short"),
        (
            {
                "a.safetensors": tensors(
                    ("input_blocks.0.0.weight", (16, 4, 3, 3)), ("label_emb.0.0.weight", (4,))
                )
            },
            "a.safetensors: its U-Net has label_emb.0.0.weight, which",
        ),
        ({"a.safetensors": tensors(("control_model.zero_convs.0.0.weight", (4,)))}, "of another shape"),
        (
            {
                "config.json": b'{"_class_name": "ControlNetModel", "cross_attention_dim": 2048}',
                CONTROLNET: ANYTHING,
            },
            "ControlNet for Stable Diff",
        ),
        ({"config.json": index("UNet2DConditionModel"), VERSION: ANYTHING}, "tiny: is a U-Net by its"),
        (
            {"model_index.json": index("FluxPipeline"), "transformer/x.safetensors": ANYTHING},
            "tiny: is Flux; expected a text-to-image model",
        ),
        (
            {"model_index.json": index("StableDiffusionXLPipeline"), "unet/config.json": b"{}", UNET: b"x"},
            "tiny: is Stable Diffusion XL",
        ),
        ({"unet/config.json": b'{"in_channels": 9}', UNET: ANYTHING}, "tiny: is an inpainting model"),
        (
            {"unet/config.json": b'{"quantization_config": {"a": 1}}', UNET: ANYTHING},
            "its weights are quantized",
        ),
    ],
)
def test_what_cannot_be_used_costs_none_of_its_weights(app, reached, files, message):
    """No byte is asked for behind the header, and next to nothing waits for another try."""
    Hub.files = {"README.md": b"#", **files}
    with pytest.raises(UserError, match=message):
        results(import_model(app, ImportModel("somebody/tiny")))
    for name, end in Hub.ends:
        assert end < 9 or end < 8 + int.from_bytes(files[name][:8], "little"), name
    assert not list(app.registry.folders[-1].rglob("*.safetensors*"))


@pytest.mark.parametrize(
    ("source", "config"),
    [("somebody/taesdxl", True), ("somebody/taef1", True), ("somebody/taesdxl/taesdxl.safetensors", False)],
)
def test_a_tiny_decoder_of_another_base_costs_none_of_its_weights(app, reached, source, config):
    weights = tensors(("decoder.layers.0.weight", (64, 4, 3, 3)))
    Hub.files = {"taesdxl.safetensors": weights}
    if config:
        Hub.files = {"config.json": index("AutoencoderTiny"), CONTROLNET: weights}
    with pytest.raises(UserError, match=r"is a tiny autoencoder for (Stable Diffusion XL|Flux); expected"):
        results(import_model(app, ImportModel(source)))
    assert all(end < 8 + int.from_bytes(weights[:8], "little") for _, end in Hub.ends)


def test_what_is_large_and_no_weights_is_not_fetched(app, reached, monkeypatch):
    monkeypatch.setattr("rf_app.actions.fetching.MAX_JSON_BYTES", 2**20)
    Hub.files = {"unet/config.json": b"{}".ljust(2**20 + 1), UNET: ANYTHING}
    with pytest.raises(
        UserError, match=r"unet/config.json has 1 MB; beside its weights, files of at most 1 MB"
    ):
        results(import_model(app, ImportModel("somebody/tiny")))
    assert not list(app.registry.folders[-1].rglob("config.json*"))


def test_of_a_fine_tune_on_the_hub_a_merge_fetches_the_weights_it_reads(monkeypatch, tmp_path):
    there = [UNET, UNET.replace(".saf", ".non_ema.saf"), UNET.replace(".saf", ".fp16.saf"), "vae/config.json"]
    there += [f"vae/{WEIGHTS['vae']}", "safety_checker/model.safetensors"]
    info = SimpleNamespace(siblings=[SimpleNamespace(rfilename=name) for name in there])
    monkeypatch.setattr("rf_app.plugins.deltas.HfApi.model_info", lambda *_: info)

    def download(name, allow_patterns):
        assert name == "somebody/tiny"
        assert set(allow_patterns) & set(there) == {there[2], there[4]}
        (tmp_path / "unet").mkdir()
        (tmp_path / there[2]).write_bytes(ANYTHING)
        return tmp_path

    monkeypatch.setattr("rf_app.plugins.deltas.snapshot_download", download)
    assert list(weights_of(Registry([tmp_path]), "somebody/tiny", {})["unet"]) == ["a"]


def test_of_a_server_that_gives_whole_files_only_a_header_is_taken(app, reached):
    width = pair("unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_v", 2048)
    Hub.files, Hub.mood = {LORA: tensors(*width, ("rest", (2**23,)))}, "whole"
    with pytest.raises(UserError, match="is for Stable Diffusion XL"):
        results(import_model(app, ImportModel("somebody/tiny")))
    assert 0 < Hub.sent < len(Hub.files[LORA]) / 2


def test_a_transfer_that_breaks_off_is_gone_on_with(hub, tmp_path):
    check_fetched(start(hub, tmp_path), tmp_path)
    assert Hub.starts == [0, CHUNK]


def test_what_the_library_has_already_is_not_fetched_again(hub, tmp_path):
    snapshot = tmp_path / "cache" / "models--somebody--tiny" / "snapshots" / ("a" * 40)
    (snapshot / "unet").mkdir(parents=True)
    (snapshot / UNET).write_bytes(Hub.files[UNET])
    check_fetched(start(hub, tmp_path), tmp_path)
    assert Hub.starts == []


def test_a_killed_transfer_is_gone_on_with(hub, tmp_path):
    Hub.mood = "stalls"
    process = start(hub, tmp_path)
    while not any(path.stat().st_size >= CHUNK for path in tmp_path.rglob("*.part")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    check_fetched(start(hub, tmp_path), tmp_path)
    assert Hub.starts == [0, CHUNK]


def test_a_hub_that_is_not_there_is_named(tmp_path):
    process = start("http://127.0.0.1:9", tmp_path)
    _, said = process.communicate()
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].startswith("error: somebody/tiny: the Hub cannot be reached")


def test_an_import_from_the_hub_is_a_job_that_is_stopped_and_resumed(
    hub, database, tiny_registry, tmp_path, monkeypatch
):
    for name, value in (("HF_ENDPOINT", hub), ("HF_HUB_DISABLE_XET", "1"), ("INSTAFLOW_HOME", str(tmp_path))):
        monkeypatch.setenv(name, value)
    source = tiny_registry.folder("tiny-sd")
    Hub.files = {
        str(path.relative_to(source)): path.read_bytes() for path in source.rglob("*") if path.is_file()
    }
    Hub.mood = "stalls"
    own = replace(Application.on(Registry.default(tmp_path / "own" / "models"), "cpu"), jobs=database)
    job = start_import(own, ImportModel("somebody/tiny", "mine"))
    until(lambda: Hub.starts or not database.job(job.id).under_way, "the transfer")
    until(lambda: progress(database, database.job(job.id)).text.startswith("Downloading, "), "its progress")
    queue.stop(database, job.id)
    until(lambda: database.job(job.id).stop)
    Hub.go_on.set()
    ended(database, job.id, "stopped")
    assert progress(database, database.job(job.id)).text.startswith("Downloading, ")
    assert own.registry.problems() == {}
    queue.resume(database, job.id)
    ended(database, job.id)
    folder = own.registry.folder("mine")
    assert (folder / UNET).read_bytes() == Hub.files[UNET]
    said = json.loads((database.job_folder(job.id) / "answer.json").read_text())
    assert said == {"id": "mine", "what": "model", "path": str(folder)}
