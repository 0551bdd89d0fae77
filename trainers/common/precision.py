"""The accelerator of a command, in the arithmetic asked for."""

import os
from datetime import timedelta

import torch
from accelerate import Accelerator
from accelerate.utils import InitProcessGroupKwargs

from rf_app.errors import UserError
from rf_app.registry.precision import quick_in_bfloat16
from rf_app.settings.training import Precision

PATIENCE = 24 * 3600  # seconds, of processes for one another


def accelerator_in(precision: Precision | None) -> Accelerator:
    """accelerate's Accelerator; None is what `accelerate launch` or the environment says, else float32.

    "auto" is what they say, too, else what is quick on the device.

    Raises UserError for an arithmetic that the device does not have, and where accelerate is set to part the
    network among processes: checkpoints and averages are of whole ones.
    """
    for name in ("FSDP", "DEEPSPEED", "MEGATRON_LM"):
        if os.environ.get(f"ACCELERATE_USE_{name}", "").lower() == "true":
            raise UserError(
                f"accelerate is set to {name}, but the trainers hold the whole network in each process: "
                "answer “no” to it in `accelerate config`."
            )
    if precision == "auto":
        said = "ACCELERATE_MIXED_PRECISION" in os.environ
        precision = None if said else "bf16" if quick_in_bfloat16() else "no"
    if precision == "fp16" and not torch.accelerator.is_available():  # accelerate would take float32
        raise UserError("--precision fp16 needs a GPU, and there is none: give bf16 or no.")
    # NCCL's own are ten minutes, and one process alone may encode the pictures or make the last pairs.
    waiting = InitProcessGroupKwargs(timeout=timedelta(seconds=PATIENCE))
    return Accelerator(mixed_precision=precision, kwargs_handlers=[waiting])
