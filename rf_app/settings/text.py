"""Texts as people hand them in."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

from rf_app.errors import UserError

INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\u00ad\u034f\u061c\u115f\u1160\u180e\u200b\u200e\u200f\u202a-\u202e"
    "\u2060-\u2064\u2066-\u206f\u3164\ufeff\uffa0\ufff9-\ufffc\U000e0001]"
    "|(?<![^A-Za-z\u00c0-\u024f\\s])[\u200c\u200d\ufe00-\ufe0f]"
    "|(?<![\U0001f3f4\U000e0020-\U000e007e])[\U000e0020-\U000e007f]+"
)
"""Control characters, marks of direction, fillers, spaces and hyphens of no width; tags, which text is hidden
in, but for those after a black flag, which make it England's; and after a Latin letter or a space joiners and
selectors of a variant: elsewhere letters, and emoji, look otherwise without them.
"""


def visible(text: str) -> str:
    """A text as a person sees it: what came along with a pasted one is noise of several tokens to a model."""
    return INVISIBLE.sub("", text)


def read_text(path: Path, name: str = "") -> str:
    """The text in a file of any editor: UTF-8, or UTF-16 where its first bytes, a mark, say so; without it.

    name: what messages call the file (default: its path). Raises UserError for one that holds anything else
    or cannot be read.
    """
    try:
        content = path.read_bytes()
        marked = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
        text = content.decode("utf-16" if marked else "utf-8-sig")
        if "\0" in text:
            raise UnicodeError("it holds NUL characters")
        return text
    except (OSError, UnicodeError) as error:
        said = getattr(error, "strerror", None) or error
        raise UserError(f"{name or path} cannot be read as UTF-8 text ({said}).") from None
