"""What a thing was made for is known by content: what has the name of its base may have other weights by now.

A card with a `base_model` says what that lent when the thing was made, its autoencoder and text encoder. With
others of the same shapes a U-Net, a LoRA or a translation would draw garbage.
"""

import hashlib
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from rf_app.errors import UserError
from rf_app.registry.card import ID_PATTERN, Card, read_card
from rf_app.registry.checking import check_piece, weights_file
from rf_app.registry.disk import stamp

LENT = ("vae", "text_encoder")
SLICES, SLICE = 16, 4096  # of a file, and bytes: all of it takes seconds where it is Stable Diffusion's
FIRST = {"pocket-sd": "121991bf717b"}
"""What lent the bases of cards that are older than what they say of it: the pocket family's first edition."""


def lent_by(models: Sequence[Path], base: str | None) -> str:
    """12 hexadecimal digits that tell what a model lends from what others do; "" where none is whole.

    models: folders of models, earlier ones win. base: an id, from anyone's card.
    """
    seen: set[str | None] = {None}
    while base not in seen and ID_PATTERN.fullmatch(base):
        seen.add(base)
        folder = next((root / base for root in models if (root / base).is_dir()), None)
        with suppress(OSError, UserError):
            if folder and has_all(folder):
                digests = [_digest(*stamp(weights_file(folder / name, name))) for name in LENT]
                return hashlib.sha256("".join(digests).encode()).hexdigest()[:12]
            base = read_card(folder).base_model if folder else None
    return ""


def has_all(folder: Path) -> bool:
    """Whether a model's folder has of its own what a base would lend."""
    return all((folder / name).is_dir() for name in LENT)


def check_made_for(card: Card, lent: str) -> None:
    """Raise UserError where the base that a card names lends something else than when the thing was made."""
    first = FIRST.get(card.base_model or "")
    made_for = card.base_weights or first
    if lent and made_for and made_for != lent:
        which = (
            f"the first edition of {card.base_model}" if made_for == first else f"another {card.base_model}"
        )
        raise UserError(
            f"{card.id} was made for {which}: today's has another autoencoder or text encoder, with which it "
            f"draws nothing that makes sense. Make it anew, or remove it."
        )


@lru_cache(64)
def _digest(path: Path, inode: int, changed: int) -> str:
    check_piece(path.parent)
    size = path.stat().st_size
    found = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        for i in range(SLICES):
            file.seek(i * max(size - SLICE, 0) // (SLICES - 1))
            found.update(file.read(SLICE))
    return found.hexdigest()
