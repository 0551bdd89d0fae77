"""The registry: folders of model folders. Publishes so that a reader never sees half a model."""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from rf_app.errors import UserError
from rf_app.registry.card import ModelCard, check_id, read_card, write_card
from rf_app.registry.checking import BORROWED, OWN, check_piece, read_json
from rf_app.registry.disk import disk_full_named, hidden_folder, put_in_place, sync, sync_tree, writable
from rf_app.registry.index import Index
from rf_app.registry.loading import assemble, stamp

BUNDLED = Path(__file__).parents[2] / "assets" / "models"

INDEX = ".index.json"
TITLES = {"unet": "U-Net", "vae": "autoencoder", "text_encoder": "text encoder"}  # those with weights


class Registry:
    """Models by id. Earlier folders win; new models go into the last one."""

    def __init__(self, folders: Sequence[Path]):
        """folders: each holds one sub-folder a model, named by its id; they need not exist yet."""
        self.folders = tuple(Path(folder) for folder in folders)
        self._index = Index(self.folders[-1] / INDEX)

    @classmethod
    def default(cls, models: Path | None = None) -> "Registry":
        """The bundled models and the user's own; new ones go into `models`, if given.

        The user's are in $INSTAFLOW_HOME/models (~/.instaflow/models if unset).
        """
        home = Path(os.environ.get("INSTAFLOW_HOME") or Path.home() / ".instaflow")
        folders = [BUNDLED, home / "models"]
        if models is not None:
            folders = [*(each for each in folders if each.absolute() != models.absolute()), models]
        return cls(folders)

    def cards(self) -> list[ModelCard]:
        """The cards of all whole models, sorted by folder and id; broken ones are in `problems`."""
        return self._scan()[0]

    def problems(self) -> dict[str, str]:
        """What is wrong with each model folder that `cards` leaves out."""
        return self._scan()[1]

    def state(self) -> int:
        """A number that changes when a model appears, goes or is changed; costs one look at each folder."""
        seen = []
        for folder in self._folders():
            with suppress(FileNotFoundError):  # it goes just now
                seen.append(stamp(folder))
        return hash(tuple(seen))

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
        return self._card(self.folder(id))

    def pieces(self, id: str) -> dict[str, Path]:
        """The folders of unet, scheduler, vae, text_encoder and tokenizer, some of them of the base model."""
        return self._pieces(self.folder(id))

    def lender(self, id: str) -> str:
        """Whom a model made from this one borrows from: this one if it has pieces to lend, else its base."""
        folder = self.folder(id)
        lends = any((folder / name).is_dir() for name in BORROWED)
        return id if lends else self._card(folder).base_model or id

    def _pieces(self, folder: Path) -> dict[str, Path]:
        pieces, owners = {name: folder / name for name in OWN}, [folder]
        while True:
            owner, missing = owners[-1], [name for name in BORROWED if name not in pieces]
            pieces |= {name: owner / name for name in missing if (owner / name).is_dir()}
            missing = [name for name in missing if name not in pieces]
            if not missing:
                return pieces
            base = self._card(owner).base_model
            if base is None:
                raise UserError(
                    f"{owner / missing[0]}: missing, and the card names no base_model to take it from."
                )
            try:
                owners.append(self.folder(base))
            except UserError as error:
                raise UserError(f"{owner}: its base_model cannot be used. {error}") from None
            if owners[-1] in owners[:-1]:
                raise UserError(
                    f"{folder}: base_model leads in a circle and no model of it has {missing[0]}/."
                )

    def _scan(self) -> tuple[list[ModelCard], dict[str, str]]:
        cards: dict[str, ModelCard] = {}
        problems: dict[str, str] = {}
        checked: set[Path] = set()
        for folder in self._folders():
            try:
                card = self._card(folder)
                pieces = set(self._pieces(folder).values())
                for piece in pieces - checked:
                    self._index.value(piece, check_piece)
                checked |= pieces
                cards[card.id] = card
            except UserError as error:
                problems[folder.name] = str(error)
        self._index.save()
        return list(cards.values()), problems

    def _card(self, folder: Path) -> ModelCard:
        fields = self._index.value(folder / "README.md", lambda path: _fields(read_card(path.parent)))
        return ModelCard(**fields | {"lineage": tuple(fields["lineage"])})

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
        one is whole on disk. Raises UserError for a taken or malformed id, a model that does not load and a
        folder that cannot be written to, and `DiskFull`.
        """
        root = self.folders[-1]
        target = root / check_id(id)
        for other in self.folders[:-1]:
            if (other / id).exists():
                raise UserError(f"{id!r} is the id of a bundled model: choose another id.")
        taken = UserError(f"There is already a model {id!r} in {root}: choose another id, or overwrite it.")
        if target.exists() and not overwrite:
            raise taken
        with writable(root), disk_full_named(target), hidden_folder(root, id) as hidden:
            fresh = hidden / id
            fresh.mkdir()
            build(fresh)
            _forget_paths(fresh)
            write_card(fresh, replace(card, id=id))
            self._check(fresh)
            sync_tree(fresh)
            if not put_in_place(fresh, target, overwrite):
                raise taken  # by another process, meanwhile
            sync(root)
        return target

    def _check(self, folder: Path) -> None:
        """Load the model as a reader will, and refuse weights of its own that a diverged training left."""
        pipeline = assemble(self._pieces(folder), read_card(folder).kind)
        for piece, title in TITLES.items():
            weights = getattr(pipeline, piece).state_dict() if (folder / piece).is_dir() else {}
            for name, weight in weights.items():
                if not torch.isfinite(weight).all():
                    raise UserError(f"{folder.name}: the {title}'s {name} holds values that are not finite.")


def _fields(card: ModelCard) -> dict[str, Any]:
    """A card as JSON has it."""
    return vars(card) | {"lineage": list(card.lineage)}


def _forget_paths(folder: Path) -> None:
    """Remove where a piece was loaded from, which diffusers notes in its config: a path of this machine."""
    for path in folder.glob("*/config.json"):
        config = read_json(path)
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
