"""Models of Stable Diffusion 1.5's width and depth with random weights: as slow as the true ones.

random-sd15 is complete; random-2rf and random-instaflow have a U-Net of their own. Seeded, in float16,
5.5 GB, made once in `benchmarks/` of the user's folder. The tokenizer reads bytes: nothing is downloaded.
"""

from dataclasses import replace
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DPMSolverMultistepScheduler, SchedulerMixin, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

from rf_app.errors import UserError
from rf_app.registry.card import write_card
from rf_app.registry.disk import publish_folder
from rf_app.registry.models import Registry
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.settings.home import home
from tests.tiny import tiny_card, tiny_tokenizer

BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}
LENGTH = 77  # tokens


def random_models() -> Registry:
    """The registry of the three, made where it is not there yet: a minute or two."""
    folder = home() / "benchmarks" / "sd15"
    if not folder.is_dir():
        print("Making random weights of Stable Diffusion 1.5's size, once.", flush=True)
        publish_folder(folder, _make, UserError(f"{folder} is there already."))
    return Registry([folder])


def _make(target: Path) -> None:
    _model(target, 0, "random-sd15", "diffusion", 25, None, DPMSolverMultistepScheduler(**BETAS))
    torch.manual_seed(0)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(128, 256, 512, 512),
        layers_per_block=2,
        sample_size=512,
    )
    vae.half().save_pretrained(target / "random-sd15" / "vae")
    tokenizer = tiny_tokenizer()
    tokenizer.model_max_length = LENGTH
    tokenizer.save_pretrained(target / "random-sd15" / "tokenizer")
    text = CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=768,
        intermediate_size=3072,
        num_hidden_layers=12,
        num_attention_heads=12,
        max_position_embeddings=LENGTH,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    CLIPTextModel(text).half().save_pretrained(target / "random-sd15" / "text_encoder")
    flow = RectifiedFlowScheduler()
    _model(target, 1, "random-2rf", "rectified-flow", 25, "random-sd15", flow)
    _model(target, 2, "random-instaflow", "one-step", 1, "random-2rf", flow)


def _model(
    target: Path, seed: int, id: str, kind: str, steps: int, base: str | None, scheduler: SchedulerMixin
) -> None:
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(sample_size=64, cross_attention_dim=768, attention_head_dim=8)
    unet.half().save_pretrained(target / id / "unet")
    scheduler.save_pretrained(target / id / "scheduler")
    write_card(target / id, replace(tiny_card(id, kind, steps, 1.0, base), resolution=512))
