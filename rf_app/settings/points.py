"""Points in the plane, as people draw and send them."""

from typing import Any

from rf_app.errors import UserError

MAX_POINTS = 2000
REACH = 2.0  # of a coordinate, either way

Points = tuple[tuple[float, float], ...]


def read_points(found: Any) -> Points:
    """The points in JSON that may come from anyone: a list of [x, y], or of texts "x,y" of a command line.

    Raises UserError where it has no such form. Values still have to be checked.
    """
    if not isinstance(found, (list, tuple)):
        raise UserError("Points must be a list of [x, y].")
    if len(found) > MAX_POINTS:
        raise UserError(f"There are {len(found):,} points; at most {MAX_POINTS:,} are accepted.")
    return tuple(map(_point, found))


def _point(found: Any) -> tuple[float, float]:
    try:
        x, y = found.split(",") if isinstance(found, str) else found
        if not all(isinstance(each, (str, int, float)) for each in (x, y)):
            raise TypeError
        return float(x), float(y)
    except (TypeError, ValueError, OverflowError):
        raise UserError(f"{found!r:.60} is no point; give [x, y].") from None
