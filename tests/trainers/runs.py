"""A small real training run, which a test may give a process of its own.

Fits a line with dropout, so that the drawn batch and the global generator matter. Prints "step N" at each.
"""

import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from trainers.common import LoopConfig, train


def run(folder: Path, steps: int, slow: float = 0.0) -> nn.Module:
    """Train the small network, a checkpoint every 4 steps; the weights go to `result.safetensors`."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 16), nn.SiLU(), nn.Dropout(0.2), nn.Linear(16, 1))

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
        time.sleep(slow)
        print(f"step {step}", flush=True)
        x = torch.randn(8, 3, generator=generator)
        return (model(x) - x.sum(1, keepdim=True)).square().mean()

    config = LoopConfig(folder, steps, 1e-2, warmup=3, checkpoint_every=4, sample_every=10, batch=8)
    model = train(config, model, loss)
    save_file(model.state_dict(), folder / "result.safetensors")
    return model
