"""What the card of a trained thing says of its training: what ran, not only what was asked for."""

from pathlib import Path

from accelerate import Accelerator

from rf_app.settings.training import Training

LEFT_OUT = (
    *("title", "run", "models", "loras", "controlnets", "translations"),
    *("overwrite", "pairs", "images", "autoencoder", "dry_run", "tracker"),
)  # this machine's


def as_it_ran(config: Training, accelerator: Accelerator, **found: object) -> dict[str, object]:
    """The settings of a training for its card; found: what it made of them.

    precision: the arithmetic it ran in; processes: where there were several, each with batches of its own.
    """
    asked = {
        name: value for name, value in vars(config).items() if name not in LEFT_OUT and value is not None
    }
    plain = {
        name: value.name if isinstance(value, Path) else list(value) if isinstance(value, tuple) else value
        for name, value in asked.items()
    }
    processes = accelerator.num_processes
    several = {"processes": processes} if processes > 1 else {}
    return plain | {"precision": accelerator.mixed_precision} | several | found
