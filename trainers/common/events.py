"""The run's `events.jsonl`: one JSON object a line, for the page's curves and for people."""

import json
from pathlib import Path

from rf_app.registry.disk import disk_full_named, write_text


class Events:
    """Appends to `events.jsonl`; on resuming, drops what an interrupted run wrote beyond its checkpoint."""

    def __init__(self, run: Path, resumed_at: int) -> None:
        """Open the events of the run folder `run`, which goes on after step `resumed_at`."""
        self.path = run / "events.jsonl"
        kept = [event for event in read(self.path) if event["step"] <= resumed_at]
        write_text(self.path, "".join(json.dumps(event) + "\n" for event in kept))

    def write(self, event: dict[str, float]) -> None:
        """Append one event, rounded to six significant digits."""
        rounded = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in event.items()}
        with disk_full_named(self.path), self.path.open("a") as file:
            file.write(json.dumps(rounded) + "\n")


def read(path: Path) -> list[dict]:
    """The whole events of a file; a last line cut short by a kill is left out, a missing file is empty."""
    events = []
    for line in path.read_text().splitlines() if path.exists() else []:
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            break
    return events
