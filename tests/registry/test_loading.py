"""Loading: whole models work in stock classes, broken ones say which file and why."""

import json
import pickle

import diffusers
import pytest
import torch
from diffusers import AutoencoderTiny, DPMSolverMultistepScheduler
from safetensors.torch import load_file, save_file

from rf_app.errors import UserError
from rf_app.registry.loading import load_decoder, load_scheduler
from rf_app.registry.recognition import OF_DIFFUSION
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.schedulers.solvers import fresh, own_class, solvers
from tests.tiny import in_shards, load

WEIGHTS = "diffusion_pytorch_model.safetensors"


def test_schedulers_by_kind(tiny_registry):
    assert type(load(tiny_registry, "tiny-sd").scheduler) is DPMSolverMultistepScheduler
    assert type(load(tiny_registry, "tiny-2rf").scheduler) is RectifiedFlowScheduler


@pytest.mark.parametrize("name", sorted(OF_DIFFUSION - {"DPMSolverSDE"}))  # which needs torchsde
def test_a_diffusion_model_may_have_any_scheduler_of_diffusion(tmp_path, name):
    """As Dreamshaper has DEIS': DPM-Solver's class takes its method's name, and refuses what follows."""
    getattr(diffusers, f"{name}Scheduler")().save_pretrained(tmp_path / "scheduler")
    own = load_scheduler(tmp_path / "scheduler", own_class("diffusion"))
    for solver in solvers("diffusion"):
        fresh(own, "diffusion", solver).set_timesteps(3)


def test_weights_are_those_of_the_files(tiny_registry):
    stock = load(tiny_registry, "tiny-instaflow")
    saved = load_file(tiny_registry.folder("tiny-instaflow") / "unet" / WEIGHTS)
    assert all(torch.equal(value, saved[name]) for name, value in stock.unet.state_dict().items())
    assert stock.safety_checker is None
    assert not stock.unet.training


@pytest.mark.parametrize("piece", ["unet", "decoder"])
def test_weights_that_lie_elsewhere_are_held_whatever_is_written_there(tiny_registry, tmp_path, piece):
    folder, away = tiny_registry.folder("tiny-instaflow") / piece, tmp_path / "away.safetensors"
    if piece == "decoder":
        AutoencoderTiny().save_pretrained(folder)
    (folder / WEIGHTS).rename(away)
    (folder / WEIGHTS).symlink_to(away)
    unet = load(tiny_registry, "tiny-instaflow").unet
    held = (unet if piece == "unet" else load_decoder(folder, torch.float32)).state_dict()
    saved = {name: value.clone() for name, value in held.items()}
    with away.open("r+b") as file:
        file.seek(-away.stat().st_size // 2, 2)
        file.write(bytes(away.stat().st_size // 2))
    assert all(torch.equal(value, saved[name]) for name, value in held.items())


def test_type_and_shared_pieces(tiny_registry):
    shared = {}
    first = load(tiny_registry, "tiny-2rf", dtype=torch.float16, shared=shared)
    second = load(tiny_registry, "tiny-instaflow", dtype=torch.float16, shared=shared)
    assert first.unet.dtype == first.vae.dtype == first.text_encoder.dtype == torch.float16
    assert second.vae is first.vae
    assert second.text_encoder is first.text_encoder
    assert second.unet is not first.unet


def edit_json(path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


CONFIGS = {
    "unet": ("config.json", "sample_size", "block_out_channels", "layers_per_block", "in_channels"),
    "vae": ("config.json", "latent_channels", "sample_size"),
    "scheduler": ("scheduler_config.json", "num_train_timesteps"),
    "tokenizer": ("tokenizer_config.json", "model_max_length"),
    "text_encoder": (
        *("config.json", "max_position_embeddings"),
        *("hidden_size", "vocab_size", "num_hidden_layers"),
    ),
}
ABSURD = [
    *(0, -1, 50_000_000, 10**30, 1.5, 1e308, float("nan")),
    *("many", True, [], {}, [[[1]]], [10**9], [1] * 99),
]


@pytest.mark.parametrize(
    ("piece", "key"), [(name, key) for name, (_, *keys) in CONFIGS.items() for key in keys]
)
def test_an_absurd_number_costs_the_model_its_place(tiny_registry, piece, key):
    """And never the process: found while its files are listed, before any library reads it."""
    path = tiny_registry.folder("tiny-sd") / piece / CONFIGS[piece][0]
    whole = path.read_text()
    for value in ABSURD:
        path.write_text(json.dumps(json.loads(whole) | {key: value}))
        assert f"{path}: {key} is " in tiny_registry.problems()["tiny-sd"]
    path.write_text(whole)
    assert tiny_registry.problems() == {}


@pytest.mark.parametrize(
    "change",
    [
        {"_attn_implementation": "kernels-community/flash-attn"},
        {"attn_implementation": ["sdpa"]},
        {"text_config": {"hidden_size": 10**9}},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
    ],
)
def test_a_text_encoder_that_fetches_code_is_refused(tiny_registry, change):
    edit_json(tiny_registry.folder("tiny-sd") / "text_encoder" / "config.json", **change)
    with pytest.raises(UserError, match="expected"):
        load(tiny_registry, "tiny-sd")


@pytest.mark.parametrize("length", [33, None])
def test_a_tokenizer_that_fills_more_places_than_there_are_is_refused(tiny_registry, length):
    edit_json(
        tiny_registry.folder("tiny-sd") / "tokenizer" / "tokenizer_config.json", model_max_length=length
    )
    with pytest.raises(UserError, match=r"model_max_length is .*; expected up to 32"):
        load(tiny_registry, "tiny-sd")


def to_pickle(folder):
    with (folder / "diffusion_pytorch_model.bin").open("wb") as file:
        pickle.dump({}, file)
    (folder / WEIGHTS).unlink()


def cut(path):
    path.write_bytes(path.read_bytes()[:-100])


def without_a_weight(path):
    weights = load_file(path)
    del weights["conv_out.bias"]
    save_file(weights, path, metadata={"format": "pt"})


def of_another_shape(path):
    weights = load_file(path)
    weights["conv_out.bias"] = torch.zeros(7)
    save_file(weights, path, metadata={"format": "pt"})


# How a folder is broken, and what the message says. {model} paths are below tiny-sd, a complete model.
FAULTS = {
    "no weights": (lambda f: (f / "unet" / WEIGHTS).unlink(), f"unet/{WEIGHTS}: this file is missing"),
    "weights in shards": (lambda f: in_shards(f / "unet" / WEIGHTS), "unet: its weights are in shards"),
    "no config": (lambda f: (f / "vae" / "config.json").unlink(), r"vae/config\.json: this file is missing"),
    "no tokenizer": (
        lambda f: (f / "tokenizer" / "tokenizer.json").unlink(),
        r"vocab\.json: this file is missing",
    ),
    "a pickle": (lambda f: to_pickle(f / "unet"), r"diffusion_pytorch_model\.bin: a pickle"),
    "cut short": (lambda f: cut(f / "vae" / WEIGHTS), f"vae/{WEIGHTS}: not a complete safetensors"),
    "not safetensors": (
        lambda f: (f / "unet" / WEIGHTS).write_bytes(b"x" * 99),
        "not a complete safetensors",
    ),
    "empty": (lambda f: (f / "unet" / WEIGHTS).write_bytes(b""), "not a complete safetensors"),
    "broken JSON": (
        lambda f: (f / "unet" / "config.json").write_text("{"),
        r"unet/config\.json: not valid JSON",
    ),
    "a list": (lambda f: (f / "unet" / "config.json").write_text("[]"), "expected a JSON object, found list"),
}
LOADING_FAULTS = {
    "a weight missing": (lambda f: without_a_weight(f / "unet" / WEIGHTS), r"conv_out\.bias"),
    "a wrong shape": (lambda f: of_another_shape(f / "unet" / WEIGHTS), r"conv_out\.bias.*8.*7"),
    "another U-Net": (lambda f: edit_json(f / "unet" / "config.json", layers_per_block=2), "does not fit"),
    "another text": (
        lambda f: edit_json(f / "text_encoder" / "config.json", intermediate_size=32),
        "has shape",
    ),
    "other channels": (lambda f: edit_json(f / "unet" / "config.json", in_channels=4), "does not fit"),
    "odd groups": (lambda f: edit_json(f / "unet" / "config.json", norm_num_groups=7), "does not fit"),
    "a strange block": (lambda f: edit_json(f / "unet" / "config.json", mid_block_type="X"), "does not fit"),
    "a tokenizer": (lambda f: (f / "tokenizer" / "tokenizer.json").write_text("{}"), "not a CLIP tokenizer"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_seen_without_loading(tiny_registry, fault):
    spoil, message = FAULTS[fault]
    spoil(tiny_registry.folder("tiny-sd"))
    with pytest.raises(UserError, match=message):
        load(tiny_registry, "tiny-sd")
    assert "tiny-sd" not in [card.id for card in tiny_registry.cards()]
    assert tiny_registry.problems()["tiny-sd"]


@pytest.mark.parametrize("fault", LOADING_FAULTS)
def test_faults_seen_when_loading(tiny_registry, fault):
    spoil, message = LOADING_FAULTS[fault]
    spoil(tiny_registry.folder("tiny-sd"))
    with pytest.raises(UserError, match=message) as caught:
        load(tiny_registry, "tiny-sd")
    assert "\n" not in str(caught.value)


def test_a_pickle_is_never_read(tiny_registry, tmp_path):
    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "exploded"), "w")

    with (tiny_registry.folder("tiny-sd") / "unet" / "pytorch_model.bin").open("wb") as file:
        pickle.dump(Bomb(), file)
    with pytest.raises(UserError, match="only safetensors are accepted"):
        load(tiny_registry, "tiny-sd")
    assert not (tmp_path / "exploded").exists()


def test_pieces_that_do_not_belong_together(tiny_registry):
    """A U-Net for another text encoder, whole in itself."""
    from tests.tiny import tiny_unet

    config = dict(tiny_unet(1).config) | {"cross_attention_dim": 48}
    type(tiny_unet(1)).from_config(config).save_pretrained(tiny_registry.folder("tiny-2rf") / "unet")
    with pytest.raises(UserError, match=r"cross_attention_dim is 48, but .*text_encoder has 32"):
        load(tiny_registry, "tiny-2rf")


def test_a_scheduler_of_another_kind(tiny_registry):
    path = tiny_registry.folder("tiny-2rf") / "scheduler" / "scheduler_config.json"
    edit_json(path, prediction_type="sample")
    with pytest.raises(UserError, match=r"scheduler_config\.json: prediction_type is 'sample'"):
        load(tiny_registry, "tiny-2rf")
