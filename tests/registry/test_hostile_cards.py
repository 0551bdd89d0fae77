"""Cards and indexes as anyone could write them: each costs itself its place, and nothing else."""

import json
import random
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from rf_app.actions.application import Application
from rf_app.actions.collection import CONTROLNET, LORA, Thing
from rf_app.actions.measure import figures, in_words
from rf_app.errors import UserError
from rf_app.registry.card import Card, ModelCard, read_card, write_card
from rf_app.registry.controlnets import ControlNetCard, ControlNets
from rf_app.registry.loras import LoraCard, Loras
from rf_app.registry.models import Registry
from rf_app.registry.store import ASSETS, INDEX, Store
from rf_app.ui.models.view import full, shelf, tree

SECONDS = 8.0
WORDS = """
.inf -.inf .nan +.inf 1e400 1e-400 inf nan Infinity 1:59:59.9 2026-11-21 9999-99-99 -0 1_000 0o7 0b_ 0x_
null ~ yes true [] {} [[[[1]]]] {1:2} {[a]:b} {<<:{a:1}} << = ? !!set !!int !!float !!timestamp !!binary
!!bool !!null !!omap !!python/name:os *a &a "\\0" "\\ud800" "\\U0010ffff" '' - : --- ... % @ ` | > \x7f
\x85 \u2028 \ufeff 12e03
"""
VALUES = [
    *WORDS.split(),
    "9" * 400,
    "-" + "9" * 5000,
    "0x" + "f" * 5000,
    "1:" * 500 + "1.5",
    "x" * 5000,
    "[" * 40 + "]" * 40,
    "[" + "a," * 500 + "]",
]


def bundled() -> list[tuple[type[Card], Path]]:
    kinds = {"models": ModelCard, "loras": LoraCard, "controlnets": ControlNetCard}
    return [
        (kind, path)
        for folder, kind in kinds.items()
        for path in sorted((ASSETS / folder).glob("*/README.md"))
    ]


def mutations(text: str, rng: random.Random) -> Iterator[str]:
    """The card with one to three things wrong: a value, a key, a line, a piece of it."""
    while True:
        lines = text.split("\n")
        end = lines.index("---", 1)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(1, end)
            key, colon, _ = lines[at].partition(":")
            value = rng.choice(VALUES)
            lines[at] = rng.choice(
                [
                    f"{key}{colon} {value}",
                    f"{key}{colon} {value}",
                    f"{' ' * rng.randrange(7)}{value}: {rng.choice(VALUES)}",
                    f"- {value}",
                    lines[at][: rng.randrange(len(lines[at]) + 1)],
                    lines[rng.randrange(len(lines))],
                ]
            )
        yield "\n".join(lines)[: None if rng.random() < 0.9 else rng.randrange(len(text))]


def look_at(app: Application, store: Store, card: Card) -> None:
    """Everything the page makes of a card."""
    json.dumps(vars(card), allow_nan=False).encode()
    if isinstance(card, ModelCard):
        in_words(figures([card]))
        tree([card], card.id).encode()
    each = Thing(getattr(card, "kind", LORA if store.FOLDER == "loras" else CONTROLNET), card, store)
    shelf(app, [each], 0, each.key).encode()
    full(app, each).encode()


def test_a_mutated_card_is_read_or_refused(app: Application, tmp_path: Path) -> None:
    """As many as the time allows, the same ones in the same order."""
    rng = random.Random(7)
    makers = [(kind, path.parent.name, mutations(path.read_text("utf-8"), rng)) for kind, path in bundled()]
    stores = {each.CARD: each([tmp_path]) for each in (Registry, Loras, ControlNets)}
    read = refused = 0
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline:
        for kind, name, texts in makers:
            folder = tmp_path / name
            folder.mkdir(exist_ok=True)
            text = next(texts)
            (folder / "README.md").write_text(text, encoding="utf-8")
            try:
                card = read_card(folder, kind)
            except UserError:
                refused += 1
                continue
            read += 1
            look_at(app, stores[kind], card)
            write_card(folder, card)
            assert replace(read_card(folder, kind), description="") == replace(card, description="")
    assert read
    assert refused


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
