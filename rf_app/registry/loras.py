"""LoRAs on disk: one folder an id, with a card and the weights in one safetensors file; listed, and saved."""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.registry.card import Readme, check_id, write_readme
from rf_app.registry.disk import disk_full_named, hidden_folder, put_in_place, writable
from rf_app.registry.folders import Registry

WEIGHTS = "pytorch_lora_weights.safetensors"  # as diffusers names it
UPLOAD = "upload-"  # how the ids of a session's uploads begin


@dataclass(frozen=True)
class LoraCard:
    """What the page, the trainer and a reader know about a LoRA without loading it."""

    id: str  # the folder's name
    title: str
    description: str = ""
    trigger: str = ""  # words that call it, for the prompt
    license: str = "unknown"
    base_model: str | None = None  # what it was trained on
    measured: dict[str, Any] = field(default_factory=dict)  # figures and what they were measured on
    settings: dict[str, Any] = field(default_factory=dict)  # how it was trained


def write_lora_card(folder: Path, card: LoraCard) -> None:
    """Write README.md into a LoRA's folder in one step."""
    block = {"title": card.title, "settings": card.settings, "measured": card.measured}
    write_readme(folder, card, ["lora", "instaflow"], block, {"instance_prompt": card.trigger})


def read_lora_card(folder: Path) -> LoraCard:
    """The card of a LoRA's folder; raises UserError naming the file and the fault.

    A folder as it comes from the Hub has no block of ours, or no README.md at all: its name says what it is.
    """
    id = check_id(folder.name, "LoRA")
    try:
        readme = Readme(folder)
    except UserError:
        return LoraCard(id, id)
    return LoraCard(
        id=id,
        title=readme.value("title", str, default=id),
        description=readme.description,
        trigger=readme.value("instance_prompt", str, readme.front, ""),
        license=readme.value("license", str, readme.front, "unknown"),
        base_model=readme.value("base_model", (str, type(None)), readme.front),
        measured=readme.value("measured", dict, default={}),
        settings=readme.value("settings", dict, default={}),
    )


class Loras:
    """LoRAs by id. Earlier folders win; new ones go into the last."""

    def __init__(self, folders: Sequence[Path]):
        """folders: each holds one sub-folder a LoRA, named by its id; they need not exist yet."""
        self.folders = tuple(Path(folder) for folder in folders)

    @classmethod
    def beside(cls, registry: Registry) -> "Loras":
        """Those in `loras/` beside each folder of models."""
        return cls([folder.parent / "loras" for folder in registry.folders])

    def cards(self) -> list[LoraCard]:
        """The cards of all that are whole, by folder and id; broken ones are in `problems`."""
        return self._scan()[0]

    def problems(self) -> dict[str, str]:
        """What is wrong with each folder that `cards` leaves out."""
        return self._scan()[1]

    def card(self, id: str) -> LoraCard:
        """A LoRA's card; raises UserError for an unknown LoRA and for a broken card."""
        return read_lora_card(self.file(id).parent)

    def file(self, id: str) -> Path:
        """A LoRA's weights; raises UserError with the ids there are, if there is none of that id."""
        check_id(id, "LoRA")
        for root in self.folders:
            if (root / id / WEIGHTS).is_file():
                return root / id / WEIGHTS
        known = ", ".join(card.id for card in self.cards()) or "none"
        raise UserError(f"There is no LoRA {id!r}. LoRAs at hand: {known}.")

    def save(self, file: Path, card: LoraCard) -> Path:
        """Copy weights that have been checked into the last folder, with a card, in one step: all or nothing.

        Raises UserError for a taken or malformed id and a folder that cannot be written to, and `DiskFull`.
        """
        root, id = self.folders[-1], check_id(card.id, "LoRA")
        taken = UserError(f"There is already a LoRA {id!r}: choose another id.")
        if id.startswith(UPLOAD):
            raise UserError(f"{id!r}: ids of saved LoRAs do not begin with {UPLOAD!r}; choose another id.")
        if any((folder / id).exists() for folder in self.folders):
            raise taken
        with writable(root), disk_full_named(root / id), hidden_folder(root, id) as hidden:
            fresh = hidden / id
            fresh.mkdir()
            shutil.copyfile(file, fresh / WEIGHTS)
            write_lora_card(fresh, card)
            if not put_in_place(fresh, root / id, overwrite=False):
                raise taken  # by another process, meanwhile
        return root / id

    def _scan(self) -> tuple[list[LoraCard], dict[str, str]]:
        cards: dict[str, LoraCard] = {}
        problems: dict[str, str] = {}
        for root in self.folders:
            for folder in sorted(root.iterdir()) if root.is_dir() else ():
                name = folder.name
                if not folder.is_dir() or name.startswith(".") or name in cards or name in problems:
                    continue
                try:
                    if not (folder / WEIGHTS).is_file():
                        raise UserError(f"{folder / WEIGHTS}: this file is missing.")
                    cards[name] = read_lora_card(folder)
                except UserError as error:
                    problems[name] = str(error)
        return list(cards.values()), problems
