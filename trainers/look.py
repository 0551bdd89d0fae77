"""Look at a folder of captioned pictures before anything is trained on it: what is used, what not, and why.

    python -m trainers.look --images pictures/ --size 512

For what begins with a model: a LoRA, a ControlNet, a PeRFlow. `trainers.world --dry-run` is that of a world.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from trainers.common import command
from trainers.data.looking import MOST, look
from trainers.data.table import as_folder


@dataclass(frozen=True, kw_only=True)
class Look:
    """What is looked at."""

    images: Path
    """Folder of captioned pictures, or of Parquet files; or the name of a dataset on the Hub."""
    size: int = 512
    """Pixels a side of the model: pictures are cut to their middle squares."""


def main(config: Look) -> None:
    """Look, and say."""
    with as_folder(config.images, MOST) as folder:
        looked = look(folder, config.size, from_nothing=False)
    print(replace(looked, folder=config.images).in_words(), flush=True)


if __name__ == "__main__":
    command.run(main, Look)
