"""Pictures inside the page's HTML."""

import base64
from html import escape
from pathlib import Path

from PIL import Image

from rf_app.plugins.picture import encoded

ICON_SIDE = 192  # pixels
AT_ONCE = ' decoding="sync"'  # as its words appear, not after them
ENLARGE = '<button class="enlarge" title="Enlarge" aria-label="Enlarge"></button>'


def img(address: str, prompt: str, more: str = "") -> str:
    """A picture of a prompt, which stays as somebody wrote it, in any language; more: attributes."""
    return f'<img src="{address}" alt="{escape(prompt)}" translate="no"{more}>'


def save_link(name: str) -> str:
    """Saves the picture beside it, from which it takes its address, so that the bytes are sent once."""
    take = "this.href=this.closest('figure').querySelector('img').src"
    return f'<a class="save" href="#" onclick="{take}" download="{escape(name)}">Save PNG</a>'


def data_url(content: bytes, kind: str = "png") -> str:
    """A file's bytes as the address of a picture."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"


def icon(path: Path) -> dict[str, str]:
    """A picture as the icon of a button; given by its path, the page would name that to everybody."""
    with Image.open(path) as image:
        image.thumbnail((ICON_SIDE, ICON_SIDE))
        return {"url": data_url(encoded(image, "WEBP", quality=90), "webp")}
