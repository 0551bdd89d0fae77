"""A store: folders of one kind of thing, each in a folder with a card. Readers never see half of one.

Models, LoRAs and ControlNets are stores; what differs between them stands in `models`, `loras` and
`controlnets`.
"""

import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import ClassVar, Generic, TypeVar

from rf_app.errors import UserError
from rf_app.registry.bases import check_made_for, lent_by
from rf_app.registry.card import ID_PATTERN, README, CardT, capital, check_id, write_card
from rf_app.registry.checking import PICKLES, read_json
from rf_app.registry.disk import disk_full_named, hidden_folder, publish_folder, stamp, sync, writable
from rf_app.registry.index import Index
from rf_app.settings.bundled import ASSETS
from rf_app.settings.home import home

INDEX = ".index.json"
MAX_TITLE = 80  # characters
WEIGHTS_IN = {".safetensors", ".gguf", *PICKLES}

Own = TypeVar("Own", bound="Store")


class Store(Generic[CardT]):
    """Things by id. Earlier folders win; new things go into the last one."""

    CARD: ClassVar[type]
    FOLDER: ClassVar[str]  # what the folder of a store is called, among the assets and in the user's home
    CONTENT: ClassVar[str]  # what a folder in it holds, told to those who put a file there

    def __init__(self, folders: Sequence[Path]):
        """folders: each holds one sub-folder a thing, named by its id; they need not exist yet."""
        self.folders = tuple(Path(folder) for folder in folders)
        self._index: Index[CardT] = Index(self.folders[-1] / INDEX, self.CARD)

    @classmethod
    def default(cls: type[Own], chosen: Path | None = None) -> Own:
        """What came with the program and what is the user's own; new things go into `chosen`, if given.

        Raises UserError where that is a file.
        """
        folders = [ASSETS / cls.FOLDER, home() / cls.FOLDER]
        if chosen is not None:
            if chosen.exists() and not chosen.is_dir():
                raise UserError(
                    f"{chosen} is not a folder: give one of {cls.FOLDER}, which need not be there yet."
                )
            folders = [*(each for each in folders if each != chosen.absolute()), chosen]
        return cls(folders)

    @classmethod
    def beside(cls: type[Own], other: "Store") -> Own:
        """Those beside each folder of another store."""
        return cls([folder.parent / cls.FOLDER for folder in other.folders])

    def cards(self) -> list[CardT]:
        """The cards of all that are whole, by folder and id; broken ones are in `problems`."""
        return self._scan()[0]

    def problems(self) -> dict[str, str]:
        """What is wrong with each folder that `cards` leaves out, and with each file among the folders."""
        return self._scan()[1]

    def state(self) -> int:
        """A number that changes when something appears, goes or is changed; costs one look at each folder."""
        seen = []
        for folder in self._folders():
            with suppress(FileNotFoundError):  # it goes just now
                seen.append(stamp(folder))
        return hash(tuple(seen))

    def folder(self, id: str) -> Path:
        """The folder of an id; raises UserError with the ids there are, if there is none of that id."""
        name = self.CARD.NAME
        check_id(id, name)
        for root in self.folders:
            if (root / id).is_dir():
                return root / id
        known = ", ".join(each.name for each in self._folders() if ID_PATTERN.fullmatch(each.name)) or "none"
        raise UserError(f"There is no {name} {id!r}. {capital(name)}s at hand: {known}.")

    def card(self, id: str) -> CardT:
        """The card of an id; raises UserError for an unknown id, a broken card, and what was made for a base
        that is another by now.
        """
        return self._card(self.folder(id), self.lent_by)

    def is_bundled(self, id: str) -> bool:
        """Whether it came with the program: those of the first folder of several did."""
        return self.folder(id).parent == self.folders[0] != self.folders[-1]

    def check_free(self, id: str, overwrite: bool = False) -> None:
        """Raise UserError for an id that `publish` would refuse, before hours of work rather than after."""
        name = self.CARD.NAME
        check_id(id, name)
        holders = [root for root in self.folders if (root / id).exists()]
        if holders and holders[0] == self.folders[0] != self.folders[-1]:
            raise UserError(f"{id!r} is the id of a bundled {name}: choose another id.")
        if holders and not (overwrite and holders == [self.folders[-1]]):
            raise self._taken(id)

    def publish(self, id: str, build: Callable[[Path], object], card: CardT, overwrite: bool = False) -> Path:
        """Let `build` fill a hidden folder, check what it made, and move it into place in one step.

        Nothing is left behind if `build` or the check raises, and what is being replaced stays until the new
        one is whole on disk. Raises UserError for a taken or malformed id, a folder that is not whole or
        cannot be written to, and `DiskFull`.
        """
        self.check_free(id, overwrite)

        def build_whole(fresh: Path) -> None:
            build(fresh)
            _forget_paths(fresh)
            lent = self.lent_by(card.base_model)
            made = replace(card, id=id, base_weights=card.base_weights or lent)
            if self.needs_base(fresh):
                check_made_for(made, lent)
            write_card(fresh, made)
            self.check(fresh)

        target = self.folders[-1] / id
        publish_folder(target, build_whole, overwrite, self._taken(id))  # another process may have been first
        return target

    def rename(self, id: str, title: str) -> str:
        """Give it another title, and return that as it is now; its id stays: pictures and models name it.

        A README.md of somebody else's making is kept as README.original.md. Raises UserError for what came
        with the program and for a title that is empty or too long.
        """
        title = " ".join(title.split())
        if not 1 <= len(title) <= MAX_TITLE:
            raise UserError(f"The title has {len(title)} characters; 1 to {MAX_TITLE} are accepted.")
        self._refuse_bundled(id, "renamed")
        folder, card = self.folder(id), self.card(id)
        with writable(folder), disk_full_named(folder):
            if card == self.CARD.by_name(id) and (folder / README).is_file():
                (folder / README).replace(folder / "README.original.md")
            write_card(folder, replace(card, title=title))
            sync(folder)
        return title

    def delete(self, id: str) -> None:
        """Take it away in one step, then free its place on the disk.

        Raises UserError for what came with the program and for what others need.
        """
        self.check_deletable(id)
        folder = self.folder(id)
        with writable(folder.parent), hidden_folder(folder.parent, id) as hidden:
            folder.rename(hidden / id)
            sync(folder.parent)

    def check_deletable(self, id: str) -> None:
        """Raise UserError for what `delete` would refuse."""
        self._refuse_bundled(id, "deleted")

    def lent_by(self, base: str | None) -> str:
        """As `rf_app.registry.bases.lent_by`, of the models beside this store."""
        return lent_by([folder.with_name("models") for folder in self.folders], base)

    def needs_base(self, folder: Path) -> bool:
        """Whether a thing that names its base is nothing without that."""
        return True

    def parts(self, folder: Path) -> list[Path]:
        """The folders whose files make this one whole."""
        return [folder]

    def check_part(self, folder: Path) -> None:
        """Raise UserError unless one of `parts` is whole and harmless."""
        raise NotImplementedError

    def check(self, folder: Path) -> None:
        """Raise UserError unless a folder that is about to be published is whole."""
        for part in self.parts(folder):
            self.check_part(part)

    def _scan(self) -> tuple[list[CardT], dict[str, str]]:
        cards: list[CardT] = []
        problems: dict[str, str] = {}
        checked: set[Path] = set()
        lent = cache(self.lent_by)
        for folder in self._folders():
            try:
                try:
                    check_id(folder.name, self.CARD.NAME)
                except UserError as error:
                    raise UserError(f"{error} Rename this folder.") from None
                card = self._card(folder, lent)
                parts = set(self.parts(folder))
                for part in parts - checked:
                    self._index.check(part, self.check_part)
                checked |= parts
                cards.append(card)
            except UserError as error:
                problems[_printable(folder.name)] = _printable(str(error))
        for path in (path for root in self.folders for path in sorted(root.glob("*.*"))):
            if path.suffix.lower() in WEIGHTS_IN and path.is_file():
                problems[_printable(path.name)] = _printable(
                    f"{path}: a file by itself is not read; expected a folder with {self.CONTENT}."
                )
        self._index.save()
        return cards, problems

    def _card(self, folder: Path, lent: Callable[[str | None], str]) -> CardT:
        card = self._index.card(folder)
        if card.base_model and self.needs_base(folder):
            check_made_for(card, lent(card.base_model))
        return card

    def _folders(self) -> list[Path]:
        """The folders, whole or not: one for each name, the earlier root's."""
        found: dict[str, Path] = {}
        for root in self.folders:
            with suppress(OSError), os.scandir(root) as entries:  # it need not be there
                for name in sorted(each.name for each in entries if each.name[0] != "." and _is_folder(each)):
                    found.setdefault(name, root / name)
        return list(found.values())

    def _taken(self, id: str) -> UserError:
        return UserError(f"There is already a {self.CARD.NAME} {id!r}: choose another id, or overwrite it.")

    def _refuse_bundled(self, id: str, done: str) -> None:
        if self.is_bundled(id):
            raise UserError(f"{id!r} came with the program and cannot be {done}.")


def _is_folder(entry: os.DirEntry) -> bool:
    with suppress(OSError):  # a link to itself
        return entry.is_dir()
    return False


def _printable(text: str) -> str:
    """A text with names of files that are no UTF-8 as every output can show it."""
    return text.encode("utf-8", "backslashreplace").decode()


def _forget_paths(folder: Path) -> None:
    """Remove where a piece was loaded from, which diffusers notes in its config: a path of this machine."""
    for path in folder.rglob("config.json"):
        config = read_json(path)
        config.pop("_name_or_path", None)
        path.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
