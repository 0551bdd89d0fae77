"""A folder of pairs as a whole: complete, every shard in its place, and each as it was written.

`complete.json` says how many pairs there are to be. What it takes to say that all is well is done in parts:
names and settings at every start, which is quick; every byte where the pairs are read anyway, and otherwise
once, until a shard changes.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pyarrow as pa

from rf_app.errors import UserError
from rf_app.registry.disk import write_text
from trainers.data.shards import AGAIN, PairSettings, inspect, read_whole, shard_path, shard_paths

COMPLETE = "complete.json"


def finish(folder: Path, pairs: int) -> None:
    """Say that a folder holds all its pairs."""
    write_text(folder / COMPLETE, json.dumps({"pairs": pairs, "folder": str(folder)}))


def expected_paths(folder: Path, pairs: int, shard: int) -> list[Path]:
    """The shards of so many pairs, in order."""
    return [shard_path(folder, number) for number in range(-(-pairs // shard))]


def settings_of(folder: Path) -> PairSettings:
    """The settings that all shards share.

    Raises UserError naming the first shard that is cut short, made with other settings, missing, too many or
    too short, and where the folder is not finished.
    """
    paths = shard_paths(folder)
    found = [inspect(path) for path in paths]
    settings = found[0][0]
    for path, (own, _) in zip(paths, found, strict=True):
        if own != settings:
            raise UserError(f"The shard {path} was made with other settings than {paths[0].name}.")
    try:
        pairs = int(json.loads((folder / COMPLETE).read_text())["pairs"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        raise UserError(
            f"The pairs in {folder} are not complete: {COMPLETE} does not say so. {AGAIN}"
        ) from None
    expected = expected_paths(folder, pairs, settings.shard)
    if missing := [path for path in expected if path not in paths]:
        raise UserError(f"The shard {missing[0]} is missing. {AGAIN}")
    if beyond := [path for path in paths if path not in expected]:
        raise UserError(f"{beyond[0]} is none of the {len(expected)} shards of {folder}: remove it.")
    for number, (path, (_, rows)) in enumerate(zip(paths, found, strict=True)):
        wanted = min(settings.shard, pairs - number * settings.shard)
        if rows != wanted:
            raise UserError(f"The shard {path} holds {rows} pairs, not {wanted}. {AGAIN}")
    return settings


def read_all(paths: list[Path]) -> Iterator[pa.Table]:
    """Every shard as `read_whole` reads it, several at once."""
    with ThreadPoolExecutor() as pool:
        yield from pool.map(read_whole, paths)


def check(folder: Path) -> int:
    """The number of pairs, all of them read. Raises UserError naming what is wrong with them."""
    settings_of(folder)
    return sum(len(table) for table in read_all(shard_paths(folder)))


def check_changed(paths: list[Path], memory: Path) -> None:
    """Check every shard that is not, by size and time, as at its last check, which the file `memory` keeps.

    Raises UserError as `read_whole`.
    """
    now = {path.name: [path.stat().st_size, path.stat().st_mtime_ns] for path in paths}
    try:
        before = json.loads(memory.read_text())
    except (OSError, ValueError):
        before = {}
    changed = [path for path in paths if before.get(path.name) != now[path.name]]
    for _ in read_all(changed):
        pass
    if changed:
        write_text(memory, json.dumps(now))
