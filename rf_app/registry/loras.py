"""LoRAs on disk: one folder an id, with a card and the weights in one safetensors file."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rf_app.errors import UserError
from rf_app.registry.card import Card
from rf_app.registry.store import Store

WEIGHTS = "pytorch_lora_weights.safetensors"  # as diffusers names it
UPLOAD = "upload-"  # how the ids of a session's uploads begin


@dataclass(frozen=True, kw_only=True)
class LoraCard(Card):
    """The card of a LoRA; base_model is what it was trained on."""

    NAME = "LoRA"
    BLOCK = ("title", "settings", "measured")
    FRONT: ClassVar = {"trigger": "instance_prompt"}

    trigger: str = ""  # words that call it, for the prompt

    @classmethod
    def by_name(cls, id: str) -> "LoraCard":
        """The card of a folder as it comes from the Hub: its name says what it is."""
        return cls(id, id)


class Loras(Store[LoraCard]):
    """LoRAs by id. Earlier folders win; new ones go into the last."""

    CARD = LoraCard
    FOLDER = "loras"
    CONTENT = f"the file in it as {WEIGHTS}"

    def file(self, id: str) -> Path:
        """A LoRA's weights; raises UserError with the ids there are, if there is none of that id."""
        folder = self.folder(id)
        self.check_part(folder)
        return folder / WEIGHTS

    def save(self, file: Path, card: LoraCard) -> Path:
        """Publish a copy of weights that have been checked; raises what `publish` raises."""
        return self.publish(card.id, lambda folder: shutil.copyfile(file, folder / WEIGHTS), card)

    def check_free(self, id: str, overwrite: bool = False) -> None:
        """Raise UserError for an id that `publish` would refuse."""
        super().check_free(id, overwrite)
        if id.startswith(UPLOAD):
            raise UserError(f"{id!r}: ids of saved LoRAs do not begin with {UPLOAD!r}; choose another id.")

    def check_part(self, folder: Path) -> None:
        """Raise UserError unless the weights are there; plugging them in looks at them."""
        if not (folder / WEIGHTS).is_file():
            others = " or ".join(sorted(each.name for each in folder.glob("*.safetensors")))
            rename = f"; rename {others}" if others else ""
            raise UserError(f"{folder / WEIGHTS}: this file is missing{rename}.")
