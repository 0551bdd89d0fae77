"""A line that says how far a long work is and how long it still takes."""

from html import escape

from rf_app.actions.progress import Progress
from rf_app.jobs.words import duration


def progress_bar(progress: Progress | None) -> str:
    """The line as HTML; None where nothing is known yet."""
    if progress is None:
        return _line(0, "Waiting for its turn…")
    return _line(progress.done / progress.of, escape(progress.text) + time_left(progress.seconds_left))


def bar(share: float, under_way: bool = True) -> str:
    """The bar alone. What is under way is in the page's title, too (progress.js)."""
    role = f'role="progressbar" aria-label="Progress" aria-valuenow="{100 * share:.0f}"' if under_way else ""
    return f'<div {role}><i style="width:{share:.1%}"></i></div>'


def _line(share: float, html: str) -> str:
    return f'<div class="way">{bar(share)}<p>{html}</p></div>'


def time_left(seconds: float | None) -> str:
    """What stands after a progress, as HTML; nothing where nothing is known yet."""
    if seconds is None:
        return ""
    return f" <span>{duration(seconds)} left</span>"


def note(text: str) -> str:
    """A line in the place of the progress, such as "Stopped."; nothing for nothing."""
    return f'<div class="way"><p>{escape(text)}</p></div>' if text else ""
