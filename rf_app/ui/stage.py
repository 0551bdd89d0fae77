"""The stage: the pictures, what each part of the work took, and the hint, as one piece of HTML.

One piece, because a single output is what makes a picture appear quickly. The pictures travel inside it, so
nothing is written to disk and no second request is made. Every text of a user's is escaped here.
"""

import base64
from html import escape
from pathlib import Path

from rf_app.pipeline.requests import Timings
from rf_app.ui.send import send_button
from rf_app.workflows.generate import Hint, Picture, Shown
from rf_app.workflows.words import duration

# The link takes its address from the picture beside it, so that the bytes are sent once.
SAVE = "this.href=this.closest('figure').querySelector('img').src"


def stage(shown: Shown) -> str:
    """The stage for a finished request."""
    many = len(shown.pictures) > 1
    figures = "".join(_figure(picture, many) for picture in shown.pictures)
    notes = _unread(shown.unread) + _hint(shown.hint)
    return _page(figures, len(shown.pictures), _times(shown.timings), notes)


def opening_stage(picture: Path, prompt: str) -> str:
    """The stage before anything was computed: a picture from a file, so that the page never opens empty."""
    image = f'<img src="{data_url(picture.read_bytes())}" alt="{escape(prompt)}" decoding="sync">'
    return _page(f"<figure>{image}</figure>", 1, '<div class="times waiting">Warming up…</div>', "")


def message_stage(text: str) -> str:
    """The stage where there is nothing to show yet."""
    return f'<div class="stage"><div class="empty">{escape(text)}</div></div>'


def _page(figures: str, count: int, times: str, hint: str) -> str:
    # 2 to 4 pictures stand two by two, more of them three or four in a row.
    columns = 1 if count == 1 else 2 if count <= 4 else 3 if count <= 9 else 4
    pictures = f'<div class="pictures" style="--columns:{columns}">{figures}</div>'
    return f'<div class="stage">{pictures}{times}{hint}</div>'


def data_url(png: bytes) -> str:
    """A PNG's bytes as the address of a picture."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _figure(picture: Picture, many: bool) -> str:
    prompt, seed = escape(picture.settings["prompt"]), picture.settings["seed"]
    image = f'<img src="{data_url(picture.png)}" alt="{prompt}" data-seed="{seed}" decoding="sync">'
    label, caption = ("Save", f"<figcaption>{seed}</figcaption>") if many else ("Save PNG", "")
    save = f'<a class="save" href="#" onclick="{SAVE}" download="{escape(picture.name)}">{label}</a>'
    send = "".join(send_button(tab, picture.settings) for tab in ("compare", "interpolate"))
    follow = '<button class="send" data-follow title="Let the next pictures follow this one">Follow</button>'
    return f'<figure>{image}{save}<div class="sends">{send}{follow}</div>{caption}</figure>'


def _times(timings: Timings) -> str:
    parts = (
        ("text", "Text", timings.text),
        ("unet", "U-Net", timings.unet),
        ("decode", "Decode", timings.decode),
    )
    bars = "".join(
        f'<i class="{key}" style="flex-grow:{1000 * seconds:.3f}"></i>' for key, _, seconds in parts
    )
    words = "".join(
        f'<span class="{key}" data-seconds="{seconds:.6f}">{name} <b>{duration(seconds)}</b></span>'
        for key, name, seconds in parts
    )
    whole = timings.total
    total = f'<span class="total" data-seconds="{whole:.6f}">Total <b>{duration(whole)}</b></span>'
    return f'<div class="times"><div class="bar">{bars}</div><div class="parts">{words}{total}</div></div>'


def _unread(end: str) -> str:
    if not end:
        return ""
    shown = end if len(end) <= 80 else f"{end[:79]}…"
    return (
        '<div class="hint" role="status"><p>The prompt is longer than this model reads. '
        f"It stopped before <b>{escape(shown)}</b></p></div>"
    )


def _hint(hint: Hint | None) -> str:
    if hint is None:
        return ""
    shown = ", ".join(f"<b>{escape(word)}</b>" for word in hint.words[:8])
    more = f" and {len(hint.words) - 8} more" if len(hint.words) > 8 else ""
    verb = "is a word" if len(hint.words) == 1 else "are words"
    topics = "".join(_topic(topic, phrases) for topic, phrases in hint.topics.items())
    return (
        f'<div class="hint" role="status"><p>{shown}{more} {verb} this pocket model has not learned. '
        f"It knows these; click one to add it:</p><dl>{topics}</dl></div>"
    )


def _topic(topic: str, phrases: tuple[str, ...]) -> str:
    buttons = "".join(f'<button data-add="{escape(phrase)}">{escape(phrase)}</button>' for phrase in phrases)
    return f"<dt>{escape(topic)}</dt><dd>{buttons}</dd>"
