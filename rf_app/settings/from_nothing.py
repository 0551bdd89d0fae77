"""The settings of the trainings that begin with pictures and no model: `python -m trainers.NAME` for NAME.

As in `rf_app.settings.training`, what stands below a field is its help.
"""

from dataclasses import dataclass
from pathlib import Path

from rf_app.errors import UserError
from rf_app.settings.bundled import ASSETS
from rf_app.settings.training import Published, SteppedTraining

SIDE_STEP, LARGEST_SIDE = 32, 512  # pixels


def check_side(size: int) -> None:
    """Raises UserError for pictures of a side that cannot be learned."""
    if size % SIDE_STEP or not SIDE_STEP <= size <= LARGEST_SIDE:
        raise UserError(f"--size must be {SIDE_STEP}, {2 * SIDE_STEP} … {LARGEST_SIDE} pixels, not {size}.")


@dataclass(frozen=True, kw_only=True)
class FromPictures(SteppedTraining):
    """What is learned from."""

    images: Path | None = None
    """Folder of captioned pictures, of which a tenth is held out (default: drawings of the pocket world)."""
    pictures: int = 24_000
    """Number of drawings to learn from, where there is no folder of pictures."""
    size: int = 192
    """Pixels a side, a multiple of 32; pictures are cut to their middle squares."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        super().__post_init__()
        check_side(self.size)


@dataclass(frozen=True, kw_only=True)
class Autoencoder(FromPictures):
    """Settings of an autoencoder's training; the defaults make the bundled one."""

    perceptual: Path = ASSETS / "perceptual"
    """Folder of the judge whose feature maps LPIPS compares."""
    measure: Path | None = None
    """Train nothing: measure the autoencoder in this folder."""
    channels: int = 8
    """Channels of its latents, which have an eighth of the picture's side."""
    steps: int = 12_000
    batch: int = 12
    """Crops in a batch (whole pictures: a quarter as many)."""
    whole_from: float = 0.6
    """Share of the steps after which whole pictures replace crops."""
    learning_rate: float = 1e-3
    fine_from: float = 0.4
    """Share of the steps after which LPIPS and the discriminator are listened to."""
    perceptual_weight: float = 0.5
    """Weight of LPIPS."""
    adversarial_weight: float = 0.02
    """Weight of what the discriminator says."""
    kl: float = 1e-5
    """Weight of the KL term a latent element."""
    ema: float = 0.998


@dataclass(frozen=True, kw_only=True)
class Teacher(Published, FromPictures):
    """Settings of a diffusion model's training from nothing; the defaults make the bundled teacher."""

    autoencoder: Path | None = None
    """Folder of the autoencoder (default: the result of trainers.autoencoder)."""
    output: str = "my-pocket-sd"
    steps: int = 9_000
    batch: int = 96
    learning_rate: float = 1e-3
    dropout: float = 0.1
    """Share of captions left out, for guidance."""


@dataclass(frozen=True, kw_only=True)
class Contrastive(FromPictures):
    """Settings of the network that tells which caption is which picture's, to measure other models by."""

    output: Path
    """Folder of the finished network."""
    steps: int = 1_000
    batch: int = 64
    learning_rate: float = 1e-3
    ema: float = 0.99


@dataclass(frozen=True, kw_only=True)
class World:
    """What a world of one's own is made of."""

    images: Path
    """Folder of captioned pictures: metadata.jsonl or .csv, a .txt beside each, file names that say it, or
    Parquet files; or the name of a dataset on the Hub."""
    output: str
    """Id of the model that draws in one step; beside it stand ID-teacher and ID-2rf."""
    hours: float = 2.0
    """Time for all of it, on this machine."""
    size: int = 96
    """Pixels a side, a multiple of 32; pictures are cut to their middle squares."""
    title: str = ""
    """Its name in the list (default: its id)."""
    run: Path | None = None
    """Folder to work in; the same folder resumes (default: world/OUTPUT under the user's runs)."""
    models: Path | None = None
    """Folder of models besides the bundled ones, to publish into (default: the user's)."""
    dry_run: bool = False
    """Say what would be used, what would be left out and what the time would go into; train nothing."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        check_side(self.size)
        if not 0 < self.hours <= 1000:
            raise UserError(f"--hours must be over 0 and at most 1000, not {self.hours:g}.")
