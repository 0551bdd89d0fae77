"""How long the stages of long work took, and so how long the others will take."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rf_app.registry.disk import write_text


class Diary:
    """seconds: of each stage, by its title, over all sessions."""

    def __init__(self, path: Path, costs: Mapping[str, float]) -> None:
        """path: where the seconds are kept. costs: of all stages in their order, in any one unit."""
        self._path, self._costs = path, costs
        self.seconds: dict[str, float] = json.loads(path.read_text()) if path.exists() else {}
        self._done: list[str] = []

    @contextmanager
    def stage(self, title: str) -> Iterator[None]:
        """Says that a stage begins, and the time left; its own time counts however it ends."""
        number, began = list(self._costs).index(title) + 1, time.time()
        print(f"{title} ({number} of {len(self._costs)}{self._left()})", flush=True)
        try:
            yield
        finally:
            self.seconds[title] = self.seconds.get(title, 0.0) + time.time() - began
            write_text(self._path, json.dumps(self.seconds, indent=1) + "\n")
        self._done.append(title)

    def _left(self) -> str:
        """Of all that is not done yet, at the pace so far; what a session before began counts whole."""
        if not self._done:
            return ""
        pace = sum(map(self.seconds.__getitem__, self._done)) / sum(map(self._costs.__getitem__, self._done))
        left = pace * sum(cost for title, cost in self._costs.items() if title not in self._done)
        return (
            f"; about {left / 3600:.1f} hours left" if left >= 3600 else f"; about {left / 60:.0f} min left"
        )
