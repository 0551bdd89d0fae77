"""Translations on disk: U-Nets that carry the latents of one kind of picture over to another kind's."""

from dataclasses import dataclass
from pathlib import Path

from rf_app.registry.card import Card
from rf_app.registry.checking import check_piece
from rf_app.registry.store import Store

ONE_STEP, FLOW = "unet", "flow"  # folders of a translation: for a single Euler step, and for several


@dataclass(frozen=True, kw_only=True)
class TranslationCard(Card):
    """The card of a translation: Euler's method with its U-Nets under the empty text is one.

    base_model lends autoencoder and text encoder.
    """

    NAME = "translation"
    BLOCK = ("title", "source", "target", "base_weights", "settings", "measured")

    source: str  # what is given, in a word
    target: str  # what it becomes


class Translations(Store[TranslationCard]):
    """Translations by id. Earlier folders win; new ones go into the last."""

    CARD = TranslationCard
    FOLDER = "translations"
    CONTENT = f"two U-Nets as {ONE_STEP}/ and {FLOW}/"

    def parts(self, folder: Path) -> list[Path]:
        """The U-Nets."""
        return [folder / ONE_STEP, folder / FLOW]

    def check_part(self, folder: Path) -> None:
        """Raise UserError unless it is whole and harmless."""
        check_piece(folder, "unet")
