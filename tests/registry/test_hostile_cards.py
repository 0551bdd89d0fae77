"""Cards and indexes as anyone could write them: each costs itself its place, and nothing else."""

import json
import shutil
from pathlib import Path

import pytest

from rf_app.actions.application import Application
from rf_app.actions.collection import CONTROLNET, LORA, Thing
from rf_app.actions.measure import figures, in_words
from rf_app.registry.card import Card, ModelCard
from rf_app.registry.controlnets import ControlNetCard, ControlNets
from rf_app.registry.loras import LoraCard, Loras
from rf_app.registry.models import Registry
from rf_app.registry.store import ASSETS, INDEX, Store
from rf_app.ui.models.view import full, shelf, tree


def bundled() -> list[tuple[type[Card], Path]]:
    kinds = {"models": ModelCard, "loras": LoraCard, "controlnets": ControlNetCard}
    return [
        (kind, path)
        for folder, kind in kinds.items()
        for path in sorted((ASSETS / folder).glob("*/README.md"))
    ]


def look_at(app: Application, store: Store, card: Card) -> None:
    """Everything the page makes of a card."""
    json.dumps(vars(card), allow_nan=False).encode()
    if isinstance(card, ModelCard):
        in_words(figures([card]))
        tree([card], card.id).encode()
    kind = {"loras": LORA, "controlnets": CONTROLNET}.get(store.FOLDER) or card.kind
    each = Thing(kind, card, store)
    shelf(app, [each], 0, each.key).encode()
    full(app, each).encode()


@pytest.mark.parametrize("store", [Registry, Loras, ControlNets])
def test_a_store_with_bad_cards_lists_the_others(
    app: Application, store: type[Store], tmp_path: Path
) -> None:
    """And says what is wrong with each, in this process and, from the index, in the next."""
    source = next((ASSETS / store.FOLDER).glob("*/README.md")).parent
    good = (source / "README.md").read_text("utf-8")
    root = tmp_path / store.FOLDER
    values = [".inf", "9" * 400, "0x" + "f" * 9000, "{1: 2}", "{a: {b: [.nan]}}", '"\\0"', "[" * 40]
    for i, value in enumerate(values):
        shutil.copytree(source, root / f"bad-{i}")
        (root / f"bad-{i}" / "README.md").write_text(
            good.replace("  measured:", f"  measured:\n    extra: {value}\n    more:", 1), encoding="utf-8"
        )
    (root / "no id").mkdir()
    (root / "loop").symlink_to(root / "loop")
    (root / "README.md").write_text("no folder")
    (root / b"latin-\xe9".decode("utf-8", "surrogateescape")).mkdir()
    for _ in range(2):
        here = store([ASSETS / store.FOLDER, root])
        assert [card.id for card in here.cards()][: len(bundled())]
        problems = here.problems()
        assert {"bad-0", "bad-1", "bad-2", "bad-3", "bad-4", "no id", "latin-\\udce9"} <= problems.keys()
        "".join(problems.values()).encode()
        for card in here.cards():
            look_at(app, here, card)


CRAFTED = [
    lambda saved: "[" * 100_000,
    lambda saved: json.dumps(saved)[:-9],
    lambda saved: json.dumps({"code": saved["code"]}),
    lambda saved: json.dumps({"code": saved["code"], "entries": []}),
    lambda saved: json.dumps({"code": saved["code"], "entries": {"README.md": [[], {"a": 1}, ""]}}),
    *(
        lambda saved, entry=entry: json.dumps(
            {"code": saved["code"], "entries": {path: entry(old) for path, old in saved["entries"].items()}}
        )
        for entry in (
            lambda old: None,
            lambda old: [],
            lambda old: [old[0], None, ""],
            lambda old: [old[0], old[1], 7],
            lambda old: [old[0], [1], ""],
            lambda old: [old[0], {"title": 3}, ""],
            lambda old: [old[0], old[1] and old[1] | {"measured": {"measured_on": {"prompts": 1e999}}}, ""],
            lambda old: [old[0], old[1] and old[1] | {"guidance": 10**400, "lineage": [[]]}, ""],
            lambda old: [old[0], old[1] and old[1] | {"steps": "many"}, ""],
        )
    ),
]


@pytest.mark.parametrize("craft", CRAFTED)
def test_a_crafted_index_is_ignored(tiny_registry: Registry, craft) -> None:
    cards = tiny_registry.cards()
    path = tiny_registry.folders[-1] / INDEX
    path.write_text(craft(json.loads(path.read_text())))
    again = Registry(tiny_registry.folders)
    assert again.cards() == cards
    assert again.problems() == {}
