"""Buttons that open a picture's settings in another tab; ui/page.js carries them there."""

import json
from html import escape
from typing import Any

TITLES = {
    "generate": "Open in Generate",
    "compare": "Compare",
    "interpolate": "Interpolate",
    "vary": "Vary",
}


def send_button(tab: str, settings: dict[str, Any], title: str = "") -> str:
    """A button that selects `tab` and puts the settings, as JSON, into its hidden text box "sent-{tab}"."""
    text = escape(json.dumps(settings, ensure_ascii=False))
    return f'<button class="send" data-send="{tab}" data-settings="{text}">{title or TITLES[tab]}</button>'
