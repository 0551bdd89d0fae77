"""Rebuild every bundled model from nothing, stage by stage.

    python -m trainers.pocket.weights          (or: make weights)

Each stage is a command of its own, printed before it runs. A finished stage is not run again and a stopped
one resumes where it was, so this command can be interrupted and repeated at will. At the end it says how long
the stages took.
"""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from rf_app.metrics.judge import BUNDLED as JUDGE
from rf_app.registry.disk import write_atomically
from rf_app.registry.models import BUNDLED as MODELS
from trainers.common import command
from trainers.common.runs import default_run


@dataclass(frozen=True)
class WeightsConfig:
    """Where the stages work and publish."""

    runs: Path = field(default_factory=partial(default_run, "pocket"))
    """Folder of the stages' run folders, kept between starts."""
    models: Path = MODELS
    """Folder of the models."""
    judge: Path = JUDGE
    """Folder of the judge."""
    prompts: int = 2_000
    """Held-out prompts of the final measurement."""


@dataclass(frozen=True)
class Stage:
    """One command: a module of `trainers`, its options, and what stands there when it has finished."""

    name: str
    module: str
    options: tuple[str, ...]
    output: Path
    bfloat16: bool = False  # may compute in bfloat16, where the device is quicker in it


def stages(config: WeightsConfig) -> list[Stage]:
    """The whole chain, in order."""
    runs, judge, models = config.runs, ("--judge", str(config.judge)), ("--models", str(config.models))
    vae, sd_pairs, flow_pairs = runs / "autoencoder" / "vae", runs / "pairs-sd", runs / "pairs-2rf"
    figures = runs / "figures.json"
    loras, controlnets = config.models.parent / "loras", config.models.parent / "controlnets"

    def pocket(name: str, module: str, output: Path, *options: str, bfloat16: bool = False) -> Stage:
        options = ("--run", str(runs / module), *options)
        return Stage(name, f"trainers.pocket.{module}", options, output, bfloat16)

    def pairs(teacher: str, output: Path, *options: str) -> Stage:
        made = ("--teacher", teacher, "--output", str(output), "--count", "30720", *options, *models)
        return Stage(f"pairs of {teacher}", "trainers.pairs", made, output, bfloat16=True)

    def student(module: str, teacher: str, food: Path, id: str, title: str, *options: str) -> Stage:
        made = ("--teacher", teacher, "--pairs", str(food), "--output", id, "--title", title)
        options = (*made, "--run", str(runs / id), *options, *models, "--overwrite")
        # A distillation works at tau = 0, where the conversion from epsilon multiplies rounding by 15.
        return Stage(id, f"trainers.{module}", options, config.models / id, bfloat16=module == "reflow")

    def lora(style: str) -> list[Stage]:
        id, drawn, written = f"pocket-{style}", runs / "styles" / style, runs / f"pocket-{style}.json"
        made = ("--style", style, "--output", str(drawn))
        trained = ("--images", str(drawn), "--trigger", style, "--output", id, "--title", f"Pocket {style}")
        trained += ("--run", str(runs / id), "--loras", str(loras), *models, "--overwrite")
        measured = ("--lora", id, "--style", style, "--write-card", "--json", str(written), *models, *judge)
        return [
            Stage(f"{style} pictures", "trainers.pocket.styles", made, drawn / "metadata.jsonl"),
            Stage(id, "trainers.lora", trained, loras / id, bfloat16=True),
            Stage(f"figures of {id}", "trainers.evaluate_lora", measured, written),
        ]

    return [
        pocket("autoencoder", "autoencoder", vae),
        pocket("judge", "judge", config.judge, "--autoencoder", str(vae), "--output", str(config.judge)),
        Stage("sample", "trainers.pocket.sample", judge, config.judge / "sample.json"),
        pocket(
            "pocket-sd",
            "teacher",
            config.models / "pocket-sd",
            *("--autoencoder", str(vae), "--output", "pocket-sd", *models, "--overwrite"),
            bfloat16=True,
        ),
        pairs("pocket-sd", sd_pairs, "--steps", "12"),
        student("reflow", "pocket-sd", sd_pairs, "pocket-2rf", "Pocket 2-RF"),
        pairs("pocket-2rf", flow_pairs, "--steps", "8", "--guidance", "2"),
        student("distill", "pocket-2rf", flow_pairs, "pocket-instaflow", "Pocket InstaFlow", *judge),
        student(
            "distill", "pocket-sd", sd_pairs, "pocket-sd-distilled", "Pocket SD, distilled directly", *judge
        ),
        Stage(
            "figures",
            "trainers.evaluate",
            (
                *("--model", "pocket-sd", "pocket-2rf", "pocket-instaflow", "pocket-sd-distilled"),
                *("--steps", "1", "2", "4", "8", "25", "--prompts", str(config.prompts), "--write-card"),
                *("--json", str(figures), *models, *judge),
            ),
            figures,
        ),
        *lora("woodcut"),
        *lora("neon"),
        Stage(
            "pocket-controlnet-canny",
            "trainers.controlnet",
            (
                *("--output", "pocket-controlnet-canny", "--title", "Pocket canny"),
                *("--run", str(runs / "pocket-controlnet-canny"), "--controlnets", str(controlnets)),
                *(*models, "--overwrite"),
            ),
            controlnets / "pocket-controlnet-canny",
            bfloat16=True,
        ),
        Stage(
            "figures of pocket-controlnet-canny",
            "trainers.evaluate_controlnet",
            (
                *("--controlnet", "pocket-controlnet-canny", "--write-card"),
                *("--json", str(runs / "pocket-controlnet-canny.json"), *models, *judge),
            ),
            runs / "pocket-controlnet-canny.json",
        ),
    ]


def quick_in_bfloat16() -> bool:
    """Whether the device multiplies matrices of bfloat16 in hardware."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def run_child(arguments: list[str], bfloat16: bool) -> int:
    """Run a command to its end and return its exit code; a signal stops it the clean way, and us with it."""
    precision = {"ACCELERATE_MIXED_PRECISION": "bf16"} if bfloat16 else {}
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        if number == signal.SIGTERM:  # Ctrl-C reaches the child from the terminal
            child.terminate()

    child = subprocess.Popen(arguments, env=os.environ | precision)
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    code = child.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
    if stopped:
        print("stopped; the same command resumes", flush=True)
        raise SystemExit(code)
    return code


def main(config: WeightsConfig) -> None:
    """Run every stage that has not finished; a failing stage ends the command with its exit code."""
    diary = config.runs / "stages.json"
    took: dict[str, float] = json.loads(diary.read_text()) if diary.exists() else {}
    for stage in stages(config):
        if stage.name in took and stage.output.exists():
            print(f"{stage.name}: done before, in {took[stage.name] / 60:.0f} minutes", flush=True)
            continue
        arguments = [sys.executable, "-m", stage.module, *stage.options]
        print(f"{stage.name}: python -m {stage.module} {' '.join(stage.options)}", flush=True)
        began = time.time()
        result = run_child(arguments, stage.bfloat16 and quick_in_bfloat16())
        if result:
            raise SystemExit(result)
        took[stage.name] = time.time() - began
        write_atomically(diary, lambda temporary: temporary.write_text(json.dumps(took, indent=1) + "\n"))
    print(f"every model is built; {sum(took.values()) / 3600:.1f} hours in all", flush=True)


if __name__ == "__main__":
    command.run(main, WeightsConfig)
