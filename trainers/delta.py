"""What a training has added to its teacher's U-Net, as a file for other fine-tunes of the same base.

    python -m trainers.delta --model pocket-perflow --output perflow.safetensors
    python -m trainers.merge --teacher my-teacher --delta perflow.safetensors --output my-quick-teacher

The difference of PeRFlow's weights to Stable Diffusion's works on its fine-tunes (arXiv 2405.07510); so does
that of other few-step models, less surely.
"""

from dataclasses import dataclass
from pathlib import Path

from rf_app.errors import UserError
from rf_app.plugins.delta_files import write_delta
from trainers.common import command
from trainers.common.models import registry_into


@dataclass(frozen=True, kw_only=True)
class DeltaConfig:
    """What is taken from what."""

    model: str
    """Model id that was trained."""
    output: Path
    """Safetensors file to write."""
    base: str = ""
    """Model id that it was trained from (default: its teacher)."""
    models: Path | None = None
    """Folder of models besides the bundled ones (default: the user's)."""


def main(config: DeltaConfig) -> None:
    """Write the file."""
    registry = registry_into(config.models)
    lineage = registry.card(config.model).lineage
    if not (base := config.base or (lineage[-1] if lineage else "")):
        raise UserError(f"{config.model} was made from no other model: name one with --base.")
    write_delta(registry, config.model, base, config.output)
    print(f"wrote {config.output}: {config.model} without {base}", flush=True)


if __name__ == "__main__":
    command.run(main, DeltaConfig)
