"""What computes the pictures of a worker, by name."""

import torch

from rf_app.errors import UserError
from rf_app.registry.precision import quick_dtype
from rf_app.settings.engine import ENGINES, FLOAT32, asked


def dtype_of(engine: str | None, device: torch.device) -> torch.dtype:
    """The arithmetic of an engine; None takes what the user has asked for, then what is quick on the device.

    Raises UserError for a name that is none.
    """
    engine = engine or asked()
    if engine is None:
        return quick_dtype(device)
    if engine not in ENGINES:
        raise UserError(f"engine is {engine!r:.40}; it must be one of {', '.join(ENGINES)}.")
    return getattr(torch, engine)


def name_of(dtype: torch.dtype) -> str | None:
    """What a picture's settings say: nothing for float32, in which any picture can be drawn."""
    name = str(dtype).removeprefix("torch.")
    return None if name == FLOAT32 else name
