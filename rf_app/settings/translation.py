"""The settings of a translation between two kinds of pictures: `python -m trainers.translate`.

As in `rf_app.settings.training`, what stands below a field is its help.
"""

from dataclasses import dataclass
from pathlib import Path

from rf_app.errors import UserError
from rf_app.settings.training import Published, SteppedTraining


@dataclass(frozen=True, kw_only=True)
class Translate(Published, SteppedTraining):
    """Settings of a translation; the defaults suit the pocket models. Its run has a folder a training."""

    source: str
    """What is given: a value of the pocket world, such as day or summer, a style of it, such as plain or
    woodcut, or a folder of pictures."""
    target: str
    """What it becomes: another value of the same attribute, another style, or another folder. No picture
    needs a counterpart there."""
    base: str = "pocket-sd"
    """Model id whose U-Net is the start, in whose latents pictures are translated."""
    drawings: int = 4_000
    """Number of drawings of each kind."""
    measured: int = 200
    """Number of held-out drawings that the judge looks at in the end."""
    judge: Path | None = None
    """Folder of the judge, which also says what values the world has (default: the bundled one)."""
    translations: Path | None = None
    """Folder to publish into (default: the user's)."""
    steps: int = 3_000
    """Optimizer steps of each rectification, and of the distillation."""
    batch: int = 48
    learning_rate: float = 4e-4
    """Peak learning rate."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        super().__post_init__()
        for name, least in (("drawings", 20), ("measured", 2)):
            if (value := getattr(self, name)) < least:
                raise UserError(f"--{name} must be at least {least}, not {value}.")
        if self.source == self.target:
            raise UserError(f"--source and --target are both {self.source!r:.60}; they must differ.")
