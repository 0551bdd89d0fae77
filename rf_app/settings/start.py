"""A picture to begin from, and how far the new one may go from it. As JSON it stands beside the settings."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from rf_app.errors import UserError

START = "start"  # in a picture's settings
CORRECTED, LEARNED = INVERSIONS = ("corrected", "learned")


@dataclass(frozen=True)
class Start:
    """A point on the way to a given picture, from where the flow goes on under other words."""

    image: str
    """The picture, in base64."""
    strength: float = 0.6
    """How much of it may change, 0 to 1: the flow goes on from tau = 1 - strength. 1 begins at the noise."""
    shows: str | None = None
    """What the picture shows: under these words it is followed back along the flow to that point, which keeps
    its forms. None mixes it with the seed's noise instead (SDEdit, arXiv 2108.01073)."""
    inversion: str = CORRECTED
    """How it is followed back: step by step with corrections, or to noise that is learned (iRFDS)."""
    mask: str = ""
    """Where it may change, white on black, in base64; nothing: everywhere."""

    def as_json(self) -> dict[str, Any]:
        """All of it that says something."""
        return {name: value for name, value in asdict(self).items() if value not in (None, "")}


def read_start(found: Any) -> Start:
    """The start in JSON that may come from anyone, as `Start.as_json` gives it.

    Raises UserError where it has no such form. Values still have to be checked.
    """
    names = {field.name for field in fields(Start)}
    if not isinstance(found, dict) or not isinstance(found.get("image"), str):
        raise UserError(
            f'start is {found!r:.40}; it must be {{"image": …}}, and if you like {names - {"image"}}.'
        )
    return Start(**{name: value for name, value in found.items() if name in names})
