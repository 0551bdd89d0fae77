"""Folders laid out as those on the Hub: each is drawn as its own pipeline draws it, or refused by name."""

import json
import shutil

import numpy as np
import pytest
import torch
from diffusers import (
    AutoencoderTiny,
    DDIMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    FlowMatchEulerDiscreteScheduler,
    LCMScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
)
from safetensors.torch import load_file, save_file

from rf_app.actions.import_model import ImportModel
from rf_app.errors import HeldBack, UserError
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.registry.recognition import RECOMMENDED
from rf_app.schedulers.perflow import PeRFlowScheduler
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.settings.picture import PictureSettings
from tests.actions.importing.bringing import UNET, bring_in
from tests.tiny import BETAS, save_tiny_safety_checker, tiny_text_encoder, tiny_tokenizer, tiny_unet, tiny_vae


def published(folder, name, index, scheduler, unet=None, vae=None):
    """A folder laid out as that model on the Hub is, at tiny width."""
    target = folder.parent / name
    shutil.copytree(folder, target)
    (target / "model_index.json").write_text(json.dumps({"_class_name": index}))
    for piece, made in (("unet", unet), ("vae", vae), ("scheduler", scheduler)):
        if made:
            shutil.rmtree(target / piece)
            made.save_pretrained(target / piece)
    return target


TINY_DECODER = {
    "latent_channels": 8,
    "encoder_block_out_channels": (8, 8, 8, 8),
    "decoder_block_out_channels": (8, 8, 8, 8),
    "num_encoder_blocks": (1, 1, 1, 1),
    "num_decoder_blocks": (1, 1, 1, 1),
}


class StockFlowMatching(FlowMatchEulerDiscreteScheduler):
    """Diffusers' own, with what Stable Diffusion's pipeline asks for, in equal steps before the shift."""

    init_noise_sigma = 1.0

    def scale_model_input(self, sample, timestep=None):
        return sample

    def set_timesteps(self, steps, device=None):
        super().set_timesteps(device=device, sigmas=np.linspace(1, 1 / steps, steps))


ZERO_TERMINAL_SNR = DDIMScheduler(
    prediction_type="v_prediction",
    rescale_betas_zero_snr=True,
    timestep_spacing="trailing",
    clip_sample=False,
    **BETAS,
)
TRAILING = EulerDiscreteScheduler(timestep_spacing="trailing", **BETAS)
PLAIN, RECTIFIED = "StableDiffusionPipeline", "RectifiedFlowPipeline"


@pytest.mark.parametrize(
    ("name", "index", "scheduler", "pieces", "kind", "drawn_with"),
    [
        (
            *("stable-diffusion-v1-5", PLAIN, PNDMScheduler(**BETAS, skip_prk_steps=True, steps_offset=1)),
            *({}, "diffusion"),
            DPMSolverMultistepScheduler(**BETAS, steps_offset=1, timestep_spacing="leading"),
        ),
        (
            *("dreamshaper-7", PLAIN, DEISMultistepScheduler(**BETAS, steps_offset=1)),
            *({}, "diffusion", DPMSolverMultistepScheduler(**BETAS, steps_offset=1)),
        ),
        (
            *("v-prediction", PLAIN, ZERO_TERMINAL_SNR),
            *({}, "diffusion", DPMSolverMultistepScheduler.from_config(ZERO_TERMINAL_SNR.config)),
        ),
        ("2_rectified_flow", RECTIFIED, PNDMScheduler(), {}, "rectified-flow", RectifiedFlowScheduler()),
        ("instaflow_0_9B", RECTIFIED, PNDMScheduler(), {}, "one-step", RectifiedFlowScheduler()),
        (
            *("perflow-sd15-dreamshaper", PLAIN, DEISMultistepScheduler(**BETAS)),
            *({}, "piecewise-flow", PeRFlowScheduler()),
        ),
        (
            *("LCM_Dreamshaper_v7", "LatentConsistencyModelPipeline", LCMScheduler()),
            *({"unet": lambda: tiny_unet(3, time_cond_proj_dim=32)}, "consistency", LCMScheduler()),
        ),
        ("sd-turbo", PLAIN, TRAILING, {}, "turbo", TRAILING),
        (
            *("sdxs-512-dreamshaper", PLAIN, DEISMultistepScheduler(**BETAS)),
            *({"vae": lambda: AutoencoderTiny(**TINY_DECODER)}, "one-step-diffusion"),
            DEISMultistepScheduler(**BETAS),
        ),
        (
            *("flow-matching", PLAIN, FlowMatchEulerDiscreteScheduler(shift=3.0)),
            *({}, "rectified-flow", StockFlowMatching(shift=3.0)),
        ),
    ],
)
def test_each_published_layout_is_drawn_as_it_was_made_to_be(
    app, elsewhere, name, index, scheduler, pieces, kind, drawn_with
):
    """The picture is the stock pipeline's with the sampler that the checkpoint was made for."""
    torch.manual_seed(1)
    made = {piece: make() for piece, make in pieces.items()}
    source = published(elsewhere, name, index, scheduler, **made)
    folder = bring_in(app, ImportModel(str(source)))
    card = app.registry.card(folder.name)
    assert (card.kind, (card.steps, card.guidance)) == (kind, RECOMMENDED[kind])
    settings = PictureSettings("a lake", card.id, seed=3)
    drawn = result_of(app.worker.draw(settings))
    stock = StableDiffusionPipeline(
        unet=made.get("unet") or tiny_unet(3),
        vae=made.get("vae") or tiny_vae(),
        text_encoder=tiny_text_encoder(tiny_tokenizer()),
        tokenizer=tiny_tokenizer(),
        scheduler=drawn_with,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )
    expected = stock(
        "a lake",
        num_inference_steps=card.steps,
        guidance_scale=card.guidance,
        generator=torch.Generator("cpu").manual_seed(3),
        output_type="pil",
    ).images[0]
    assert np.abs(np.asarray(drawn.image, int) - np.asarray(expected, int)).max() <= 1


def test_a_safety_checker_comes_along_or_is_said_to_be_missing(app, elsewhere):
    """Its first picture is drawn there, though it lets none through; a pickle is left where it is."""
    source = published(elsewhere, "instaflow", "RectifiedFlowPipeline", PNDMScheduler())
    index = {"_class_name": "RectifiedFlowPipeline", "safety_checker": ["stable_diffusion", "Checker"]}
    (source / "model_index.json").write_text(json.dumps(index))
    checker = source / "safety_checker"
    save_tiny_safety_checker(checker, -1)
    (checker / "pytorch_model.bin").write_bytes(b"a pickle")
    with_it = bring_in(app, ImportModel(str(source), id="with-it"))
    assert sorted(path.name for path in (with_it / "safety_checker").iterdir()) == [
        "config.json",
        "model.safetensors",
    ]
    assert "left out" not in app.registry.card("with-it").description
    public = Worker(app.registry, "cpu", safety_checker=True)
    with pytest.raises(HeldBack):
        result_of(public.draw(PictureSettings("a lake", "with-it")))
    config = json.loads((checker / "config.json").read_text())
    config["vision_config"]["num_channels"] = 1
    (checker / "config.json").write_text(json.dumps(config))
    weights = load_file(checker / "model.safetensors")
    patches = "vision_model.vision_model.embeddings.patch_embedding.weight"
    weights[patches] = weights[patches][:, :1].contiguous()
    save_file(weights, checker / "model.safetensors", {"format": "pt"})
    with pytest.raises(UserError, match="grey cannot draw"):
        bring_in(app, ImportModel(str(source), id="grey"))
    (checker / "model.safetensors").unlink()
    without = bring_in(app, ImportModel(str(source), id="without"))
    assert not (without / "safety_checker").exists()
    assert app.registry.card("without").description.endswith(
        "Its safety checker is left out: it has no safetensors file."
    )
    assert result_of(public.draw(PictureSettings("a lake", "without"))).image
    assert "safety_checker/model.safetensors: is a link to" in app.registry.problems()["with-it"]
    public.close()


def test_what_is_refused_by_name_costs_no_copy(app, elsewhere):
    (elsewhere / "model_index.json").write_text('{"_class_name": "StableDiffusionXLPipeline"}')
    with pytest.raises(UserError, match="is Stable Diffusion XL; expected"):
        bring_in(app, ImportModel(str(elsewhere), id="mine"))
    assert not list((app.registry.folders[-1] / ".imports").rglob("*.safetensors"))


def test_weights_for_another_engine_are_named(app, elsewhere):
    (elsewhere / UNET).rename(elsewhere / "unet" / "openvino_model.bin")
    (elsewhere / "unet" / "openvino_model.xml").write_text("<net/>")
    with pytest.raises(UserError, match="its weights are OpenVINO's, which are not read"):
        bring_in(app, ImportModel(str(elsewhere), id="mine"))
