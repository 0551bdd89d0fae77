"""What a picture takes of memory beside the weights: U-Net and decoder of Stable Diffusion 1.5's true size.

    python -m benchmarks.picture_memory --sides 256 512

The weights are random, which changes nothing; each figure is that of a process of its own: how far its peak
is above what it held before, in MB, and what `rf_app.pipeline.memory` expects.
"""

import json
import resource
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from rf_app.pipeline.memory import decoding_bytes, sampling_bytes
from rf_app.registry.store import ASSETS
from trainers.common import command

SHAPE = ASSETS / "stable-diffusion-1"
MB = 2**20


@dataclass(frozen=True)
class Options:
    """Which pictures."""

    sides: tuple[int, ...] = (256, 512)
    """Of square pictures, in pixels."""
    one: str = ""
    """Measure this part alone, in this process."""


def module(name: str, dtype: torch.dtype) -> torch.nn.Module:
    """A piece with random weights."""
    cls = UNet2DConditionModel if name == "unet" else AutoencoderKL
    with torch.device("meta"):
        made = cls.from_config(json.loads((SHAPE / name / "config.json").read_text()))
    made = made.to(dtype).to_empty(device="cpu").eval().requires_grad_(False)
    for weight in made.parameters():
        torch.nn.init.normal_(weight, std=0.01)
    return made.to(memory_format=torch.channels_last)


def peak() -> int:
    """Bytes that this process has held at most; what getrusage says counts those of who started it, too."""
    status = Path("/proc/self/status")
    if status.exists():
        lines = status.read_text().splitlines()
        return next(int(line.split()[1]) * 2**10 for line in lines if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # of macOS, in bytes


@torch.inference_mode()
def measure(part: str, side: int, dtype: torch.dtype) -> None:
    """Print bytes found and expected."""
    made = module("unet" if part.startswith("unet") else "vae", dtype)
    latents = torch.randn(1, 4, side // 8, side // 8, dtype=dtype)
    before = peak()
    if part.startswith("unet"):
        batch = int(part[-1])
        made(latents.repeat(batch, 1, 1, 1), 500.0, torch.randn(batch, 77, 768, dtype=dtype))
        expected = sampling_bytes(made, latents.shape[-2:], batch)
    else:
        if part == "tiles":
            made.enable_tiling()
        made.decode(latents)
        expected = decoding_bytes(made, latents.shape[-2:], tiled=part == "tiles")
    print(json.dumps([peak() - before, expected]))


def main(options: Options) -> None:
    """Measure and print."""
    if options.one:
        part, dtype = options.one.split()
        measure(part, options.sides[0], getattr(torch, dtype))
        return
    print("part    type       side    MB  expected")
    for side in options.sides:
        for part in ("unet1", "unet2", "decode", "tiles"):
            for dtype in ("float32", "bfloat16"):
                words = [f"--one={part} {dtype}", "--sides", str(side)]
                run = [sys.executable, "-m", "benchmarks.picture_memory", *words]
                found = subprocess.run(run, check=True, capture_output=True, text=True, cwd=Path.cwd())
                figures = [each / MB for each in json.loads(found.stdout.splitlines()[-1])]
                print(f"{part:<7} {dtype:<9} {side:>5} {figures[0]:>6.0f} {figures[1]:>8.0f}", flush=True)


if __name__ == "__main__":
    command.run(main, Options)
