"""What a trainer leaves in its run folder: events, and sheets of samples. The other side writes them: see
`trainers/common/events.py` and `trainers/common/sheets.py`."""

import json
from contextlib import suppress
from pathlib import Path


def read(run: Path) -> list[dict]:
    """The events so far, oldest first: step, of, seconds_left and whatever figures there are."""
    found = []
    with suppress(FileNotFoundError):
        for line in (run / "events.jsonl").read_text(encoding="utf-8").splitlines():
            with suppress(ValueError):  # a line cut short by a kill
                found.append(json.loads(line))
    return found


def whole(run: Path) -> float | None:
    """Seconds the whole of a run takes at its latest speed; None where there is too little to tell."""
    for event in reversed(read(run)):
        left = event["of"] - event["step"]
        if left:
            return event["of"] * event["seconds_left"] / left
    return None


def sheets(run: Path) -> list[Path]:
    """The sheets of samples, oldest first."""
    return sorted((run / "samples").glob("*.png"))
