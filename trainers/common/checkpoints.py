"""Checkpoints of a run: one safetensors file each, whole or absent, the last two kept.

A file holds the weights, their moving average and AdamW's moments, so that a resumed run goes on bit for bit.
No pickle is read or written.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers.training_utils import EMAModel
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.registry.disk import write_atomically

KEEP = 2


@dataclass(frozen=True)
class Training:
    """Everything a checkpoint holds: the bare module, its optimizer and its moving average."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    ema: EMAModel

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """Every tensor to be saved under its name; loading copies into the very same tensors."""
        named = list(self.model.named_parameters())
        for name, parameter in named:
            yield f"model.{name}", parameter.data
        for name, buffer in self.model.named_buffers():
            yield f"buffer.{name}", buffer
        for (name, _), average in zip(named, self.ema.shadow_params, strict=True):
            yield f"ema.{name}", average
        for name, parameter in named:
            for moment, value in self.optimizer.state.get(parameter, {}).items():
                # bitsandbytes counts steps in plain numbers and shares its tables, which safetensors refuses
                shared = not isinstance(value, Tensor) or moment.startswith("qmap")
                yield f"adam.{moment}.{name}", torch.as_tensor(value).clone() if shared else value


def files(run: Path) -> list[Path]:
    """The checkpoints of a run folder, oldest first."""
    return sorted((run / "checkpoints").glob("step-*.safetensors"))


def steps_done(run: Path) -> int:
    """The steps behind the newest checkpoint of a run folder, 0 where there is none."""
    return max((int(path.stem.removeprefix("step-")) for path in files(run)), default=0)


def save(run: Path, training: Training, step: int, notes: dict) -> None:
    """Write the state after `step` steps, with the JSON-able `notes`. Raises `DiskFull`; older files stay."""
    path = run / "checkpoints" / f"step-{step:08d}.safetensors"
    state = {name: tensor.detach().contiguous().cpu() for name, tensor in training.tensors()}
    header = {"notes": json.dumps({**notes, "step": step, "ema": training.ema.optimization_step})}
    write_atomically(path, lambda temporary: save_file(state, temporary, metadata=header))
    for old in files(run)[:-KEEP]:
        old.unlink()


def load_newest(run: Path, training: Training) -> dict | None:
    """Restore the newest readable checkpoint in place; its notes (with "step"), or None where there is none.

    Raises UserError where the checkpoint is of another model.
    """
    for path in reversed(files(run)):
        try:
            opened = safe_open(path, framework="pt")
        except (SafetensorError, OSError) as error:
            print(f"Skipping the damaged checkpoint {path}: {error}", flush=True)
            continue
        with opened as file:
            return _restore(file, path, training)
    return None


@torch.no_grad()
def _restore(file: safe_open, path: Path, training: Training) -> dict:
    notes = json.loads(file.metadata()["notes"])
    saved = set(file.keys())
    _restore_moments(file, training)
    own = dict(training.tensors())
    wrong = sorted(saved.symmetric_difference(own))
    wrong += [n for n in saved.intersection(own) if list(own[n].shape) != file.get_slice(n).get_shape()]
    if wrong:
        raise UserError(
            f"The checkpoint {path} is of another model (it differs at {wrong[0]!r}). "
            "Give this training a run folder of its own."
        )
    for name, tensor in own.items():
        if not name.startswith("adam."):
            tensor.copy_(file.get_tensor(name))
    training.ema.optimization_step = notes["ema"]
    return notes


def _restore_moments(file: safe_open, training: Training) -> None:
    """Give the optimizer its state, what is shaped as a parameter in that one's own memory layout: both
    AdamWs work on raw memory.
    """
    parameters = dict(training.model.named_parameters())
    for saved in file.keys():  # noqa: SIM118
        kind, _, rest = saved.partition(".")
        moment, _, name = rest.partition(".")
        if kind != "adam" or name not in parameters:
            continue
        value, parameter = file.get_tensor(saved), parameters[name]
        if not value.is_floating_point() and not value.ndim:
            value = value.item()
        elif value.shape == parameter.shape:
            value = torch.empty_like(parameter, dtype=value.dtype).copy_(value)
        else:
            value = value.to(parameter.device)
        training.optimizer.state[parameter][moment] = value
