"""Train a judge of the pocket world on drawings, and measure it on fresh ones.

    python -m trainers.pocket.judge
    python -m trainers.pocket.judge --architecture residual --first 0 --output assets/perceptual
    python -m trainers.pocket.judge --measure --autoencoder assets/models/pocket-sd/vae     (what is bundled)

The first measures, the second is what models are trained against: another network that saw other drawings.
Stops cleanly on Ctrl-C; the same command resumes. Writes the judge to OUTPUT with its accuracies on held-out
drawings and, once there is an autoencoder, on their reconstructions (`accuracy.json`).
"""

import json
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.nn import functional

from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.metrics.judge import BUNDLED, Architecture, Judge
from rf_app.registry.disk import write_text
from rf_app.settings.training import SteppedTraining
from trainers.common import LoopConfig, command, train
from trainers.common.models import load_autoencoder
from trainers.common.pixels import roughen, to_tensor
from trainers.common.precision import accelerator_in
from trainers.common.reconstruction import reconstructed
from trainers.common.runs import default_run
from trainers.pocket.pictures import FAMILY_SIZE, pictures
from trainers.pocket.world import HELD_OUT, describe

TEST_COUNT = 4_000
SHOWN = 1_000  # of them, while it learns
TEST_SEED = HELD_OUT + 500_000


@dataclass(frozen=True, kw_only=True)
class JudgeConfig(SteppedTraining):
    """Settings of the judge's training; the defaults make the bundled one."""

    run: Path = field(default_factory=partial(default_run, "pocket/judge"))
    """Run folder: checkpoints and events."""
    output: Path = BUNDLED
    """Folder of the finished judge."""
    autoencoder: Path = field(default_factory=partial(default_run, "pocket/autoencoder/vae"))
    """Autoencoder whose reconstructions are judged too, if it is there."""
    measure: bool = False
    """Train nothing: measure the judge that stands in OUTPUT."""
    architecture: Architecture = "convnext"
    """What network it is."""
    first: int = 50_000
    """Seed of the first drawing to learn from."""
    pictures: int = 24_000
    """Number of drawings to learn from."""
    steps: int = 700
    batch: int = 64
    learning_rate: float = 2e-3
    ema: float = 0.995


def labels(seeds: range) -> dict[str, Tensor]:
    """The true class of every attribute of the drawings of ``seeds``, int64 [N] each."""
    scenes = [describe(seed)[0] for seed in seeds]
    return {
        name: torch.tensor([kinds.index(getattr(scene, name)) for scene in scenes])
        for name, kinds in ATTRIBUTES.items()
    }


@torch.no_grad()
def accuracies(judge: Judge, images: np.ndarray, truth: dict[str, Tensor]) -> dict[str, float]:
    """Share of ``images`` (uint8 [N, H, W, 3]) whose attribute is recognised, for each attribute."""
    device = next(judge.parameters()).device
    right = dict.fromkeys(truth, 0)
    for picks in torch.arange(len(images)).split(100):
        for name, logits in judge(to_tensor(images[picks.numpy()], device)).items():
            right[name] += int((logits.argmax(1).cpu() == truth[name][picks]).sum())
    return {name: count / len(images) for name, count in right.items()}


def main(config: JudgeConfig) -> None:
    """Train a judge unless one is only to be measured; then measure what ships on fresh drawings."""
    accelerator = accelerator_in(config.precision)
    if not config.measure:
        judge = trained(config, accelerator)
        if accelerator.is_main_process:
            judge.save(config.output)
    if accelerator.is_main_process:
        report = accuracy(config)
        text = json.dumps({"held_out_drawings": TEST_COUNT, **report}, indent=2) + "\n"
        write_text(config.output / "accuracy.json", text)
        print(text)


def trained(config: JudgeConfig, accelerator: Accelerator) -> Judge:
    """The judge after its training."""
    torch.manual_seed(config.seed)
    with accelerator.main_process_first():
        images = pictures(config.pictures, config.first, config.run.parent / "drawings", FAMILY_SIZE)
    truth = labels(range(config.first, config.first + config.pictures))
    test, test_truth = test_set(config, SHOWN)
    device = accelerator.device

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        picks = torch.randint(len(images), (config.batch,), generator=generator)
        own = torch.Generator(device).manual_seed(int(torch.randint(2**62, (), generator=generator)))
        batch = roughen(to_tensor(images[picks.numpy()], device), own)
        logits = model(batch.contiguous(memory_format=torch.channels_last))
        return sum(functional.cross_entropy(logits[name], truth[name][picks].to(device)) for name in truth)

    def samples(judge: nn.Module, step: int) -> None:
        scores = accuracies(judge, test, test_truth)
        print(
            f"\nstep {step}: " + ", ".join(f"{name} {share:.1%}" for name, share in scores.items()),
            flush=True,
        )

    subject = {name: getattr(config, name) for name in ("architecture", "first", "pictures")}
    loop = LoopConfig.of(config, config.run, sample_every=500, subject=subject)
    return train(loop, Judge(config.architecture).to(memory_format=torch.channels_last), loss, samples)


def test_set(config: JudgeConfig, count: int) -> tuple[np.ndarray, dict[str, Tensor]]:
    """The first ``count`` held-out drawings and their true classes."""
    seeds = range(TEST_SEED, TEST_SEED + count)
    return pictures(count, TEST_SEED, config.run.parent / "drawings", FAMILY_SIZE), labels(seeds)


def accuracy(config: JudgeConfig) -> dict[str, dict[str, float]]:
    """What the judge in OUTPUT, rounded to float16 as it ships, sees in drawings and reconstructions."""
    judge = Judge.load(config.output)
    test, truth = test_set(config, TEST_COUNT)
    report = {"drawings": accuracies(judge, test, truth)}
    if config.autoencoder.exists():
        vae = load_autoencoder(config.autoencoder)
        report["reconstructions"] = accuracies(judge, reconstructed(vae, test), truth)
    return report


if __name__ == "__main__":
    command.run(main, JudgeConfig)
