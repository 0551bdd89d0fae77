"""What computes a picture: named here without PyTorch, for the command line and whoever reads a PNG."""

import os

from rf_app.errors import UserError

FLOAT32, BFLOAT16, FLOAT16 = "float32", "bfloat16", "float16"
OPENVINO = "openvino"  # in what is quick on the processor
ENGINES = (FLOAT32, BFLOAT16, FLOAT16, OPENVINO)
VARIABLE = "INSTAFLOW_ENGINE"  # an environment variable, so that the jobs of a page draw as it does


def on_zero_gpu() -> bool:
    """Whether this is a Space on ZeroGPU, as its library `spaces` has it."""
    return os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")


def asked() -> str | None:
    """The engine that the user has chosen; None: what is quick on the device.

    Raises UserError for a word in `VARIABLE` that names none.
    """
    name = os.environ.get(VARIABLE) or None
    if name not in (None, *ENGINES):
        raise UserError(f"${VARIABLE} is {name!r:.40}; it must be one of {', '.join(ENGINES)}.")
    return name


def spoken(engine: str | None) -> str:
    """An engine of a picture's settings, in words."""
    return "OpenVINO" if engine == OPENVINO else f"PyTorch in {engine or FLOAT32}"
