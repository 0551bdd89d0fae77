"""The flows of the table, how they are solved, and what can be set."""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Literal

from rf_app.errors import UserError
from rf_app.metrics.perceptual import BUNDLED as PERCEPTUAL
from rf_app.metrics.recall import NEIGHBOURS
from rf_app.settings.bundled import ASSETS
from rf_app.settings.training import Precision, SteppedTraining
from trainers.common.runs import default_run

EULER, DISTILLED, RK45 = "Euler, 1 step", "distilled, 1 step", "Runge-Kutta 45"
FLOWS: dict[str, tuple[str, str | None]] = {
    "1-RF": ("Rectified flow", None),
    "2-RF": ("Rectified flow", "1-RF"),
    "3-RF": ("Rectified flow", "2-RF"),
    "VP": ("VP", None),
    "sub-VP": ("sub-VP", None),
}
"""By name, its path, and the flow that made the pairs it learns from."""
LOOKED_AT = 25  # a picture encoded, or drawn and looked at, in evaluations of the network, roughly
SOLVED = 80  # evaluations of Runge-Kutta 45, roughly


@dataclass(frozen=True, kw_only=True)
class FlowTable(SteppedTraining):
    """Settings of the table; the defaults are sized for six hours on two cores."""

    run: Path = field(default_factory=partial(default_run, "flow-table"))
    """Folder of all that is made; the same folder resumes."""
    pictures: Literal["drawings", "cifar10"] = "drawings"
    """What is learned: drawings of the pocket world in latents, or CIFAR-10, which is downloaded."""
    drawings: int = 12_000
    """Number of drawings to learn from."""
    steps: int = 5_000
    """Optimizer steps of each flow that learns from pictures."""
    later_steps: int = 2_000
    """Optimizer steps of each flow that learns from pairs, and of each distillation."""
    batch: int = 64
    learning_rate: float = 1e-3
    """Peak learning rate; of what learns from pairs half of it."""
    pairs: int = 8_000
    """Pairs that each flow makes; the first ones are measured as its own pictures."""
    measured: int = 2_000
    """Pictures that each row is measured on."""
    tolerance: float = 1e-4
    """Relative and absolute tolerance of Runge-Kutta 45 (the paper: 1e-5)."""
    precision: Precision | None = "auto"
    autoencoder: Path = ASSETS / "autoencoder"
    """Folder of the autoencoder."""
    judge: Path = PERCEPTUAL
    """Folder of the judge whose features of drawings are compared."""
    inception: Path | None = None
    """With --pictures cifar10: FID's Inception as a safetensors file (rf_app/metrics/inception.py)."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        super().__post_init__()
        for name, least in (("drawings", 1), ("later_steps", 1), ("measured", NEIGHBOURS + 1)):
            if (value := getattr(self, name)) < least:
                raise UserError(f"--{name.replace('_', '-')} must be at least {least}, not {value}.")
        if self.pairs < self.measured:
            raise UserError(f"--pairs must be at least --measured {self.measured}, not {self.pairs}.")
        if not 0 < self.tolerance < 1:
            raise UserError(f"--tolerance must lie between 0 and 1, not {self.tolerance}.")
        if (self.pictures == "cifar10") != (self.inception is not None):
            raise UserError("--pictures cifar10 and --inception belong together: give both, or neither.")


def costs(options: FlowTable) -> dict[str, float]:
    """What each stage costs, by its title, in evaluations of the network: learning from one takes three."""
    found = {"pictures": float(LOOKED_AT * (options.drawings + 3 * options.measured))}
    for name, (_, before) in FLOWS.items():
        found[f"{name}: flow"] = 3 * options.batch * (options.later_steps if before else options.steps)
        found[f"{name}: pairs"] = SOLVED * options.pairs
        found[f"{name}: distillation"] = 3 * options.batch * options.later_steps
        found[f"{name}: figures"] = 3 * LOOKED_AT * options.measured
    return found
