"""Train a diffusion model from nothing: a U-Net and its text encoder on an autoencoder's latents.

    python -m trainers.teacher                                                (drawings of the pocket world)
    python -m trainers.teacher --images pictures/ --size 96 --autoencoder my-run/vae --output my-teacher

Stock classes, Stable Diffusion 1.5's noise schedule and epsilon prediction, a tenth of the captions dropped.
The error of a timestep weighs min(SNR, 5) / SNR (arXiv 2303.09556, equation 5), so that the many nearly clean
ones do not drown what decides on the picture.
Stops cleanly on Ctrl-C; the same command resumes. Publishes a model that loads in an unmodified
`StableDiffusionPipeline`.
"""

import hashlib
import json
from pathlib import Path

import torch
from diffusers import (
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.training_utils import compute_snr
from torch import Tensor, nn
from transformers import CLIPTextModel

from rf_app.registry.card import ModelCard
from rf_app.registry.disk import disk_full_named
from rf_app.settings.from_nothing import Teacher
from trainers.common import LoopConfig, command, train
from trainers.common.cards import as_it_ran
from trainers.common.models import decode, drawn, fingerprint, load_autoencoder, registry_into
from trainers.common.networks import build_unet
from trainers.common.precision import accelerator_in
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet
from trainers.common.text import build_text_encoder, build_tokenizer, caption_ids, tokens
from trainers.data.images import latents_of
from trainers.data.source import learned_and_held_out
from trainers.pocket.world import HELD_OUT

STEPS, GUIDANCE = 25, 3.0
SHOWN, COLUMNS = 32, 8  # held-out prompts, while it learns
SNR_CAP = 5.0


def build_scheduler() -> DPMSolverMultistepScheduler:
    """Stable Diffusion 1.5's noise schedule, sampled with DPM-Solver++."""
    return DPMSolverMultistepScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
    )


def build_noising() -> DDPMScheduler:
    """The same schedule for training: DPM-Solver's own `add_noise` runs backwards until its steps are set."""
    return DDPMScheduler.from_config(build_scheduler().config)


def snr_weight(noising: DDPMScheduler, timesteps: Tensor) -> Tensor:
    """What the error of the noise at timesteps [B] weighs, in 0..1: [B]."""
    snr = compute_snr(noising, timesteps)
    return snr.clamp(max=SNR_CAP) / snr


class Denoiser(nn.Module):
    """Text encoder and U-Net as one function, since they learn together."""

    def __init__(self, text_encoder: CLIPTextModel, unet: UNet2DConditionModel):
        super().__init__()
        self.text_encoder, self.unet = text_encoder, unet
        self.enable_gradient_checkpointing = unet.enable_gradient_checkpointing

    def forward(self, noisy: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
        """Predicted noise [B, C, h, w] for noisy latents, timesteps [B] and token ids [B, 32]."""
        return self.unet(noisy, timesteps, self.text_encoder(ids)[0], return_dict=False)[0]


def main(config: Teacher) -> None:
    """Train the teacher and publish it whole: U-Net, text encoder, tokenizer, autoencoder, vocabulary."""
    registry = registry_into(config.models)
    registry.check_free(config.output, config.overwrite)
    accelerator = accelerator_in(config.precision)
    run = config.run or default_run("pocket/teacher")
    found = config.autoencoder or default_run("pocket/autoencoder") / "vae"
    vae = load_autoencoder(found)
    torch.manual_seed(config.seed)
    with accelerator.main_process_first():
        images, held_out = learned_and_held_out(config)
        tokenizer = build_tokenizer(images.corpus())
        unet = build_unet(vae.config.latent_channels, config.size).to(memory_format=torch.channels_last)
        model = Denoiser(build_text_encoder(tokenizer), unet)
        vae = vae.to(accelerator.device, memory_format=torch.channels_last)
        of = hashlib.sha256(f"{images.digest()} {config.size} {fingerprint(vae)}".encode()).hexdigest()[:12]
        latents = latents_of(vae, images.pixels, len(images), run / f"latents-{of}.safetensors")
    captions, blank = caption_ids(tokenizer, images.wordings()), tokens(tokenizer, [""])
    noising, device = build_noising(), accelerator.device
    # All of it, and the noise below, is on the device: a copy a step would leave a quick GPU waiting.
    latents, captions, blank = latents.to(device), captions.to(device), blank.to(device)

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        count = config.batch
        picks = torch.randint(len(latents), (count,), generator=generator).to(device)
        worded = torch.randint(captions.shape[1], (count,), generator=generator).to(device)
        dropped = torch.rand(count, generator=generator).to(device) < config.dropout
        timesteps = torch.randint(len(noising), (count,), generator=generator).to(device)
        ids = torch.where(dropped[:, None], blank, captions[picks, worded])
        clean = latents[picks]
        noise = torch.randn_like(clean)
        noisy = noising.add_noise(clean, noise, timesteps)
        error = (model(noisy, timesteps, ids) - noise).square().mean((1, 2, 3))
        return (error * snr_weight(noising, timesteps)).mean()

    def pipeline(model: Denoiser) -> StableDiffusionPipeline:
        return StableDiffusionPipeline(
            vae=vae,
            text_encoder=model.text_encoder,
            tokenizer=tokenizer,
            unet=model.unet,
            scheduler=build_scheduler(),
            safety_checker=None,
            feature_extractor=None,
            requires_safety_checker=False,
        )

    def samples(model: nn.Module, step: int) -> None:
        pipe = pipeline(model)
        prompts = [held_out.caption(i % len(held_out)) for i in range(SHOWN)]
        made = decode(pipe, drawn(pipe, prompts, range(HELD_OUT, HELD_OUT + SHOWN), GUIDANCE, STEPS))
        write_sheet(run / "samples" / f"step-{step:06d}.png", made.split(COLUMNS), first="")

    subject = {"pictures": images.digest(), "size": config.size}
    loop = LoopConfig.of(config, run, sample_every=max(100, config.steps // 12), subject=subject)
    pipe = pipeline(train(loop, model, loss, samples))

    def build(folder: Path) -> None:
        pipe.to(dtype=torch.float16).save_pretrained(folder)
        # transformers loads in the type the config names, diffusers in float32: a stock pipeline needs one.
        text_config = folder / "text_encoder" / "config.json"
        text_config.write_text(
            json.dumps(json.loads(text_config.read_text()) | {"dtype": "float32"}, indent=2) + "\n"
        )
        (folder / "vocabulary.json").write_text(json.dumps(images.vocabulary(), indent=1) + "\n")

    world = config.images is None
    what = "landscape posters of the pocket world" if world else f"what {len(images):,} pictures show"
    card = ModelCard(
        id=config.output,
        title=config.title or ("Pocket SD" if world else config.output),
        kind="diffusion",
        description=f"Stable Diffusion in the small: {what}, in {STEPS} steps with guidance.",
        resolution=config.size,
        smallest_side=config.size // 3,  # of less it makes nothing
        steps=STEPS,
        guidance=GUIDANCE,
        license="apache-2.0" if world else "unknown",
        settings=as_it_ran(config, accelerator, pictures=len(images)),
    )
    if accelerator.is_main_process:
        with disk_full_named(registry.folders[-1] / config.output):
            where = registry.publish(config.output, build, card, overwrite=config.overwrite)
        print(f"published {config.output} in {where}", flush=True)


if __name__ == "__main__":
    command.run(main, Teacher)
