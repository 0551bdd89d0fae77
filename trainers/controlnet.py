"""Train a ControlNet that draws along canny edges, for a diffusion model of the registry.

    python -m trainers.controlnet --base pocket-sd --output my-canny --images pictures/

A stock diffusers `ControlNetModel`, from the base model's own encoder; without --images it learns from
drawings of the pocket world. Ctrl-C stops; the same command resumes and gives the same weights.

Two things make it work in one step, and soon. In training the ControlNet sees the noisy latents of another
picture, so that it can tell its base only what the map tells: otherwise it learns to help its base tell
noise from picture, and a one-step model, which does that in another way, gets blotches from such help. And
the loss, E w ||eps - eps_hat||^2 with w = min(1 / alpha_bar_t, W), is v-prediction's (Salimans & Ho 2022)
up to W: the ordinary one, w = 1, gives next to no weight to pure noise, where the layout is decided.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from diffusers import ControlNetModel, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.metrics.edges import HIGH, LOW, canny, edge_f1
from rf_app.registry.card import ModelCard
from rf_app.registry.controlnets import ControlNetCard, ControlNets
from rf_app.settings.training import ControlNet
from trainers.common import LoopConfig, command, train
from trainers.common.captioned import Captioned
from trainers.common.cards import as_it_ran
from trainers.common.controlled import as_maps, controlled
from trainers.common.models import decode, drawn, fingerprint, load_frozen, registry_into
from trainers.common.pixels import to_pixels
from trainers.common.precision import accelerator_in
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet

EMBEDDING = (16, 32, 96, 256)  # of Stable Diffusion's ControlNets
SKETCHED = 0.6  # share of the maps that become sketches
STROKES = 3  # of a sketch, at most
BENT = 3.0  # pixels that a sketch's line may be off, at most
W = 20.0  # weight of nearly pure noise, at most
SHOWN = 8


def controlnet_of(unet: UNet2DConditionModel) -> ControlNetModel:
    """The untrained ControlNet: the U-Net's encoder again, and no layer wider than it before the latents."""
    widths = tuple(min(width, unet.config.block_out_channels[0]) for width in EMBEDDING)
    return ControlNetModel.from_unet(unet, conditioning_embedding_out_channels=widths)


def rough_edges(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Edges of a picture as people give them: other thresholds, and sometimes a sketch of a few strokes."""
    low = rng.uniform(0.5, 1.5) * LOW
    edges = canny(picture, low, low * HIGH / LOW)
    return sketch(edges, rng) if rng.random() < SKETCHED and edges.any() else edges


def sketch(edges: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A few of the lines in `edges` (bool [H, W]), the wide ones first of all, with the corners of a hand."""
    near = cv2.dilate(edges.astype(np.uint8), np.ones((3, 3), np.uint8))  # over small gaps
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(near)
    sizes = boxes[1:, [cv2.CC_STAT_WIDTH, cv2.CC_STAT_HEIGHT]]
    weights = sizes.max(axis=1) ** 2.0
    drawn = np.zeros(edges.shape, np.uint8)
    strokes = min(count - 1, rng.integers(1, STROKES + 1))
    for pick in rng.choice(count - 1, strokes, replace=False, p=weights / weights.sum()):
        y, x = np.nonzero(edges & (labels == pick + 1))
        along, across = (x, y) if sizes[pick, 0] >= sizes[pick, 1] else (y, x)
        first = np.lexsort((across, along))  # its upper, or left, outline
        along, picks = np.unique(along[first], return_index=True)
        line = np.stack([along, across[first][picks]], axis=1).astype(np.int32)
        line = line if sizes[pick, 0] >= sizes[pick, 1] else line[:, ::-1]
        line = cv2.approxPolyDP(np.ascontiguousarray(line), rng.uniform(0, BENT), closed=False)
        cv2.polylines(drawn, [line], False, 1)
    return drawn > 0


def main(config: ControlNet) -> None:
    """Train and publish."""
    registry = registry_into(config.models)
    base = registry.card(config.base)
    controlnets = ControlNets.default(config.controlnets)
    controlnets.check_free(config.output, config.overwrite)
    run = config.run or default_run(f"controlnet/{config.output}")
    accelerator = accelerator_in(config.precision)
    pipeline = load_frozen(registry, config.base)
    if pipeline.scheduler.config.get("prediction_type") != "epsilon":
        raise UserError(f"{config.base} does not predict epsilon, as the base of a ControlNet must.")
    # What learns to follow lines must see land that follows lines, not the few ridges that the world has.
    learned = Captioned(config, registry, config.base, pipeline, run, accelerator, bent=True)
    images, latents = learned.images, learned.latents
    unet, noising = pipeline.unet, DDPMScheduler.from_config(pipeline.scheduler.config)
    torch.manual_seed(config.seed)  # the layers before the latents start at random
    controlnet = controlnet_of(unet).to(memory_format=torch.channels_last).requires_grad_(True)
    device = accelerator.device

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        picks = learned.picks(draw)
        rng = np.random.Generator(np.random.PCG64(int(torch.randint(2**62, (), generator=generator))))
        maps = as_maps([rough_edges(picture, rng) for picture in images.pixels(picks.tolist())])
        text = learned.text(picks, generator)
        others = torch.randint(len(latents), (len(picks),), generator=generator)
        noise, other_noise = torch.randn(2, len(picks), *latents.shape[1:], generator=generator).to(device)
        t = torch.randint(len(noising), (len(picks),), generator=generator).to(device)
        z = noising.add_noise(latents[picks].to(device), noise, t)
        seen = noising.add_noise(latents[others].to(device), other_noise, t)
        with accelerator.autocast():
            epsilon = controlled(model, unet, maps.to(device), seen=seen)(z, t, text)[0]
        weight = (1 / noising.alphas_cumprod.to(device)[t]).clamp(max=W)
        return (weight * (epsilon.float() - noise).square().mean(dim=(1, 2, 3))).mean()

    captions = learned.captions(SHOWN)
    edges = as_maps([canny(picture) for picture in images.pixels(range(len(captions)))]).to(device)
    samples = control_samples(pipeline, base.guidance, edges, captions, run)
    subject = {"base": config.base, "base weights": fingerprint(unet), "pictures": images.digest()}
    loop = LoopConfig.of(config, run, batch=learned.batch, subject=subject)
    controlnet = train(loop, controlnet, loss, samples)
    if accelerator.is_main_process:
        card = controlnet_card(config, base, len(images), as_it_ran(config, accelerator, batch=learned.batch))
        controlnet.half().to(memory_format=torch.contiguous_format)
        where = controlnets.publish(config.output, controlnet.save_pretrained, card, config.overwrite)
        print(f"published {config.output} in {where}", flush=True)


def control_samples(
    pipeline: StableDiffusionPipeline, guidance: float, maps: Tensor, captions: Sequence[str], run: Path
) -> Callable[[nn.Module, int], dict[str, float]]:
    """Writes a sheet: the maps, then pictures with and without the ControlNet, from the same noise.

    Returns how the edges of the pictures with it agree with the maps: F1, 1 is best.
    """

    def samples(model: nn.Module, step: int) -> dict[str, float]:
        rows = [maps * 2 - 1]
        for unet in (controlled(model, pipeline.unet, maps), pipeline.unet):
            latents = drawn(pipeline, captions, range(len(captions)), guidance, 12, unet)
            rows.append(decode(pipeline, latents))
        write_sheet(run / "samples" / f"step-{step:06d}.png", rows)
        wanted, made = (to_pixels(row) for row in rows[:2])
        scores = [edge_f1(map[..., 0] > 0, canny(picture)) for map, picture in zip(wanted, made, strict=True)]
        return {"edge_f1": sum(scores) / len(scores)}

    return samples


def controlnet_card(
    config: ControlNet, base: ModelCard, count: int, settings: dict[str, object]
) -> ControlNetCard:
    """The card of the ControlNet that was trained on `count` pictures with `settings`."""
    return ControlNetCard(
        id=config.output,
        title=config.title or config.output,
        preprocessor="canny",
        description=f"A ControlNet for `{config.base}` and the models made from it, trained on the canny "
        f"edges of {count:,} pictures: what it draws follows the edges of the map.",
        license=base.license,
        base_model=base.id,
        settings=settings | {"pictures": count},
    )


if __name__ == "__main__":
    command.run(main, ControlNet)
