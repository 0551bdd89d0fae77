"""From a folder of captioned pictures to a model of one's own that draws in one step.

    python -m trainers.world --images pictures/ --output my-world --hours 2
    python -m trainers.world --images pictures/ --output my-world --hours 2 --dry-run

Says which pictures it will use, which not and why, and what the time will go into; then trains an
autoencoder, a tokenizer, a text encoder and a diffusion model, draws pairs, makes their paths straight
(reflow), leaves one step (distillation), and measures what came out. Sizes follow from the number of pictures
and the time. Each stage is a command of its own, with samples in RUN/*/samples. Ctrl-C stops; the same
command resumes, and with more --hours a finished world goes on. The pictures are those of the first start,
which lie in RUN/pictures. Parquet files, or the name of a dataset on the Hub, do as well as a folder.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import torch
from torch import nn

from rf_app.errors import UserError
from rf_app.jobs.plan import Stage, Wish
from rf_app.jobs.plan import stages as planned
from rf_app.metrics.judge import Judge
from rf_app.metrics.perceptual import BUNDLED, Perceptual
from rf_app.registry.card import ModelCard, check_id
from rf_app.registry.disk import write_text
from rf_app.registry.models import Registry
from rf_app.settings.from_nothing import World
from rf_app.settings.world import ANEW, LEAST, Pace, channels_for, sized
from trainers.common import command
from trainers.common.chain import run_stages
from trainers.common.models import registry_into
from trainers.common.networks import DOWN, build_autoencoder, build_unet
from trainers.common.precision import accelerator_in
from trainers.common.runs import default_run
from trainers.common.text import LENGTH, WIDTH
from trainers.data.images import ImageFolder
from trainers.data.looking import MOST, look
from trainers.data.source import held_out_of, of_folder
from trainers.data.table import as_folder

PROMPTS_EACH, MOST_PROMPTS = 8, 256  # pictures of a held-out caption that are measured, and of all
TIMED = 3  # passes, of which the quickest counts


def main(config: World) -> None:
    """Look, say, and unless it is a dry run train."""
    check_id(f"{config.output}-teacher")
    registry = registry_into(config.models)
    run = (config.run or default_run(f"world/{config.output}")).absolute()
    pictures, notes = run / "pictures", run / "world.json"
    begun = json.loads(notes.read_text()) if notes.exists() else None
    if begun:
        _check_same(begun, config, run)
    if begun is None or begun["output"] != config.output:
        for id in (f"{config.output}-teacher", f"{config.output}-2rf", config.output):
            registry.check_free(id, overwrite=False)
    if begun is None:
        with as_folder(config.images, MOST) as folder:
            looked = look(folder, config.size)
            print(replace(looked, folder=config.images).in_words(), flush=True)
            if not config.dry_run:
                looked.save(pictures)
        count = len(looked.pictures)
    else:
        count = len(ImageFolder(pictures, config.size))
        print(f"goes on with the {count:,} pictures in {pictures}", flush=True)
    settings = begun["settings"] if begun else {}
    longer = begun is None or config.hours > begun["hours"]
    if longer:
        pace = measured_pace(config.size)
        sizes = sized(count - held_out_of(count), config.size, config.hours * 3600, pace)
        settings = lengthened(settings, sizes.settings)
        print(estimate(sizes.seconds, sizes.settings, config.hours), flush=True)
    if config.dry_run:
        return print("Nothing was trained.", flush=True)
    if begun and longer:  # each stage has more steps to go; what was made of the teacher's pairs begins anew
        (run / "stages.json").unlink(missing_ok=True)
        for name in ANEW:
            shutil.rmtree(run / name, ignore_errors=True)
    hours = max(config.hours, begun["hours"]) if begun else config.hours
    said = {"size": config.size, "output": config.output, "hours": hours, "settings": settings}
    write_text(notes, json.dumps(said, indent=1) + "\n")
    took = run_stages(stages(config, registry, run, settings), run / "stages.json")
    print(f"{config.output} is built, in {took / 3600:.1f} hours; look at {run / 'sheet.png'}", flush=True)


def _check_same(begun: dict, config: World, run: Path) -> None:
    longer = config.hours > begun["hours"]  # which may be another one, as the page has it
    for name in ("size",) if longer else ("size", "output"):
        if begun[name] != getattr(config, name):
            raise UserError(
                f"{run} holds a world with {name} {begun[name]}, not {getattr(config, name)}: "
                "give this one a run folder of its own (--run), or delete that one."
            )


def lengthened(old: dict, new: dict) -> dict:
    """The settings of a world that goes on: no loop gets shorter than it was."""
    return new | {name: max(old[name], new[name]) for name in old if name.endswith("steps")}


def stages(config: World, registry: Registry, run: Path, settings: dict) -> list[Stage]:
    """The whole chain, in order: the recipe's, and the figures."""
    folder, teacher = registry.folders[-1].absolute(), f"{config.output}-teacher"
    learned, held_out = of_folder(run / "pictures", config.size)
    text = "\n".join(dict.fromkeys(learned.captions)) + "\n"
    write_text(run / "prompts.txt", text)
    pictures = str(run / "pictures")
    wish = Wish(
        "world-stages", teacher, config.output, config.title, "own", text, images=pictures, settings=settings
    )
    # Of a teacher that is not made yet.
    card = ModelCard(teacher, teacher, kind="diffusion", resolution=config.size, steps=25, guidance=3.0)
    figures = [*("--images", run / "pictures", "--network", run / "contrastive" / "network")]
    figures += [*("--model", f"{teacher}:25", f"{config.output}:1", "--models", folder, "--write-card")]
    figures += ["--prompts", min(MOST_PROMPTS, PROMPTS_EACH * len(held_out))]
    figures += [*("--sheet", run / "sheet.png", "--json", run / "figures.json")]
    measuring, words = "What came out is measured", tuple(map(str, figures))
    last = Stage(measuring, "trainers.evaluate_world", words, str(run / "figures.json"), ())
    return [*planned(wish, card, run, folder), last]


def measured_pace(size: int) -> Pace:
    """How quick this machine is at the two networks, just now, with pictures of so many pixels a side."""
    accelerator = accelerator_in("auto")
    device, channels = accelerator.device, channels_for(size)
    vae, unet = (build(channels, size).to(device) for build in (build_autoencoder, build_unet))
    perceptual = Perceptual(Judge.load(BUNDLED)).to(device)
    images = torch.rand(4, 3, size, size, device=device) * 2 - 1
    latents = torch.randn(64, channels, size // DOWN, size // DOWN, device=device)
    text = torch.randn(64, LENGTH, WIDTH, device=device)

    def pass_of_autoencoder() -> torch.Tensor:
        result = vae.decode(vae.encode(images).latent_dist.mean).sample
        return perceptual(result, images).mean() + (result - images).abs().mean()

    def pass_of_unet() -> torch.Tensor:
        return unet(latents, 500, encoder_hidden_states=text, return_dict=False)[0].square().mean()

    def seconds(network: nn.Module, forward: Callable[[], torch.Tensor]) -> float:
        network.to(memory_format=torch.channels_last)
        took = []
        for _ in range(TIMED):
            began = time.perf_counter()
            with accelerator.autocast():
                value = forward()
            value.backward()
            value.item()
            took.append(time.perf_counter() - began)
        return min(took)

    return Pace(seconds(vae, pass_of_autoencoder) / len(images), seconds(unet, pass_of_unet) / len(latents))


def estimate(seconds: dict[str, float], settings: dict, hours: float) -> str:
    """What the time goes into; hours: what is given."""
    lines = []
    for name, took in seconds.items():
        trainer, _, stage = name.partition(" ")
        steps = settings.get(f"{trainer}.{stage}_steps" if stage else f"{trainer}.steps")
        of = f"{steps:,} steps" if steps else f"{settings['pairs.count']:,} pairs, twice"
        lines.append(f"  {name}: about {took / 60:.1f} minutes ({of})")
    total = sum(seconds.values()) / 3600
    more = f", not {hours:g}: no stage has fewer than {LEAST} steps" if total > 1.1 * hours else ""
    return "\n".join([f"about {total:.2f} hours{more}, as quick as this machine is just now:", *lines])


if __name__ == "__main__":
    command.run(main, World)
