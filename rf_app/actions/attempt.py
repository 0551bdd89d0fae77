"""One picture of many: made, or the reason why not, so that the others go on."""

import logging
from collections.abc import Callable
from dataclasses import dataclass

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.requests import GenerateRequest, Timings
from rf_app.workflows.generate import Picture, Studio

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """A wish and what became of it: picture and timings, or the error; none of them before its turn."""

    request: GenerateRequest
    picture: Picture | None = None
    timings: Timings | None = None
    error: str = ""


def attempt(
    studio: Studio,
    request: GenerateRequest,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Attempt:
    """Make the first picture of the request; raises only `Cancelled`."""
    try:
        shown = studio.generate(request, progress=progress, cancelled=cancelled)
    except Cancelled:
        raise
    except UserError as error:
        return Attempt(request, error=str(error))
    except Exception as error:  # a defect, or a device without memory: the next model may do better
        log.exception("%s failed", request.model)
        return Attempt(request, error=f"{request.model} failed ({type(error).__name__}).")
    return Attempt(shown.request, shown.pictures[0], shown.timings)
