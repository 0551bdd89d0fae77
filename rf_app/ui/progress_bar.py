"""A line that says how far a long work is and how long it still takes."""

from html import escape

from rf_app.workflows.background import Progress


def progress_bar(progress: Progress | None) -> str:
    """The line as HTML; None where nothing is known yet."""
    if progress is None:
        return _line(0, "Waiting for its turn…")
    left = "" if progress.seconds_left is None else f" <span>{_time(progress.seconds_left)} left</span>"
    return _line(progress.done / progress.of, escape(progress.text) + left)


def _line(share: float, html: str) -> str:
    return f'<div class="way" role="status"><div><i style="width:{share:.1%}"></i></div><p>{html}</p></div>'


def _time(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 60 else f"{seconds / 60:.0f} min"


def note(text: str) -> str:
    """A line in the place of the progress, such as "Stopped."."""
    return f'<div class="way" role="status"><p>{escape(text)}</p></div>'
