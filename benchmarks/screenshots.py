"""Pictures of the page on the models at hand: for the README, and to see what a change did to the design.

python -m benchmarks.screenshots            # assets/screenshot.png
python -m benchmarks.screenshots --all DIR  # wide, dark and phone (needs requirements-dev.txt)
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from rf_app.actions.application import Application
from rf_app.registry.models import Registry
from rf_app.settings.bundled import ASSETS
from tests.browser import chromium, served


@dataclass(frozen=True)
class View:
    """A screen: size in CSS pixels, device pixels to each, colour scheme."""

    width: int
    height: int
    scale: float
    scheme: str


VIEWS = {
    "wide": View(1440, 900, 1, "light"),
    "dark": View(1440, 900, 1, "dark"),
    "phone": View(390, 844, 2, "light"),
    "phone-dark": View(390, 844, 2, "dark"),
}


def main(all: Path | None = None) -> None:
    """Take the README's picture, or every view into the folder `all`."""
    app = Application.on(Registry.default())
    targets = {all / f"{name}.png": view for name, view in VIEWS.items()} if all else {}
    with served(app) as address, chromium() as browser:
        for target, view in (targets or {ASSETS / "screenshot.png": VIEWS["wide"]}).items():
            visitor = browser.new_page(
                viewport={"width": view.width, "height": view.height},
                device_scale_factor=view.scale,
                color_scheme=view.scheme,
            )
            visitor.goto(address)
            visitor.wait_for_selector("#stage .total")
            visitor.evaluate("document.fonts.ready")
            visitor.wait_for_timeout(500)  # the focus ring's transition
            target.parent.mkdir(parents=True, exist_ok=True)
            visitor.screenshot(path=target)
            print(target)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
