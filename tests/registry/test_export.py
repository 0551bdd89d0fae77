"""An exported folder is a model for whoever has diffusers, and for us again."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
from diffusers import StableDiffusionPipeline

from rf_app.errors import UserError
from rf_app.registry.card import read_card
from rf_app.registry.export import export
from rf_app.schedulers.perflow import PeRFlowScheduler
from tests.tiny import load, save_tiny_safety_checker, tiny_card, tiny_unet

STOCK = """
import sys, torch
from diffusers import StableDiffusionPipeline
for each in sys.argv[1:]:
    folder, steps, guidance, trust = each.split(",")
    trusted = {"trust_remote_code": True} if trust == "True" else {}
    pipeline = StableDiffusionPipeline.from_pretrained(folder, safety_checker=None, **trusted)
    settings = {"num_inference_steps": int(steps), "guidance_scale": float(guidance), "output_type": "latent"}
    latents = pipeline("a lake", generator=torch.Generator().manual_seed(3), **settings).images
    torch.save(latents, folder + ".latents")
assert not any(name.startswith("rf_app") for name in sys.modules)
"""


def test_a_safety_checker_goes_along(tiny_registry, tmp_path):
    save_tiny_safety_checker(tiny_registry.folder("tiny-sd") / "safety_checker", -1)
    pipeline = StableDiffusionPipeline.from_pretrained(export(tiny_registry, "tiny-sd", tmp_path / "out"))
    assert pipeline("a lake", num_inference_steps=1).nsfw_content_detected == [True]


def tiny_piecewise(folder):
    tiny_unet(6).save_pretrained(folder / "unet")
    PeRFlowScheduler().save_pretrained(folder / "scheduler")


def test_a_process_with_diffusers_alone_draws_the_same(tiny_registry, tmp_path):
    windows = replace(tiny_card("tiny-perflow", "piecewise-flow", 4, 4.5, "tiny-sd"), lineage=())
    tiny_registry.publish("tiny-perflow", tiny_piecewise, windows)
    cards = [tiny_registry.card(id) for id in ("tiny-sd", "tiny-instaflow", "tiny-perflow")]
    folders = {card.id: export(tiny_registry, card.id, tmp_path / "out" / card.id) for card in cards}
    wishes = [f"{folders[card.id]},{card.steps},{card.guidance},{card.kind != 'diffusion'}" for card in cards]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", STOCK, *wishes],
        cwd=tmp_path,
        env=environment | {"HF_MODULES_CACHE": str(tmp_path / "modules")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for card in cards:
        own = load(tiny_registry, card.id)(
            "a lake",
            num_inference_steps=card.steps,
            guidance_scale=card.guidance,
            output_type="latent",
            generator=torch.Generator().manual_seed(3),
        ).images
        assert torch.equal(torch.load(f"{folders[card.id]}.latents", weights_only=True), own)
        readme = (folders[card.id] / "README.md").read_text()
        assert ("trust_remote_code=True" in readme) == (card.kind != "diffusion")
        assert f"num_inference_steps={card.steps}" in readme


def test_the_card_comes_back_as_it_was(tiny_registry, tmp_path):
    folder = export(tiny_registry, "tiny-2rf", tmp_path / "tiny-2rf")
    assert read_card(folder) == tiny_registry.card("tiny-2rf")
    assert json.loads((folder / "model_index.json").read_text())["scheduler"] == [
        "instaflow_rectified_flow",
        "RectifiedFlowScheduler",
    ]
    assert (folder / "vocabulary.json").is_file()


def test_what_is_there_is_not_overwritten(tiny_registry, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="exists already"):
        export(tiny_registry, "tiny-2rf", tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []
    with pytest.raises(UserError, match="There is no model 'none'"):
        export(tiny_registry, "none", tmp_path / "none")
    assert not (tmp_path / "none").exists()
