"""Buttons that open a picture's settings in another tab; ui/page.js carries them there."""

import json
from html import escape
from typing import Any

TITLES = {
    "generate": "Open in Generate",
    "compare": "Compare",
    "interpolate": "Interpolate",
    "vary": "Vary",
    "edit": "Edit",
}


def send_button(tab: str, settings: dict[str, Any], title: str = "", more: str = "") -> str:
    """A button that selects `tab` and puts the settings, as JSON, into its hidden text box "sent-{tab}"."""
    text = escape(json.dumps(settings, ensure_ascii=False))
    return (
        f'<button class="send" data-send="{tab}" data-settings="{text}"{more}>{title or TITLES[tab]}</button>'
    )


def edit_button(settings: dict[str, Any]) -> str:
    """A button that opens the picture of its figure in the Edit tab, with the words that made it."""
    own = {
        name: settings[name] for name in ("prompt", "seed", "loras", "width", "height") if name in settings
    }
    return send_button("edit", own, more=" data-picture")
