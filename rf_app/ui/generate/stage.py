"""The stage: the pictures, what made them, and what each part took, as one piece of HTML.

One piece, because a single output is what makes a picture appear quickly. The pictures travel inside it, so
nothing is written to disk and no second request is made. Every text of a user's is escaped here.
"""

from collections.abc import Sequence
from functools import reduce
from html import escape
from itertools import pairwise
from math import isqrt
from operator import add
from pathlib import Path

from rf_app.actions.caption import Caption
from rf_app.actions.picture import Picture
from rf_app.actions.upscale import Upscaled
from rf_app.actions.words import duration
from rf_app.pipeline.drawn import Timings
from rf_app.pipeline.enlarging import ENLARGED
from rf_app.ui.parts.image import AT_ONCE, ENLARGE, data_url, img, save_link
from rf_app.ui.parts.send import edit_button, send_button

UPSCALED = "enlarged by {}"
DOWNLOAD = '<button class="send" data-download>Download all</button>'


def stage(
    pictures: Sequence[Picture], made: Caption, cue: str = "", refinable: bool = False, kept: bool = True
) -> str:
    """The stage for the pictures of a request; cue: what asked for them.

    refinable: whether they can be; kept: whether there is a history to keep them in.
    """
    figures = [_figure(picture, refinable, kept) for picture in pictures]
    times = reduce(add, (picture.drawn.timings for picture in pictures))
    all_of_it = send_button("vary", pictures[0].settings) if len(pictures) == 1 else DOWNLOAD
    width, height = pictures[0].drawn.image.size
    return _page(figures, _times(times, made, all_of_it), cue, width / height)


def upscaled_stage(made: Upscaled) -> str:
    """The stage for a larger picture, and by what it was made."""
    width, height = made.image.size
    prompt = str((made.settings or {}).get("prompt", ""))
    image = img(data_url(made.png), prompt, AT_ONCE)
    figure = f"<figure>{image}{ENLARGE}{save_link(made.name)}</figure>"
    by = UPSCALED.format(escape(made.by))
    line = f"<p><b>×{made.factor}</b> · {width}×{height} · {by}</p>"
    note = f"<p>{escape(made.note)}</p>" if made.note else ""
    times = f'<div class="times"><div class="made">{line}{note}</div></div>'
    return _page([figure], times, "", width / height)


def opening_stage(picture: Path, prompt: str) -> str:
    """The stage before anything was computed: a picture from a file, so that the page never opens empty."""
    image = img(data_url(picture.read_bytes()), prompt, AT_ONCE)
    return _page([f"<figure>{image}</figure>"], '<div class="times waiting">Warming up…</div>', "")


def message_stage(text: str) -> str:
    """The stage where there is nothing to show yet."""
    return f'<div class="stage"><div class="empty">{escape(text)}</div></div>'


def _page(figures: Sequence[str], times: str, cue: str, aspect: float = 1) -> str:
    # As many lines as make the whole about a square, each filled, as short ones have larger pictures.
    lines = isqrt(len(figures))
    ends = [len(figures) * i // lines for i in range(lines + 1)]
    pictures = "".join(
        f'<div class="pictures" style="--columns:{end - start}">{"".join(figures[start:end])}</div>'
        for start, end in pairwise(ends)
    )
    shape = f'class="stage{" tall" if aspect < 1 else ""}" style="--aspect:{aspect:.4f}"'
    return f'<div {shape} data-cue="{escape(cue)}">{pictures}{times}</div>'


def _figure(picture: Picture, refinable: bool, kept: bool) -> str:
    seed = picture.settings["seed"]
    image = img(data_url(picture.png), picture.settings["prompt"], f' data-seed="{seed}"{AT_ONCE}')
    send = "".join(send_button(tab, picture.settings) for tab in ("compare", "interpolate"))
    send = edit_button(picture.settings) + send
    title = f"Refine to {ENLARGED * max(picture.drawn.image.size)}"
    star = send_button("star", picture.settings, "★ Keep") if kept and not picture.refined else ""
    refine = send_button("refine", picture.settings, title) if refinable else ""
    larger = "".join(_larger_button(factor, title) for factor, title in ((2, "Larger ×2"), (4, "×4")))
    follow = '<button class="send" data-follow title="Let the next pictures follow this one">Follow</button>'
    one = f'<button class="send" data-use="{seed}">Use this seed</button>'
    one += send_button("vary", picture.settings)
    return (
        f"<figure>{image}{ENLARGE}{save_link(picture.name)}"
        f'<div class="sends">{star}{send}{follow}{refine}{larger}<span class="of-many">{one}</span></div>'
        f'<figcaption class="of-many">{seed}</figcaption></figure>'
    )


def _larger_button(factor: int, title: str) -> str:
    about = f"The picture at {factor} times its side"
    return send_button("upscale", {"factor": factor}, title, f' data-pixels title="{about}"')


def _times(timings: Timings, made: Caption, act: str) -> str:
    parts = (
        ("text", "Words", "The text encoder reads the prompt.", timings.text),
        (
            "unet",
            "Drawing",
            "The U-Net draws, step by step, in small abstract pictures (latents).",
            timings.unet,
        ),
        ("decode", "Pixels", "The decoder turns the last of them into a picture.", timings.decode),
    )
    bars = "".join(
        f'<i class="{key}" style="flex-grow:{1000 * seconds:.3f}"></i>' for key, _, _, seconds in parts
    )
    words = "".join(
        f'<span class="{key}" data-seconds="{seconds:.6f}" title="{about}">{name} '
        f"<b>{duration(seconds)}</b></span>"
        for key, name, about, seconds in parts
    )
    whole = timings.total
    total = f'<span class="total" data-seconds="{whole:.6f}">{duration(whole)}</span>'
    model, *more = map(escape, made.made)
    line = " · ".join((f"<b>{model}</b>", *more, total))
    active = "".join(f"<i>{escape(each)}</i>" for each in made.active)
    return (
        f'<div class="times"><div class="made"><p>{line}</p>{active}{act}</div>'
        f'<div class="bar">{bars}</div><div class="parts">{words}</div></div>'
    )
