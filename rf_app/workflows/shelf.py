"""The models as a person browses them: searched, with their size and their family."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry

KIND_TITLES = {"one-step": "One step", "rectified-flow": "Rectified flow", "diffusion": "Diffusion"}
GENERATIONS = 100  # of a family, at most: cards may come from anyone
ORDER = {kind: i for i, kind in enumerate(KIND_TITLES)}  # quickest first


@dataclass(frozen=True)
class Relative:
    """A model in a family tree, and what was made from it; card: None where it is not here."""

    id: str
    card: ModelCard | None
    children: tuple["Relative", ...]


def found(registry: Registry, words: str = "", kind: str = "") -> list[ModelCard]:
    """The cards that have every word somewhere, quickest kind first; kind: one of KIND_TITLES, or any."""
    wanted = words.lower().split()
    cards = [
        card
        for card in registry.cards()
        if (not kind or card.kind == kind) and all(word in _text(card) for word in wanted)
    ]
    return sorted(cards, key=lambda card: (ORDER[card.kind], card.title.lower(), card.id))


def _text(card: ModelCard) -> str:
    parts = (card.id, card.title, card.license, KIND_TITLES[card.kind], card.description, *card.lineage)
    return " ".join(parts).lower()


def family(cards: Sequence[ModelCard], id: str) -> Relative:
    """The tree from a model's oldest ancestor down to all that was made from it."""
    known = {card.id: card for card in cards}
    parents = {card.id: parent for card in cards if (parent := _parent(card))}
    # Ancestors that are not here any more are known from the lineage of those that are.
    for card in cards:
        for older, younger in zip(card.lineage, card.lineage[1:]):  # noqa: B905 (neighbours)
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


def size(registry: Registry, id: str) -> int:
    """The bytes on disk of a model's own files."""
    return sum(path.stat().st_size for path in _files(registry.folder(id)))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
