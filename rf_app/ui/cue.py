"""What the browser writes into a cue, the hidden text whose change asks the server: every time another."""

import json
import time

NOW = "`go:${performance.now()}`"
GO = f"() => {NOW}"
OPEN = f"(cue) => cue || {NOW}"  # only where nothing was asked for yet


def go_with(*values: str | int) -> str:
    """JavaScript that puts the values into some fields and changes the cue."""
    return f"() => [...{json.dumps(values)}, {NOW}]"


def cue_for(kind: str, prompt: str) -> str:
    """The Generate tab's cue from the server: "live:…" follows the typing, "go:…" is asked for."""
    return f"{kind}:{time.time_ns()}:{prompt}"
