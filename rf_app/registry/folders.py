"""The registry: folders of model folders. Publishes so that a reader never sees half a model."""

import json
import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from rf_app.errors import UserError
from rf_app.registry.card import ModelCard, check_id, read_card, write_card
from rf_app.registry.checking import BORROWED, OWN, check_piece, read_json
from rf_app.registry.loading import assemble

BUNDLED = Path(__file__).parents[2] / "assets" / "models"


class Registry:
    """Models by id. Earlier folders win; new models go into the last one."""

    def __init__(self, folders: Sequence[Path]):
        """folders: each holds one sub-folder a model, named by its id; they need not exist yet."""
        self.folders = tuple(Path(folder) for folder in folders)

    @classmethod
    def default(cls) -> "Registry":
        """The bundled models and the user's own, in $INSTAFLOW_HOME/models (~/.instaflow/models if unset)."""
        home = Path(os.environ.get("INSTAFLOW_HOME") or Path.home() / ".instaflow")
        return cls([BUNDLED, home / "models"])

    def cards(self) -> list[ModelCard]:
        """The cards of all whole models, sorted by folder and id; broken ones are in `problems`."""
        return self._scan()[0]

    def problems(self) -> dict[str, str]:
        """What is wrong with each model folder that `cards` leaves out."""
        return self._scan()[1]

    def folder(self, id: str) -> Path:
        """A model's folder; raises UserError with the ids there are, if there is none of that id."""
        check_id(id)
        for root in self.folders:
            if (root / id).is_dir():
                return root / id
        known = ", ".join(found.name for found in self._folders()) or "none"
        raise UserError(f"There is no model {id!r}. Models at hand: {known}.")

    def card(self, id: str) -> ModelCard:
        """A model's card; raises UserError for an unknown model and for a broken card."""
        return read_card(self.folder(id))

    def pieces(self, id: str) -> dict[str, Path]:
        """The folders of unet, scheduler, vae, text_encoder and tokenizer, some of them of the base model."""
        return self._pieces(self.folder(id))

    def _pieces(self, folder: Path) -> dict[str, Path]:
        pieces = {name: folder / name for name in OWN}
        for name in BORROWED:
            owners = [folder]
            while not (owners[-1] / name).is_dir():
                base = read_card(owners[-1]).base_model
                if base is None:
                    raise UserError(
                        f"{owners[-1] / name}: missing, and the card names no base_model to take it from."
                    )
                try:
                    owners.append(self.folder(base))
                except UserError as error:
                    raise UserError(f"{owners[-1]}: its base_model cannot be used. {error}") from None
                if owners[-1] in owners[:-1]:
                    raise UserError(f"{folder}: base_model leads in a circle and no model of it has {name}/.")
            pieces[name] = owners[-1] / name
        return pieces

    def _scan(self) -> tuple[list[ModelCard], dict[str, str]]:
        cards: dict[str, ModelCard] = {}
        problems: dict[str, str] = {}
        for folder in self._folders():
            try:
                card = read_card(folder)
                for piece in self._pieces(folder).values():
                    check_piece(piece)
                cards[card.id] = card
            except UserError as error:
                problems[folder.name] = str(error)
        return list(cards.values()), problems

    def _folders(self) -> list[Path]:
        """The model folders, whole or not: one for each name, the earlier root's."""
        found: dict[str, Path] = {}
        for root in self.folders:
            for folder in sorted(root.iterdir()) if root.is_dir() else ():
                if folder.is_dir() and not folder.name.startswith("."):
                    found.setdefault(folder.name, folder)
        return list(found.values())

    def publish(
        self, id: str, build: Callable[[Path], None], card: ModelCard, overwrite: bool = False
    ) -> Path:
        """Let `build` fill a hidden folder, check what it made, and move it into place in one step.

        Nothing is left behind if `build` or the check raises, and a model being replaced stays until the new
        one is whole on disk; for the moment between two renames a reader finds neither. Raises UserError for
        a taken or malformed id and a model that does not load.
        """
        root = self.folders[-1]
        target = root / check_id(id)
        for other in self.folders[:-1]:
            if (other / id).exists():
                raise UserError(f"{id!r} is the id of a bundled model: choose another id.")
        if target.exists() and not overwrite:
            raise UserError(f"There is already a model {id!r} in {root}: choose another id, or overwrite it.")
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=f".{id}-") as hidden:
            fresh, old = Path(hidden) / id, Path(hidden) / "old"
            fresh.mkdir()
            build(fresh)
            _forget_paths(fresh)
            write_card(fresh, replace(card, id=id))
            self._check(fresh)
            _sync(fresh)
            if target.exists():
                target.rename(old)
            try:
                fresh.rename(target)
            except OSError:
                if old.exists():
                    old.rename(target)
                raise
            _sync_one(root)
        return target

    def _check(self, folder: Path) -> None:
        """Load the model as a reader will, and refuse weights that a diverged training left."""
        unet = assemble(self._pieces(folder), read_card(folder).kind).unet
        for name, weight in unet.state_dict().items():
            if not torch.isfinite(weight).all():
                raise UserError(f"{folder.name}: the U-Net's {name} holds values that are not finite.")


def _forget_paths(folder: Path) -> None:
    """Remove where a piece was loaded from, which diffusers notes in its config: a path of this machine."""
    for path in folder.glob("*/config.json"):
        config = read_json(path)
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def _sync(folder: Path) -> None:
    """Have every file and folder below on the disk before the rename makes them visible."""
    for parent, _, files in os.walk(folder):
        for name in files:
            _sync_one(Path(parent) / name)
        _sync_one(Path(parent))


def _sync_one(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
