"""Pictures side by side as HTML: each with its time and settings, the speed-up, and one laid over the other.

Every text of a user's is escaped here.
"""

from collections.abc import Sequence
from html import escape

from rf_app.actions import words
from rf_app.actions.attempt import Attempt
from rf_app.actions.compare import SideProgress, SpeedUp
from rf_app.schedulers.solvers import TITLES
from rf_app.ui.parts.image import AT_ONCE, data_url, img, save_link
from rf_app.ui.parts.progress_bar import bar, time_left
from rf_app.ui.parts.send import send_button

OPENING = '<div class="faster"><p>Same words, same noise: what does each model draw, and how soon?</p></div>'
EVEN = 1.05  # a smaller factor is no difference


def waiting(text: str) -> str:
    """An empty frame."""
    return f'<figure class="side-picture"><div class="blank"><p>{escape(text)}</p></div></figure>'


def working(progress: SideProgress | None) -> str:
    """A frame being filled; None where the model is not ready yet."""
    if progress and progress.done:
        share = progress.done / progress.of
        text = f"{progress.done:.0f} of {progress.of}{time_left(progress.seconds_left)}"
    else:
        share, text = 0, "Getting ready…"
    way = f'<div class="way">{bar(share)}<p>{text}</p></div>'
    return f'<figure class="side-picture working"><div class="blank">{way}</div></figure>'


def outcome(attempt: Attempt, plugged: Sequence[str] = ()) -> str:
    """A frame with its picture and time, or with the reason why it is empty; plugged: the words for LoRAs and
    ControlNets.
    """
    if attempt.picture is None:
        message = f'<div class="blank"><p class="problem">{escape(attempt.error)}</p></div>'
        return f'<figure class="side-picture failed">{message}</figure>'
    settings, picture = attempt.settings, attempt.picture
    image = img(data_url(picture.png), settings.prompt, f' data-seed="{settings.seed}"{AT_ONCE}')
    seconds = picture.drawn.timings.total
    return (
        f'<figure class="side-picture done">{image}'
        f'<figcaption><b data-seconds="{seconds:.6f}">{words.duration(seconds)}</b>'
        f"<span>{escape(', '.join((words.steps(settings.steps), TITLES[settings.solver], *plugged)))}</span>"
        "</figcaption>"
        f'<div class="links">{save_link(picture.name)}'
        f"{send_button('generate', picture.settings)}{send_button('interpolate', picture.settings)}</div>"
        "</figure>"
    )


def faster(attempts: Sequence[Attempt], speed_up: SpeedUp | None, titles: dict[str, str]) -> str:
    """The speed-up in large figures, as soon as there are two pictures."""
    if speed_up is None:
        return OPENING
    quick, slow = attempts[speed_up.quickest], attempts[speed_up.slowest]
    factor = speed_up.factor
    if factor < EVEN:
        return '<div class="faster"><p><b>Equally fast</b></p></div>'
    figure = f"{factor:.0f}" if factor >= 10 else f"{factor:.1f}"
    return (
        f'<div class="faster" data-factor="{factor:.3f}"><p><b>{figure}× faster</b></p>'
        f"<p>{_took(quick, titles)}, {_took(slow, titles)}.</p></div>"
    )


def over(left: Attempt, right: Attempt, titles: dict[str, str]) -> str:
    """The left picture laid over the right one, with a handle that uncovers it."""
    if left.picture is None or right.picture is None:
        return ""
    images = "".join(
        f'<img src="{data_url(each.picture.png)}" alt="{_title(each, titles)}">' for each in (right, left)
    )
    names = "".join(
        f"<span>{_title(each, titles)}, {words.steps(each.settings.steps)}</span>" for each in (left, right)
    )
    return (
        f'<div class="over" style="--at:50%">{images}<i></i>'
        '<input type="range" min="0" max="100" value="50" step="0.1" aria-label="Uncover the second picture" '
        'oninput="studio.uncover(this)">'
        f"<div>{names}</div></div>"
    )


def _took(attempt: Attempt, titles: dict[str, str]) -> str:
    seconds = words.duration(attempt.picture.drawn.timings.total)
    return f"{_title(attempt, titles)} takes {seconds} for {words.steps(attempt.settings.steps)}"


def _title(attempt: Attempt, titles: dict[str, str]) -> str:
    return escape(titles.get(attempt.settings.model, attempt.settings.model))
