"""What a LoRA's file says of itself in its header, which may come from anyone.

Trigger words and preview are those of Stability AI's model specification (github.com/Stability-AI/ModelSpec),
the words of its captions those that kohya's trainer notes, the strength SwarmUI's, or part of the usage hint.
"""

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.plugins.checking import read_header
from rf_app.plugins.picture import encoded, read_base64, read_picture
from rf_app.registry.loras import sampling_in
from rf_app.settings.picture import MAX_STRENGTH

MAX_TEXT = 200
MAX_TAGS, OFTEN = 3, 0.9  # so many words, that stand in so many of the captions
MAX_PREVIEW = 2 * 2**20  # letters
PREVIEW_SIDE = 96  # pixels
STRENGTH = re.compile(
    r"(?:weight|strength)[ :=~]{0,3}(?:of|is|at|from|about)? ?([0-9](?:\.[0-9]{1,4})?)(?![0-9]|\.[0-9])", re.I
)


def said_in(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Fields of a `LoraCard`: what calls it, its strength, and the sampler that its title names."""
    found: dict[str, Any] = {}
    if trigger := _line(metadata.get("modelspec.trigger_phrase", "")) or _tags(metadata):
        found["trigger"] = trigger
    hint = _line(metadata.get("modelspec.usage_hint", ""))
    hints = f"weight {_line(metadata.get('modelspec.lora_default_weight', ''))}", hint
    for stated in filter(None, map(STRENGTH.search, hints)):
        if 0 < float(stated[1]) <= MAX_STRENGTH:
            found.setdefault("strength", float(stated[1]))
    titles = (metadata.get(name, "") for name in ("modelspec.title", "ss_output_name"))
    return found | sampling_in(_line(" ".join(titles)))


def preview_in(file: Path) -> str:
    """The picture in a file's header, drawn anew, as a data URL; "" where there is none that can be read."""
    try:
        with file.open("rb") as content:
            text = read_header(content, file.stat().st_size).metadata.get("modelspec.thumbnail", "")
        if not text or len(text) > MAX_PREVIEW:
            return ""
        image = read_picture(read_base64(text))
    except (UserError, OSError):
        return ""
    image.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    return f"data:image/jpeg;base64,{base64.b64encode(encoded(image, 'JPEG')).decode()}"


def _tags(metadata: Mapping[str, str]) -> str:
    """The words of nearly all captions that it learned from."""
    counts: Counter[str] = Counter()
    if "ss_tag_frequency" not in metadata:
        return ""
    try:
        for folder in json.loads(metadata["ss_tag_frequency"]).values():
            for tag, count in folder.items():
                counts[_line(tag)] += min(int(count), 10**9)
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return ""
    often = counts.most_common(MAX_TAGS)
    return _line(", ".join(tag for tag, count in often if tag and count >= OFTEN * often[0][1] > 0))


def _line(text: str) -> str:
    """The text in one short line."""
    return " ".join(text[: 10 * MAX_TEXT].split())[:MAX_TEXT]
