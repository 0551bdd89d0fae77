"""What the browser does by itself: functions of the `page.js` files, which hang on `window.studio`, and the
pictures' dialog.
"""

import json
from pathlib import Path

FOLDER = Path(__file__).parents[1]


def browser(name: str, *first: str | int) -> str:
    """For `js=`: call `studio.NAME` with these values and then the inputs; it returns the outputs."""
    values = "".join(f"{json.dumps(value)}, " for value in first)
    return f"(...values) => studio.{name}({values}...values)"


def scripts() -> str:
    """All `page.js` files of the tabs and the dialog, for the page's head."""
    files = [*sorted(FOLDER.glob("*/page.js")), FOLDER / "generate/gallery.js"]
    return "".join(f"<script>{file.read_text(encoding='utf-8')}</script>" for file in files)
