"""The pairs that an unconditional flow makes, a file a batch: what it is rectified and distilled on."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from benchmarks.flow_table.network import Flow
from rf_app.flow.solvers import rk45
from rf_app.registry.disk import write_atomically
from trainers.common.models import noise_of
from trainers.common.stopping import Stopping

BATCH = 250  # one solve


@dataclass(frozen=True)
class Pairs:
    """x0, x1: noise and where the flow takes it, float16 [N, C, H, W]; evaluations: of a solve, the mean."""

    x0: Tensor
    x1: Tensor
    evaluations: float


def made_by(
    flow: Flow,
    seeds: Sequence[int],
    shape: tuple[int, ...],
    tolerance: float,
    folder: Path,
    accelerator: Accelerator,
) -> Pairs:
    """A pair of each seed, by Runge-Kutta 45; kept in `folder`, so that what is there is not made again.

    Noise is rounded to float16 before it is used, so a pair is exact. A first Ctrl-C leaves through
    SystemExit(0) after a batch.
    """
    parts = []
    with Stopping() as stopping:
        for i in tqdm(range(0, len(seeds), BATCH), desc="pairs", unit="batch", mininterval=2):
            path = folder / f"{i:06d}.safetensors"
            if not path.exists():
                _make(flow, noise_of(seeds[i : i + BATCH], shape).half(), tolerance, path, accelerator)
            parts.append(load_file(path))
            if stopping.requested:
                print("stopped; the same command resumes", flush=True)
                raise SystemExit(0)
    x0, x1, taken = (torch.cat([part[name] for part in parts]) for name in ("x0", "x1", "evaluations"))
    return Pairs(x0, x1, float(taken.double().mean()))


@torch.no_grad()
def _make(flow: Flow, x0: Tensor, tolerance: float, path: Path, accelerator: Accelerator) -> None:
    with accelerator.autocast():
        start = x0.to(accelerator.device, torch.float32)
        solved = rk45(flow.velocity, start, end=flow.end, rtol=tolerance, atol=tolerance)
    found = {"x0": x0, "x1": solved.x.half().cpu(), "evaluations": torch.tensor([solved.evaluations])}
    write_atomically(path, lambda temporary: save_file(found, temporary))
