"""ControlNets on disk: what is listed, what is refused and why."""

import json
import shutil

import pytest
import torch

from rf_app.errors import UserError
from rf_app.plugins.controlnet import load_controlnet
from rf_app.registry.card import write_card
from rf_app.registry.controlnets import ControlNetCard, ControlNets
from tests.tiny import load, tiny_controlnet, tiny_unet, tiny_vae

UNET, VAE = tiny_unet(3).config, tiny_vae().config
WEIGHTS = "diffusion_pytorch_model.safetensors"
PICKLE = "diffusion_pytorch_model.fp16.bin"


@pytest.fixture
def nets(tiny_registry):
    return ControlNets.beside(tiny_registry)


def change_config(nets, **values):
    path = nets.folder("tiny-canny") / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | values))


def test_cards_are_listed_and_read_back(nets):
    assert [(card.id, card.title, card.preprocessor) for card in nets.cards()] == [
        ("tiny-canny", "Tiny canny", "canny"),
        ("tiny-depth", "Tiny depth", "depth"),
    ]
    assert nets.problems() == {}
    card = ControlNetCard(
        "tiny-canny",
        "A title",
        "Words.",
        preprocessor="scribble",
        license="mit",
        base_model="tiny-sd",
        measured={"f1": 0.5},
        settings={"steps": 3},
    )
    write_card(nets.folder("tiny-canny"), card)
    assert nets.cards()[0] == card


def test_a_folder_of_the_hub_is_known_by_its_name(nets):
    """No card of ours, or another's."""
    folder = nets.folder("tiny-canny")
    for name in ("control_v11p_sd15_openpose", "qr-monster"):
        shutil.copytree(folder, folder.parent / name)
        (folder.parent / name / "README.md").write_text("---\nlicense: openrail\n---\n# Of the Hub\n")
    (folder.parent / "qr-monster" / "README.md").unlink()
    found = {card.id: card.preprocessor for card in nets.cards()}
    assert found["control_v11p_sd15_openpose"] == "openpose"
    assert found["qr-monster"] == "none"


def test_it_loads_for_a_model_that_it_fits(nets, tiny_registry):
    model = load(tiny_registry, "tiny-2rf")
    net = load_controlnet(nets.folder("tiny-canny"), torch.float16, model.unet.config, model.vae.config)
    assert net.dtype == torch.float16
    assert not net.training
    assert not any(weight.requires_grad for weight in net.parameters())


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"cross_attention_dim": 2048}, "was made for SDXL, cross-attention width 2048; this model has 32"),
        ({"cross_attention_dim": 768}, "was made for SD 1.5, cross-attention width 768; this model has 32"),
        ({"cross_attention_dim": "wide"}, "cross_attention_dim is 'wide'"),
        ({"cross_attention_dim": [768, 768]}, r"cross-attention width \[768, 768\]; this model has 32"),
        ({"addition_embed_type": "text_time"}, "additional embeddings, as SDXL has"),
        ({"conditioning_channels": 1}, "maps of 1 channels"),
        ({"in_channels": 4}, "latent channels 4; this model has 8"),
        ({"block_out_channels": [320, 640]}, r"widths \[320, 640\]; this model has \[16, 32\]"),
        ({"layers_per_block": 2}, "layers a block 2"),
        ({"conditioning_embedding_out_channels": [8, 8]}, "latents 2 times smaller than the map"),
        ({"conditioning_embedding_out_channels": 8}, "latents 1 times smaller than the map"),
    ],
)
def test_one_for_another_base_is_refused_with_the_reason(nets, config, message):
    change_config(nets, **config)
    with pytest.raises(UserError, match=message):
        load_controlnet(nets.folder("tiny-canny"), torch.float32, UNET, VAE)
    assert "tiny-depth" in [card.id for card in nets.cards()]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (lambda f: (f / WEIGHTS).unlink(), f"{WEIGHTS}: this file is missing"),
        (lambda f: (f / WEIGHTS).write_bytes(b"x" * 99), "not a complete safetensors"),
        (lambda f: (f / "config.json").write_text("{"), "not valid JSON"),
        (lambda f: (f / WEIGHTS).rename(f / PICKLE), f"{PICKLE}: a pickle can run any code"),
    ],
)
def test_a_broken_one_is_named_and_the_others_stay(nets, fault, message):
    fault(nets.folder("tiny-canny"))
    assert [card.id for card in nets.cards()] == ["tiny-depth"]
    with pytest.raises(UserError, match=message):
        load_controlnet(nets.folder("tiny-canny"), torch.float32, UNET, VAE)
    assert message.split(":")[-1].strip() in nets.problems()["tiny-canny"]


def test_a_pickle_beside_safetensors_does_not_matter(nets):
    """As lllyasviel has them on the Hub; these would not unpickle."""
    for name in ("diffusion_pytorch_model.bin", PICKLE, "old.pth"):
        (nets.folder("tiny-canny") / name).write_bytes(b"no pickle")
    assert nets.problems() == {}
    load_controlnet(nets.folder("tiny-canny"), torch.float32, UNET, VAE)


def test_half_size_alone_is_loaded_and_else_the_full_one(nets):
    path, net = nets.folder("tiny-canny") / WEIGHTS, tiny_controlnet(7)
    net.half().save_pretrained(path.parent, variant="fp16")
    (path.parent / PICKLE).write_bytes(b"no pickle")
    full = load_controlnet(nets.folder("tiny-canny"), torch.float32, UNET, VAE)
    assert not torch.equal(full.conv_in.weight, net.conv_in.weight.float())
    path.unlink()
    assert nets.problems() == {}
    half = load_controlnet(nets.folder("tiny-canny"), torch.float32, UNET, VAE)
    assert half.dtype == torch.float32
    assert torch.equal(half.conv_in.weight, net.conv_in.weight.float())


@pytest.mark.parametrize("name", ["MyCanny", "my canny", "-canny"])
def test_a_name_that_is_no_id_is_a_problem_with_a_way_out(nets, name):
    folder = nets.folder("tiny-canny")
    folder.rename(folder.with_name(name))
    assert [card.id for card in nets.cards()] == ["tiny-depth"]
    assert nets.problems()[name].startswith(f"ControlNet id {name!r}: use 1 to 64 of a-z")
    assert nets.problems()[name].endswith("Rename this folder.")


def test_a_strange_preprocessor_is_a_problem(nets):
    path = nets.folder("tiny-canny") / "README.md"
    path.write_text(path.read_text().replace("preprocessor: canny", "preprocessor: <b>"))
    assert "'preprocessor' is '<b>'; expected one of canny" in nets.problems()["tiny-canny"]


@pytest.mark.parametrize(
    ("id", "message"), [("nothing", "at hand: tiny-canny, tiny-depth"), ("../x", "use 1 to")]
)
def test_an_unknown_id_is_answered_with_those_there_are(nets, id, message):
    with pytest.raises(UserError, match=message):
        nets.folder(id)
