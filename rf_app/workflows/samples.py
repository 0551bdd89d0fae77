"""A sample picture of each model, drawn once and kept beside the models."""

from contextlib import suppress
from pathlib import Path

from PIL import Image

from rf_app.pipeline.png import read_settings
from rf_app.pipeline.requests import GenerateRequest
from rf_app.registry.disk import stamp, writable, write_atomically
from rf_app.workflows.generate import Studio

FOLDER = ".samples"
PROMPT = "A photograph of a snowy mountain near a beautiful lake under sunshine."
SEED = 7
QUICK = 128  # pixels a side that a processor draws unasked


class Samples:
    """Sample pictures, PNG files that carry their settings."""

    def __init__(self, studio: Studio):
        """They lie in a hidden folder among the user's models."""
        self.studio = studio
        self.folder = studio.registry.folders[-1] / FOLDER

    def at_hand(self, id: str) -> Path | None:
        """The picture of a model as it is now, if it has been drawn."""
        with suppress(OSError):
            path = self._path(id)
            return path if path.is_file() else None
        return None

    def quick(self, id: str) -> bool:
        """Whether it takes so little that nobody need ask for it."""
        device = self.studio.worker.device.type
        return device != "cpu" or self.studio.registry.card(id).resolution <= QUICK

    def draw(self, id: str) -> Path:
        """Draw the picture now; raises UserError where the model does not load or the folder is read-only."""
        path = self._path(id)
        shown = self.studio.generate(GenerateRequest(PROMPT, id, seed=SEED))
        for old in path.parent.glob("*.png"):
            old.unlink(missing_ok=True)
        with writable(self.folder):
            write_atomically(path, lambda temporary: temporary.write_bytes(shown.pictures[0].png))
        return path

    def _path(self, id: str) -> Path:
        """It changes with the U-Net, and not with the card."""
        _, inode, time = stamp(self.studio.registry.folder(id) / "unet")
        return self.folder / id / f"{inode:x}-{time:x}.png"


def settings_of(sample: Path | None, id: str) -> dict:
    """What opens a model in another tab: its sample's settings, or the sample's prompt."""
    found = read_settings(sample) if sample else None
    return {**(found or {"prompt": PROMPT, "seed": SEED}), "model": id}


def thumbnail(sample: Path, side: int) -> Image.Image:
    """The picture, at most so many pixels a side."""
    image = Image.open(sample).convert("RGB")
    image.thumbnail((side, side))
    return image
