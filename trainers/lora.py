"""Train a LoRA on a folder of captioned pictures, for a diffusion model of the registry.

    python -m trainers.lora --base pocket-sd --images pictures/ --trigger "my style" --output my-style

A Hugging Face imagefolder (metadata.jsonl with `file_name` and `text`), or a .txt beside each picture. PEFT's
LoRA of the U-Net, published in diffusers' keys and in kohya's. Ctrl-C stops; the same command resumes and
gives the same weights.

Ordinary diffusion training, E ||eps - eps_hat||^2 over all timesteps, gives pure noise next to no weight:
there eps is nearly the input itself. But a one-step model lives at that time alone. So a LoRA is trained on
the velocity of the straight path at the same signal-to-noise ratio (`objectives.reflow_loss`, with noise and
data paired at random), which counts the picture's error at every time alike, and a share of all draws is
at pure noise.
"""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import peft
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from diffusers.utils import convert_state_dict_to_kohya
from peft.utils import get_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor, nn

from rf_app.metrics.style import StyleAxis, style_statistics
from rf_app.registry.card import ModelCard
from rf_app.registry.loras import WEIGHTS, LoraCard, Loras
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.training import Layers, Lora
from trainers.common import LoopConfig, command, train
from trainers.common.captioned import Captioned
from trainers.common.cards import as_it_ran
from trainers.common.models import decode, drawn, fingerprint, load_frozen, registry_into
from trainers.common.objectives import reflow_loss
from trainers.common.precision import accelerator_in
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet
from trainers.data.store import Batch

MODULES: dict[Layers, tuple[str, ...]] = {
    "attention": ("to_q", "to_k", "to_v", "to_out.0"),
    "feed-forward": ("ff.net.0.proj", "ff.net.2"),
    "convolutions": ("conv_in", "conv1", "conv2", "conv_shortcut", "conv", "conv_out"),
}
KOHYA = "kohya.safetensors"
SHOWN = 8
AT_NOISE = 0.3  # share of the draws at pure noise


class Adapter(nn.Module):
    """The LoRA of a U-Net by itself: its weights are the module's, the frozen U-Net is only called."""

    def __init__(self, unet: UNet2DConditionModel) -> None:
        """unet: with a PEFT adapter."""
        super().__init__()
        own = {n.replace(".", "/"): p for n, p in unet.named_parameters() if p.requires_grad}
        self.weights = nn.ParameterDict(own)
        self._call = unet.forward  # no submodule: neither checkpoints nor averages hold the base
        self.enable_gradient_checkpointing = unet.enable_gradient_checkpointing

    def forward(self, *args: object, **kwargs: object) -> tuple[Tensor, ...]:
        """The U-Net's own arguments and result."""
        return self._call(*args, **kwargs)


def add_lora(unet: UNet2DConditionModel, layers: Sequence[Layers], rank: int, seed: int) -> None:
    """Give the U-Net an adapter that changes nothing yet, in float32, with gradients."""
    modules = [name for kind in layers for name in MODULES[kind]]
    torch.manual_seed(seed)
    unet.add_adapter(
        peft.LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=modules)
    )


def main(config: Lora) -> None:
    """Train and publish."""
    registry = registry_into(config.models)
    base = registry.card(config.base)
    loras = Loras.default(config.loras)
    loras.check_free(config.output, config.overwrite)
    run = config.run or default_run(f"lora/{config.output}")
    accelerator = accelerator_in(config.precision)
    pipeline = load_frozen(registry, config.base)
    unet, schedule = pipeline.unet, schedule_of(pipeline.scheduler)
    learned = Captioned(config, registry, config.base, pipeline, run, accelerator, config.trigger)
    subject = {
        "base": config.base,
        "base weights": fingerprint(unet),
        "pictures": learned.images.digest(),
        "trigger": config.trigger,
        "layers": list(config.layers),
        "rank": config.rank,
    }
    add_lora(unet, config.layers, config.rank, config.seed)

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        picks, device = learned.picks(draw), accelerator.device
        text, x1 = learned.text(picks, generator), learned.latents[picks].to(device)
        x0 = torch.randn(x1.shape, generator=generator).to(device)
        tau = draw_tau(len(picks), generator).to(device)
        return reflow_loss(model, Batch(x0, x1, text), tau, schedule)

    own = {"weight_decay": 0.0, "sample_every": config.checkpoint_every}
    loop = LoopConfig.of(config, run, batch=learned.batch, subject=subject, **own)
    samples = lora_samples(pipeline, base.guidance, learned, run)
    train(loop, Adapter(unet), loss, samples)
    if accelerator.is_main_process:
        card = lora_card(config, base, len(learned), as_it_ran(config, accelerator, batch=learned.batch))
        where = loras.publish(config.output, lambda to: save(unet, card.trigger, to), card, config.overwrite)
        print(f"published {config.output} in {where}", flush=True)


def draw_tau(count: int, generator: torch.Generator) -> Tensor:
    """Times [count] in 0..1: a share `AT_NOISE` at 0 exactly, the others uniform."""
    tau = torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < AT_NOISE, 0.0, tau)


def lora_samples(
    pipeline: StableDiffusionPipeline, guidance: float, learned: Captioned, run: Path
) -> Callable[[nn.Module, int], dict[str, float]]:
    """Writes a sheet: pictures without and with the LoRA, from the same noise.

    Returns how far the pictures with it moved from those without towards the pictures learned from, in
    statistics of the latents: 1 is all the way; nothing for a single caption.
    """
    captions = learned.captions(SHOWN)

    def row() -> Tensor:
        return drawn(pipeline, captions, range(len(captions)), guidance, 12)

    @cache
    def plain() -> Tensor:
        pipeline.unet.disable_adapters()
        latents = row()
        pipeline.unet.enable_adapters()
        return latents

    def samples(model: nn.Module, step: int) -> dict[str, float]:
        rows = [plain(), row()]
        path = run / "samples" / f"step-{step:06d}.png"
        write_sheet(path, [decode(pipeline, latents) for latents in rows], "without it")
        if len(captions) < 2:
            return {}  # deviations want two
        before, after, there = (
            style_statistics([latents.float().cpu()]) for latents in (*rows, learned.latents)
        )
        return {"style": StyleAxis(before, there).shift(before, after)}

    return samples


def save(unet: UNet2DConditionModel, trigger: str, folder: Path) -> None:
    """Write the adapter of `unet` in float16 under both kinds of names."""
    own = {f"unet.{name}": weight for name, weight in get_peft_model_state_dict(unet).items()}
    said = {"format": "pt", "modelspec.trigger_phrase": trigger}
    for file, named in ((WEIGHTS, own), (KOHYA, convert_state_dict_to_kohya(own))):
        weights = {name: weight.half().contiguous() for name, weight in named.items()}
        save_file(weights, folder / file, metadata=said)


def lora_card(config: Lora, base: ModelCard, count: int, settings: dict[str, object]) -> LoraCard:
    """The card of the LoRA that was trained on `count` pictures with `settings`."""
    title = config.title or config.output
    call = f" Say “{config.trigger}” in the prompt." if config.trigger else ""
    return LoraCard(
        id=config.output,
        title=title,
        description=f"A LoRA for `{config.base}` and the models made from it, trained on {count:,} pictures."
        f"{call}",
        trigger=config.trigger,
        license=base.license,
        base_model=base.id,
        settings=settings | {"pictures": count},
    )


if __name__ == "__main__":
    command.run(main, Lora)
