"""An exported folder is a model for whoever has diffusers, and for us again."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline
from huggingface_hub import ModelCard as HubCard
from PIL import Image

from rf_app.errors import UserError
from rf_app.registry.card import read_card, write_card
from rf_app.registry.export import export
from rf_app.registry.loading import as_kind
from rf_app.registry.models import Registry
from rf_app.registry.stacked import StackedUNet
from rf_app.schedulers.perflow import PeRFlowScheduler
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.schedulers.solvers import ETA, solvers
from rf_app.schedulers.stock import stock
from tests.tiny import BETAS, load, save_tiny_safety_checker, tiny_card, tiny_unet

STOCK = """
import re, sys
sys.modules["rf_app"] = None  # whoever imports it gets an ImportError
import numpy
from diffusers.utils import logging
logging.disable_progress_bar()
for folder in sys.argv[1:]:
    readme = open(folder + "/README.md").read()
    code = re.search("```python\\n(.*?)```", readme, re.DOTALL)[1]
    code = re.sub('"path/to/.*?"', repr(folder), code)
    code = code.replace("guidance_scale", "generator=torch.Generator().manual_seed(3), guidance_scale")
    made = {}
    exec("import torch\\n" + code, made)
    made["image"].save(folder + "/drawn.png")
"""


def test_a_safety_checker_goes_along(tiny_registry, tmp_path):
    save_tiny_safety_checker(tiny_registry.folder("tiny-sd") / "safety_checker", -1)
    pipeline = StableDiffusionPipeline.from_pretrained(export(tiny_registry, "tiny-sd", tmp_path / "out"))
    assert pipeline("a lake", num_inference_steps=1).nsfw_content_detected == [True]


def with_scheduler(scheduler, unet):
    def build(folder):
        unet.save_pretrained(folder / "unet")
        scheduler.save_pretrained(folder / "scheduler")

    return build


def drawn(pipeline, card):
    pipeline.scheduler = as_kind(pipeline.scheduler, card.kind)
    return pipeline(
        "a snowy mountain near a lake at sunset",
        num_inference_steps=card.steps,
        guidance_scale=card.guidance,
        eta=ETA.get(solvers(card.kind)[0], 0.0),
        generator=torch.Generator().manual_seed(3),
    ).images[0]


def apart(one, other):
    """The largest difference of two pictures, of 255."""
    return int(np.abs(np.asarray(one, int) - np.asarray(other, int)).max())


def test_what_the_card_says_draws_the_same_with_diffusers_alone(tiny_registry, tmp_path):
    """Only what no scheduler, or no U-Net, of diffusers can draw brings code of ours.

    Folders of the Hub have PNDM, whatever they are drawn with.
    """
    epsilon, unet = RectifiedFlowScheduler(prediction_type="epsilon"), tiny_unet(6)
    pndm = PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1)
    for id, scheduler, network, kind, steps, guidance in (
        ("tiny-imported", pndm, unet, "diffusion", 4, 2.0),
        ("tiny-few", pndm, unet, "few-step", 3, 1.0),
        ("tiny-tcd", pndm, unet, "trajectory-consistency", 3, 1.0),
        ("tiny-perflow", PeRFlowScheduler(), unet, "piecewise-flow", 4, 4.5),
        ("tiny-epsilon", epsilon, unet, "one-step", 1, 1.0),
        ("tiny-matched", epsilon, unet, "rectified-flow", 8, 1.5),
        ("tiny-shifted", RectifiedFlowScheduler(shift=3.0), unet, "rectified-flow", 4, 1.5),
        ("tiny-stacked", RectifiedFlowScheduler(), StackedUNet.of(unet), "one-step", 1, 1.0),
    ):
        card = replace(tiny_card(id, kind, steps, guidance, "tiny-sd"), lineage=("tiny-sd",))
        tiny_registry.publish(id, with_scheduler(scheduler, network), card)
    cards = tiny_registry.cards()
    folders = {card.id: export(tiny_registry, card.id, tmp_path / "out" / card.id) for card in cards}
    readmes = {id: (folder / "README.md").read_text() for id, folder in folders.items()}
    assert [id for id in readmes if "trust_remote_code" in readmes[id]] == ["tiny-perflow", "tiny-stacked"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-I", "-c", STOCK, *map(str, folders.values())],
        cwd=tmp_path,
        env=environment | {"HF_MODULES_CACHE": str(tmp_path / "modules")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    again = Registry([tmp_path / "out"])
    for card in cards:
        own = drawn(load(tiny_registry, card.id), card)
        assert apart(Image.open(folders[card.id] / "drawn.png"), own) <= 1, card.id
        assert apart(drawn(load(again, card.id), card), own) == 0, card.id


def test_more_steps_than_diffusers_tells_apart_need_our_code():
    own = RectifiedFlowScheduler(prediction_type="epsilon")
    assert stock(own, 15).sigmas
    assert stock(own, 16) is None


def test_the_card_comes_back_as_it_was(tiny_registry, tmp_path):
    own = replace(tiny_registry.card("tiny-2rf"), license="Some Community License")
    write_card(tiny_registry.folder("tiny-2rf"), own)
    folder = export(tiny_registry, "tiny-2rf", tmp_path / "tiny-2rf")
    assert read_card(folder) == own
    data = HubCard.load(folder / "README.md").data
    assert (data.license, data.license_name) == ("other", "some-community-license")
    assert data.library_name == "diffusers"
    assert "made from `tiny-sd` (apache-2.0)" in (folder / "README.md").read_text()
    index = json.loads((folder / "model_index.json").read_text())
    assert index["scheduler"] == ["diffusers", "UniPCMultistepScheduler"]
    assert (folder / "vocabulary.json").is_file()


def test_what_is_there_is_not_overwritten(tiny_registry, tmp_path):
    (tmp_path / "there").mkdir()
    with pytest.raises(UserError, match="exists already"):
        export(tiny_registry, "tiny-2rf", tmp_path / "there")
    assert list((tmp_path / "there").iterdir()) == []
    with pytest.raises(UserError, match="There is no model 'none'"):
        export(tiny_registry, "none", tmp_path / "none")
    assert not (tmp_path / "none").exists()
