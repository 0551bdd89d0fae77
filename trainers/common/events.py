"""The events of a run, for the page's curves and for people."""

import json
from pathlib import Path

from rf_app.jobs import events
from rf_app.registry.disk import disk_full_named, write_atomically


class Events:
    """Appends to a run's events; on resuming, drops what an interrupted run wrote beyond its checkpoint."""

    def __init__(self, run: Path, resumed_at: int) -> None:
        """Open the events of the run folder `run`, which goes on after step `resumed_at`."""
        self.run = run
        kept = [event for event in events.read(run) if event["step"] <= resumed_at]
        text = "".join(json.dumps(event) + "\n" for event in kept)
        write_atomically(run / events.FILE, lambda temporary: temporary.write_text(text))

    def write(self, event: events.Event) -> None:
        """Append one event, rounded to six significant digits."""
        rounded = {k: float(f"{v:.6g}") if isinstance(v, float) else v for k, v in event.items()}
        with disk_full_named(self.run):
            events.append(self.run, rounded)
