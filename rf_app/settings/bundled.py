"""Where what comes with the program lies: the bundled models, examples and the page's style."""

from pathlib import Path


def _assets() -> Path:
    """Beside the packages in a clone, and in this one where it was installed."""
    package = Path(__file__).parents[1]
    return next(each for each in (package / "assets", package.with_name("assets")) if each.is_dir())


ASSETS = _assets()
