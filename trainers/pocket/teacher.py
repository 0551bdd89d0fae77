"""Train the pocket diffusion teacher: a U-Net and its text encoder on the autoencoder's latents.

    python -m trainers.pocket.teacher

Stock classes, Stable Diffusion 1.5's noise schedule and epsilon prediction, a tenth of the captions dropped.
The error of a timestep weighs min(SNR, 5) / SNR (arXiv 2303.09556, equation 5), so that the many nearly clean
ones do not drown what decides on the picture.
Stops cleanly on Ctrl-C; the same command resumes. Publishes a model that loads in an unmodified
`StableDiffusionPipeline`.
"""

import json
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import torch
from diffusers import (
    AutoencoderKL,
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
from rf_app.settings.training import Published, SteppedTraining
from trainers.common import LoopConfig, command, train
from trainers.common.models import decode, encode, noise_of, registry_into, sample
from trainers.common.precision import accelerator_in
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet
from trainers.data.images import latents_of
from trainers.pocket.captions import vocabulary
from trainers.pocket.pictures import FAMILY_SIZE, pictures
from trainers.pocket.text import WIDTH, WORDINGS, build_text_encoder, build_tokenizer, caption_ids, tokens
from trainers.pocket.world import HELD_OUT, describe

STEPS, GUIDANCE = 25, 3.0
SHOWN = 32  # held-out prompts, while it learns
SNR_CAP = 5.0


@dataclass(frozen=True, kw_only=True)
class TeacherConfig(Published, SteppedTraining):
    """Settings of the teacher's training; the defaults make the bundled one."""

    run: Path = field(default_factory=partial(default_run, "pocket/teacher"))
    """Run folder: checkpoints, events, samples, latents."""
    autoencoder: Path = field(default_factory=partial(default_run, "pocket/autoencoder/vae"))
    """Folder of the autoencoder."""
    output: str = "my-pocket-sd"
    pictures: int = 40_000
    """Number of drawings to learn from."""
    steps: int = 7_600
    batch: int = 256
    learning_rate: float = 1e-3
    dropout: float = 0.1
    """Share of captions left out, for guidance."""


def build_unet(channels: int) -> UNet2DConditionModel:
    """The untrained U-Net: 4.7 M parameters, convolutions alone at 24x24, attention to the text at 12x12."""
    return UNet2DConditionModel(
        sample_size=FAMILY_SIZE // 8,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(96, 128),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=4,
        cross_attention_dim=WIDTH,
    )


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

    def forward(self, noisy: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
        """Predicted noise [B, 8, 24, 24] for noisy latents, timesteps [B] and token ids [B, 32]."""
        return self.unet(noisy, timesteps, self.text_encoder(ids)[0], return_dict=False)[0]


def main(config: TeacherConfig) -> None:
    """Train the teacher and publish it whole: U-Net, text encoder, tokenizer, autoencoder, vocabulary."""
    registry = registry_into(config.models)
    registry.check_free(config.output, config.overwrite)
    accelerator = accelerator_in(config.precision)
    vae = AutoencoderKL.from_pretrained(config.autoencoder).eval().requires_grad_(False)
    torch.manual_seed(config.seed)
    tokenizer = build_tokenizer()
    unet = build_unet(vae.config.latent_channels).to(memory_format=torch.channels_last)
    model = Denoiser(build_text_encoder(tokenizer), unet)
    with accelerator.main_process_first():
        vae = vae.to(accelerator.device, memory_format=torch.channels_last)
        drawn = pictures(config.pictures, cache=config.run.parent / "drawings", size=FAMILY_SIZE)
        kept = config.run / f"latents-{config.pictures}.safetensors"
        latents = latents_of(vae, drawn.__getitem__, len(drawn), kept)
    captions, blank = caption_ids(tokenizer, config.pictures), tokens(tokenizer, [""])
    noising, device = build_noising(), accelerator.device
    # All of it, and the noise below, is on the device: a copy a step would leave a quick GPU waiting.
    latents, captions, blank = latents.to(device), captions.to(device), blank.to(device)

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        count = config.batch
        picks = torch.randint(len(latents), (count,), generator=generator).to(device)
        worded = torch.randint(WORDINGS, (count,), generator=generator).to(device)
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
        seeds = range(HELD_OUT, HELD_OUT + SHOWN)
        text, null = encode(pipe, [describe(seed)[1].text for seed in seeds]), encode(pipe, [""])
        noise = noise_of(seeds, latents.shape[1:]).to(device)
        images = decode(pipe, sample(pipe.unet, pipe.scheduler, noise, text, null, GUIDANCE, STEPS))
        write_sheet(config.run / "samples" / f"step-{step:06d}.png", images.split(8))

    loop = LoopConfig.of(config, config.run, sample_every=1000)
    pipe = pipeline(train(loop, model, loss, samples))

    def build(folder: Path) -> None:
        pipe.to(dtype=torch.float16).save_pretrained(folder)
        # transformers loads in the type the config names, diffusers in float32: a stock pipeline needs one.
        text_config = folder / "text_encoder" / "config.json"
        text_config.write_text(
            json.dumps(json.loads(text_config.read_text()) | {"dtype": "float32"}, indent=2) + "\n"
        )
        (folder / "vocabulary.json").write_text(json.dumps(vocabulary(), indent=1) + "\n")

    card = ModelCard(
        id=config.output,
        title=config.title or "Pocket SD",
        kind="diffusion",
        description="Stable Diffusion in the small: landscape posters of the pocket world in 25 steps with "
        "guidance. The teacher of the pocket family.",
        resolution=FAMILY_SIZE,
        smallest_side=64,  # of less it makes nothing
        steps=STEPS,
        guidance=GUIDANCE,
        license="apache-2.0",
        settings={
            name: value
            for name, value in asdict(config).items()
            if name in ("pictures", "steps", "batch", "learning_rate", "dropout", "seed")
        },
    )
    if accelerator.is_main_process:
        with disk_full_named(registry.folders[-1] / config.output):
            where = registry.publish(config.output, build, card, overwrite=config.overwrite)
        print(f"published {config.output} in {where}", flush=True)


if __name__ == "__main__":
    command.run(main, TeacherConfig)
