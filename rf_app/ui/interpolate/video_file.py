"""A video among the files that Gradio serves and clears away, made behind a page that stays alive."""

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

from rf_app.workflows.background import Clock, Emit, IsCancelled, Progress, batches
from rf_app.workflows.interpolate import Interpolator, VideoRequest


def make_video(
    interpolator: Interpolator,
    request: VideoRequest,
    cache: str,
    ended: Callable[[], bool] = lambda: False,
) -> Iterator[Progress | Path | None]:
    """Yield progress, or None where there is no news, and in the end the file, in a folder of its own.

    request: a checked one. cache: Gradio's folder. Closing the iterator or `ended` stops the work, and
    nothing is left; raises `Cancelled` for the latter.
    """
    folder = Path(cache) / secrets.token_hex(16)
    path = folder / f"instaflow-interpolation.{request.form}"
    clock = Clock(request.frames)

    def job(emit: Emit, left: IsCancelled) -> None:
        folder.mkdir(parents=True)
        try:
            interpolator.export(
                request,
                path,
                lambda done, of: emit(clock.at(done, f"Frame {done} of {of}")),
                lambda: left() or ended(),
            )
        finally:
            if not path.exists():
                folder.rmdir()

    for news in batches(job):
        yield news[-1] if news else None
    yield path
