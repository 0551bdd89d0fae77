"""The page's words in other languages, a table each, as the browser asks for them (parts/words.js).

`words/de.json` maps the English to the German, so the code stays in English and needs no marks. Gradio's own
`gr.I18n` reaches the labels that a page is laid out with, but no choices, and nothing that comes later.
"""

from functools import cache
from pathlib import Path

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

FOLDER = Path(__file__).with_name("words")


@cache
def tables() -> dict[str, bytes]:
    """The table of each language, as JSON."""
    return {path.stem: path.read_bytes() for path in sorted(FOLDER.glob("*.json"))}


def words(request: Request) -> Response:
    """The table of a language, as JSON; 404 where there is none."""
    table = tables().get(request.path_params["language"])
    if table is None:
        raise HTTPException(404)
    return Response(table, media_type="application/json")
