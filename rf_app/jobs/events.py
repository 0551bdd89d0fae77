"""What a process leaves in its run folder: events, and a trainer's sheets of samples.

Trainers write theirs in `trainers/common/events.py` and `trainers/common/sheets.py`.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from rf_app.registry.disk import disk_full_named

Event = dict[str, Any]  # step, of, seconds_left or None, and whatever figures or text there are


def read(run: Path) -> Sequence[Event]:
    """The events so far, oldest first."""
    path = run / "events.jsonl"
    try:
        status = path.stat()
        return _latest(path).as_of((status.st_mtime_ns, status.st_size))
    except OSError:
        return ()


class _Latest:
    """What was read of a file last: the one version of it that is kept, as a training writes thousands."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read: tuple[tuple[int, int], tuple[Event, ...]] = (0, 0), ()

    def as_of(self, stamp: tuple[int, int]) -> tuple[Event, ...]:
        """The events of the file, which is read where it has another time and size than before."""
        known, found = self._read
        if known != stamp:
            found = tuple(_parsed(self._path))
            self._read = stamp, found
        return found


@lru_cache(maxsize=256)
def _latest(path: Path) -> _Latest:
    return _Latest(path)


def _parsed(path: Path) -> Iterator[Event]:
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        with suppress(ValueError, TypeError, KeyError):  # a line cut short by a kill
            event = json.loads(line)
            if 0 <= event["step"] <= event["of"] and event["of"]:
                yield event


def append(run: Path, event: Event) -> None:
    """Write one more event; raises `DiskFull`."""
    path = run / "events.jsonl"
    with disk_full_named(path), path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(event) + "\n")


def whole(found: Sequence[Event]) -> float | None:
    """Seconds the whole of a run takes at its latest speed; None where there is too little to tell."""
    for event in reversed(found):
        left = event["of"] - event["step"]
        if left and event.get("seconds_left") is not None:
            return event["of"] * event["seconds_left"] / left
    return None


def sheets(run: Path) -> list[Path]:
    """The sheets of samples, oldest first."""
    return sorted((run / "samples").glob("*.png"))
