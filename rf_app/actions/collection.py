"""What is at hand, as a person browses it: models and all that stands beside them, searched, with their size
and family.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from rf_app.actions.application import KIND_TITLES, ORDER, Application
from rf_app.registry.card import Card, ModelCard
from rf_app.registry.file_recognition import CONTROLNET, DECODER, LORA
from rf_app.registry.store import Store

GENERATIONS = 100  # of a family, at most: cards may come from anyone
TRANSLATION = "translation"
SHELVES = {
    **KIND_TITLES,
    LORA: "LoRA",
    CONTROLNET: "ControlNet",
    DECODER: "Tiny decoder",
    TRANSLATION: "Translation",
}
"""Kinds of things and what they are called, in the order in which they are shown."""


@dataclass(frozen=True)
class Thing:
    """Something in one of the stores; kind: one of SHELVES."""

    kind: str
    card: Card
    store: Store

    @property
    def key(self) -> str:
        """Its id among all: a model's own, "lora/ID" and the like."""
        return self.card.id if isinstance(self.card, ModelCard) else f"{self.kind}/{self.card.id}"

    @property
    def folder(self) -> Path:
        """Where it lies."""
        return self.store.folder(self.card.id)

    @property
    def size(self) -> int:
        """The bytes on disk of its own files, without those that lie elsewhere."""
        return sum(path.lstat().st_size for path in self.folder.rglob("*") if path.is_file())

    @property
    def linked(self) -> Path | None:
        """The folder elsewhere that most of it lies in, if it was not copied."""
        files = [path for path in self.folder.rglob("*") if path.is_symlink() and path.exists()]
        largest = max(files, key=lambda path: path.stat().st_size, default=None)
        return largest and largest.readlink().parent

    @property
    def needed_by(self) -> list[str]:
        """The models that borrow pieces from it."""
        return self.store.borrowers(self.card.id) if isinstance(self.card, ModelCard) else []


def beside(app: Application) -> dict[str, Store]:
    """The stores of what is no model, by kind."""
    return {
        LORA: app.loras,
        CONTROLNET: app.controlnets,
        DECODER: app.decoders,
        TRANSLATION: app.translations,
    }


def thing(app: Application, key: str) -> Thing:
    """The one of a key; raises UserError where it is not here."""
    kind, _, id = key.rpartition("/")
    if store := beside(app).get(kind):
        return Thing(kind, store.card(id), store)
    card = app.registry.card(key)
    return Thing(card.kind, card, app.registry)


def things(app: Application, words: str = "", kind: str = "") -> list[Thing]:
    """All that have every word somewhere, in the order of SHELVES; kind: one of them, or "" for any."""
    wanted = words.lower().split()
    found = [Thing(card.kind, card, app.registry) for card in app.registry.cards()]
    found.sort(key=lambda each: (ORDER[each.kind], each.card.title.lower(), each.card.id))
    found += [Thing(kind, card, store) for kind, store in beside(app).items() for card in store.cards()]
    return [
        each
        for each in found
        if (not kind or each.kind == kind) and all(word in _text(each) for word in wanted)
    ]


def _text(each: Thing) -> str:
    card = each.card
    parts = (card.id, card.title, card.license, SHELVES[each.kind], card.description, card.base_model or "")
    return " ".join((*parts, *getattr(card, "lineage", ()))).lower()


@dataclass(frozen=True)
class Relative:
    """A model in a family tree, and what was made from it; card: None where it is not here."""

    id: str
    card: ModelCard | None
    children: tuple["Relative", ...]


def family(cards: Sequence[ModelCard], id: str) -> Relative:
    """The tree from a model's oldest ancestor down to all that was made from it."""
    known = {card.id: card for card in cards}
    parents = {card.id: parent for card in cards if (parent := _parent(card))}
    # Ancestors that are not here any more are known from the lineage of those that are.
    for card in cards:
        for older, younger in pairwise(card.lineage):
            parents.setdefault(younger, older)
    root, seen = id, {id}
    while root in parents and parents[root] not in seen:
        root = parents[root]
        seen.add(root)
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)

    def below(id: str, above: frozenset[str]) -> Relative:
        again = above | {id}
        younger = sorted(children.get(id, ())) if len(again) < GENERATIONS else ()
        found = (below(child, again) for child in younger if child not in again)
        return Relative(id, known.get(id), tuple(each for each in found if each.card or each.children))

    return below(root, frozenset())


def _parent(card: ModelCard) -> str | None:
    """What a model was made from: the last of its lineage, or else what it borrows from."""
    parent = card.lineage[-1] if card.lineage else card.base_model
    return None if parent == card.id else parent
