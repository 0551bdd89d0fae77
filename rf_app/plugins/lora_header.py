"""What a LoRA's file says of itself in its header, which may come from anyone."""

from collections.abc import Mapping
from typing import Any

from rf_app.registry.loras import sampling_in

MAX_TEXT = 200


def said_in(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a `LoraCard`: what calls it, and which sampler it needs, as its title has it."""
    found: dict[str, Any] = {}
    if trigger := _line(metadata.get("modelspec.trigger_phrase", "")):
        found["trigger"] = trigger
    titles = (metadata.get(name, "") for name in ("modelspec.title", "ss_output_name"))
    return found | sampling_in(_line(" ".join(titles)))


def _line(text: str) -> str:
    """The text in one short line."""
    return " ".join(text[: 10 * MAX_TEXT].split())[:MAX_TEXT]
