"""JSON, bytes and files as anybody could write them, the same for the same seed."""

import copy
import random
from typing import Any

DEEP: Any = "x"
for _ in range(60):
    DEEP = [DEEP]
ODD = (
    *(None, True, False, 0, -1, 7, 2**63, 2**64 + 1, 50_000_000, 10**400, -(10**5000 - 1) // 9),
    *(1.5, -0.0, 1e308, 1e-320, float("inf"), float("-inf"), float("nan")),
    *("", " ", "\0", "a\0b", "\ud800", "x\udfff", "\u202e", "\ufeff"),
    *("x" * 5_000, "../..", "1e999", "2026-11-21"),
    *([], {}, [[]], {"": {}}, {"\ud800": "\0"}, [None] * 300, {str(i): i for i in range(300)}, DEEP),
)


def spoiled(value: Any, rng: random.Random) -> Any:
    """A copy of a tree of dicts and lists with one to three things wrong."""
    tree = [copy.deepcopy(value)]
    for _ in range(rng.randint(1, 3)):
        inside, key = _place(tree, rng)
        odd = copy.deepcopy(rng.choice(ODD))
        match rng.randrange(6):
            case 0 | 1:
                inside[key] = odd
            case 2:
                inside[key] = rng.choice(([inside[key]], {"more": inside[key]}, str(inside[key])))
            case 3 if isinstance(inside, dict):
                del inside[key]
            case 4 if isinstance(inside, dict):
                inside[odd if isinstance(odd, str) else str(odd)[:99]] = inside.pop(key)
            case 5 if isinstance(inside, dict):
                inside[key] = copy.deepcopy(rng.choice([*inside.values()]))
    return tree[0]


def spoiled_bytes(content: bytes, rng: random.Random) -> bytes:
    """The bytes with one to three things wrong: some cut off, cut out, put in, doubled or replaced."""
    found = bytearray(content)
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(found) + 1)
        end = min(len(found), start + rng.choice((1, 4, 8, 300)))
        match rng.randrange(6):
            case 0:
                del found[start:]
            case 1:
                del found[start:end]
            case 2:
                found[start:start] = found[start:end]
            case 3:
                found[start:start] = rng.choice((b"\0", b"\xff" * 8, rng.randbytes(20)))
            case _:
                found[start:end] = rng.choice((rng.randbytes(end - start), bytes(end - start)))
    return bytes(found)


def _place(tree: list, rng: random.Random) -> tuple[Any, Any]:
    """A random dict or list within, and a key of it; the deeper the rarer."""
    inside, key = tree, 0
    while isinstance(inside[key], (dict, list)) and inside[key] and rng.random() < 0.8:
        inside = inside[key]
        key = rng.choice([*inside]) if isinstance(inside, dict) else rng.randrange(len(inside))
    return inside, key
