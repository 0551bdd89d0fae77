"""A finished picture, as it is shown, saved and sent on: with the settings that make exactly it again,
alone.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from rf_app.pipeline.drawn import Drawn
from rf_app.pipeline.png import as_png
from rf_app.settings.picture import PictureSettings
from rf_app.settings.start import START

WAY = "interpolation"  # in a picture's settings


@dataclass(frozen=True)
class Picture:
    """What the worker has drawn; refined: how it was refined afterwards, if it was."""

    drawn: Drawn
    refined: dict[str, Any] | None = None

    @property
    def same(self) -> dict[str, Any] | None:
        """The settings with which the Generate tab makes it again; None for one that lies between others, or
        began from another; of a refined one, the picture that it was made from.
        """
        if self.drawn.start:
            return None
        if self.drawn.way is None:
            return self.drawn.settings.as_json()
        found = self.drawn.way.at_key_frame()
        return found and found.as_json()

    @property
    def settings(self) -> dict[str, Any]:
        """All that the PNG carries."""
        way, start = self.drawn.way, self.drawn.start
        if start:
            return self.drawn.settings.as_json() | {START: start.as_json()}
        more = ({WAY: way.as_json()} if way else {}) | ({"refined": self.refined} if self.refined else {})
        return (self.same or {}) | more

    @property
    def name(self) -> str:
        """Its file's."""
        return file_name(self.drawn.settings, "refined" if self.refined else "")

    @cached_property
    def png(self) -> bytes:
        """The PNG file, settings included."""
        return as_png(self.drawn.image, self.settings)


def file_name(settings: PictureSettings, more: str = "") -> str:
    """A name that says what the picture is: "instaflow-a-snowy-mountain-42.png"; more: its last word."""
    words = re.sub(r"[^a-z0-9]+", "-", settings.prompt.lower()).strip("-")[:40].strip("-")
    return "-".join(filter(None, ("instaflow", words, str(settings.seed), more))) + ".png"
