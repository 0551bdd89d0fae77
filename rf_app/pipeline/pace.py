"""How long a picture takes on this machine, by those that were drawn: whether one can follow the typing."""

from dataclasses import dataclass

from rf_app.settings.picture import CheckedSettings

LIVE = 1.0  # seconds, in which a picture has to be there to follow the typing
SMALL = 192  # pixels a side, that a processor draws in a moment


@dataclass(frozen=True)
class Kind:
    """What a part of a picture's time depends on. pixels: of the picture; decoder: of the second part."""

    model: str
    pixels: int
    decoder: str | None = None


def calls(settings: CheckedSettings) -> int:
    """How much work a picture is, in evaluations of the U-Net on one picture."""
    return settings.steps * (2 if settings.guidance > 1 else 1) * (2 if settings.solver == "heun" else 1)


class Pace:
    """The least seconds that a call of each U-Net, and each decoding, has taken: others only disturb."""

    def __init__(self):
        self._calls: dict[Kind, float] = {}
        self._decodings: dict[Kind, float] = {}

    def note(self, settings: CheckedSettings, pixels: int, unet: float, decode: float) -> None:
        """A picture has been drawn; unet, decode: seconds."""
        _note(self._calls, Kind(settings.model, pixels), unet / calls(settings))
        _note(self._decodings, Kind(settings.model, pixels, settings.decoder), decode)

    def expected(self, settings: CheckedSettings, pixels: int) -> float | None:
        """Seconds that a picture will take; None where none of its model, or its decoder, was drawn here."""
        call = _nearest(self._calls, Kind(settings.model, pixels))
        decoding = _nearest(self._decodings, Kind(settings.model, pixels, settings.decoder))
        return None if call is None or decoding is None else calls(settings) * call + decoding


def _note(seen: dict[Kind, float], kind: Kind, seconds: float) -> None:
    seen[kind] = min(seconds, seen.get(kind, seconds))


def _nearest(seen: dict[Kind, float], kind: Kind) -> float | None:
    """Of another size, by the number of pixels."""
    alike = [each for each in list(seen) if (each.model, each.decoder) == (kind.model, kind.decoder)]
    if not alike:
        return None
    nearest = min(alike, key=lambda each: abs(each.pixels - kind.pixels))
    return seen[nearest] * kind.pixels / nearest.pixels
