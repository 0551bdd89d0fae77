"""What computes the pictures of a worker, by name."""

import torch

from rf_app.errors import UserError
from rf_app.pipeline.graphs import Graphs, installed
from rf_app.registry.precision import quick_dtype
from rf_app.settings.engine import ENGINES, FLOAT32, OPENVINO
from rf_app.settings.home import home


def graphs_of(engine: str | None, device: torch.device) -> Graphs | None:
    """What holds the graphs of an engine that draws with such.

    Raises UserError where that is not installed, and for another device than a processor.
    """
    if engine != OPENVINO:
        return None
    if device.type != "cpu":
        raise UserError(f"engine is {engine}, which computes on processors; on {device.type} take float16.")
    if not installed():
        raise UserError(f"engine is {engine}, which is not installed: pip install openvino")
    return Graphs(home() / "graphs")


def dtype_of(engine: str | None, device: torch.device) -> torch.dtype:
    """The arithmetic of an engine; None is what is quick on the device.

    Raises UserError for a name that is none.
    """
    if engine in (None, OPENVINO):
        return quick_dtype(device)
    if engine not in ENGINES:
        raise UserError(f"engine is {engine!r:.40}; it must be one of {', '.join(ENGINES)}.")
    return getattr(torch, engine)


def name_of(dtype: torch.dtype) -> str | None:
    """What a picture's settings say: nothing for float32, in which any picture can be drawn."""
    name = str(dtype).removeprefix("torch.")
    return None if name == FLOAT32 else name
