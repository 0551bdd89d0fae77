"""What was asked for on the page goes into the history."""

from rf_app.actions.application import Application
from rf_app.actions.history import keep
from rf_app.actions.picture import Picture
from rf_app.actions.translate import Made
from rf_app.actions.upscale import Upscaled
from rf_app.errors import UserError
from rf_app.ui.parts.complaint import complain


def kept(own: Application, made: Picture | Upscaled | Made) -> None:
    """Keep the picture in the history; where that fails, a toast says so and the picture is shown."""
    try:
        keep(own, made.png, made.settings)
    except UserError as error:
        complain(error)
