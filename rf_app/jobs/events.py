"""What a trainer leaves in its run folder: events, and sheets of samples. The other side writes them: see
`trainers/common/events.py` and `trainers/common/sheets.py`."""

import json
from collections.abc import Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

Event = dict[str, Any]  # step, of, seconds_left and whatever figures there are


def read(run: Path) -> Sequence[Event]:
    """The events so far, oldest first."""
    path = run / "events.jsonl"
    try:
        status = path.stat()
        return _parsed(path, (status.st_mtime_ns, status.st_size))
    except FileNotFoundError:
        return ()


@lru_cache(maxsize=256)
def _parsed(path: Path, stamp: tuple[int, int]) -> tuple[Event, ...]:
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with suppress(ValueError):  # a line cut short by a kill
            found.append(json.loads(line))
    return tuple(found)


def whole(found: Sequence[Event]) -> float | None:
    """Seconds the whole of a run takes at its latest speed; None where there is too little to tell."""
    for event in reversed(found):
        left = event["of"] - event["step"]
        if left:
            return event["of"] * event["seconds_left"] / left
    return None


def sheets(run: Path) -> list[Path]:
    """The sheets of samples, oldest first."""
    return sorted((run / "samples").glob("*.png"))
