"""A picture that was carried over to another kind, and by what. As JSON it stands beside the settings."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from rf_app.errors import UserError

TRANSLATED = "translated"  # in a picture's settings


@dataclass(frozen=True)
class Translated:
    """Which picture was translated, and how."""

    translation: str
    """Id of the translation."""
    image: str
    """The picture, in base64."""
    steps: int = 1
    """Euler steps."""

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


def read_translated(found: Any) -> Translated:
    """The record in JSON that may come from anyone, as `Translated.as_json` gives it.

    Raises UserError where it has no such form. Values still have to be checked.
    """
    names = {field.name for field in fields(Translated)}
    if not isinstance(found, dict) or not all(
        isinstance(found.get(each), str) for each in ("translation", "image")
    ):
        raise UserError(
            f'translated is {found!r:.40}; it must be {{"translation": …, "image": …, "steps": …}}.'
        )
    return Translated(**{name: value for name, value in found.items() if name in names})
