"""A batch as HTML: its pictures as they come. Every text of a user's is escaped here."""

from collections.abc import Sequence
from html import escape
from urllib.parse import quote

from rf_app.actions.batch import PictureDone
from rf_app.ui.parts.image import ENLARGE, img
from rf_app.ui.parts.send import send_button

OPENING = (
    '<div class="lead"><p>One prompt a line: up to a thousand pictures, each here as soon as it is drawn. '
    "You may close this page meanwhile, and find them when you come back.</p></div>"
)


def gallery(done: Sequence[PictureDone], count: int) -> str:
    """The pictures, and empty places for those to come."""
    empty = "<figure></figure>" * (count - len(done))
    return f'<div class="cells gallery">{"".join(map(_figure, done))}{empty}</div>'


def _figure(done: PictureDone) -> str:
    prompt, seed = escape(done.settings.prompt), done.settings.seed
    if done.error:
        return f'<figure class="failed"><p class="problem">{prompt}: {escape(done.error)}</p></figure>'
    more = f' title="{prompt}" loading="lazy" data-seed="{seed}"'
    address = escape("gradio_api/file=" + quote(str(done.file)))
    return (
        f"<figure>{img(address, done.settings.prompt, more)}{ENLARGE}"
        '<div class="links">'
        f'<a class="save" href="{address}" download="{escape(done.file.name)}">Save</a>'
        f"{send_button('generate', done.settings.as_json())}</div>"
        f'<figcaption translate="no">{prompt}</figcaption></figure>'
    )
