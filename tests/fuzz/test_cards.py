"""Cards, configs and indexes with things wrong: each costs itself its place, with a reason, and nothing else.

`make fuzz ROUNDS=20000 SEED=3` tries more of them, and others.
"""

import json
import random
import shutil
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from rf_app.actions.application import Application
from rf_app.errors import UserError
from rf_app.registry.card import FRONT_MATTER, Card, read_card, read_front, write_card
from rf_app.registry.checking import BORROWED, CONFIGS, OWN
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.loras import Loras
from rf_app.registry.models import Registry
from rf_app.registry.store import INDEX
from tests.fuzz.spoiling import spoiled
from tests.registry.test_hostile_cards import bundled, look_at
from tests.tiny import load

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


def in_its_text(text: str, rng: random.Random) -> str:
    """The card with one to three things wrong: a value, a key, a line, a piece of it."""
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
    return "\n".join(lines)[: None if rng.random() < 0.9 else rng.randrange(len(text))]


def in_its_values(path: Path, rng: random.Random) -> str:
    """The card with odd values, keys, sizes and depths, which YAML reads as JSON has them."""
    front, _ = read_front(path)
    return (
        f"---\n{json.dumps(spoiled(front, rng))}\n---\n{FRONT_MATTER.fullmatch(path.read_text('utf-8'))[2]}"
    )


def read_or_refused(app: Application, folder: Path, kind: type[Card], text: str, store: type) -> bool:
    """Write the card and look at all that the page makes of it; False where it is refused."""
    folder.mkdir(exist_ok=True)
    (folder / "README.md").write_text(text, encoding="utf-8")
    try:
        card = read_card(folder, kind)
    except UserError as error:
        str(error).encode()
        return False
    look_at(app, store([folder.parent]), card)
    write_card(folder, card)
    assert replace(read_card(folder, kind), description="") == replace(card, description="")
    return True


def test_a_mutated_card_is_read_or_refused(
    app: Application, tmp_path: Path, rng: random.Random, rounds: range
) -> None:
    stores = {each.CARD: each for each in (Registry, Loras, ControlNets)}
    read = set()
    for _ in rounds:
        for kind, path in bundled():
            text = rng.choice((in_its_text, in_its_values))
            spoilt = text(path.read_text("utf-8") if text is in_its_text else path, rng)
            read.add(read_or_refused(app, tmp_path / path.parent.name, kind, spoilt, stores[kind]))
    assert read == {True, False}


def test_a_mutated_config_costs_its_model_its_place_alone(
    tiny_registry: Registry, rng: random.Random, rounds: range
) -> None:
    """Whoever lists the models hears why, and the others stay; what passes is loaded or refused."""
    shutil.copytree(tiny_registry.folders[0] / "tiny-sd", tiny_registry.folders[0] / "bad")
    refused = 0
    for _ in rounds:
        piece = rng.choice((*OWN, *BORROWED))
        path = tiny_registry.folder("bad") / piece / CONFIGS[piece]
        whole = path.read_text()
        path.write_text(json.dumps(spoiled(json.loads(whole), rng)))
        listed, problems = {card.id for card in tiny_registry.cards()}, tiny_registry.problems()
        assert {"tiny-sd", "tiny-2rf", "tiny-instaflow"} <= listed
        assert ("bad" in listed) != ("bad" in problems)
        refused += "bad" in problems
        if "bad" in listed:
            with suppress(UserError):
                load(tiny_registry, "bad")
        path.write_text(whole)
    assert refused


def test_a_mutated_index_is_a_list_of_cards_all_the_same(
    app: Application, tiny_registry: Registry, rng: random.Random, rounds: range
) -> None:
    """What somebody wrote into it may be believed, as a card would be; it never stops the list."""
    tiny_registry.cards()
    path = tiny_registry.folders[-1] / INDEX
    saved = json.loads(path.read_text())
    for _ in rounds:
        path.write_text(json.dumps(spoiled(saved, rng)))
        again = Registry(tiny_registry.folders)
        assert len(again.cards()) + len(again.problems()) == 3
        for card in again.cards():
            look_at(app, again, card)
