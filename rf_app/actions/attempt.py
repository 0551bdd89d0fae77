"""One picture of many: made, or the reason why not, so that the others go on."""

import logging
from collections.abc import Generator
from dataclasses import dataclass

from rf_app.actions.application import Application
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Progress
from rf_app.errors import UserError
from rf_app.pipeline.drawn import Drawn
from rf_app.settings.picture import PictureSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Attempt:
    """A wish and what became of it: its picture, or the error; neither of them before its turn."""

    settings: PictureSettings
    picture: Picture | None = None
    error: str = ""


def attempt(
    app: Application, settings: PictureSettings, drawing: Generator[Progress | None, None, Drawn]
) -> Generator[Progress | None, None, Attempt]:
    """Hand `drawing` on, as `Clock.follow` gives it; its errors become the attempt's."""
    try:
        picture = Picture((yield from drawing))
    except UserError as error:
        return Attempt(settings, error=app.permission.told(error))
    except Exception as error:  # a defect, or a device without memory: the next model may do better
        log.exception("%s failed", settings.model)
        return Attempt(settings, error=f"{settings.model} failed ({type(error).__name__}).")
    return Attempt(picture.drawn.settings, picture)
