"""Pictures of the page on the models at hand: for the README, and to see what a change did to the design.

python -m benchmarks.screenshots            # assets/screenshot.png
python -m benchmarks.screenshots --all DIR  # wide, dark and phone (needs requirements-dev.txt)
"""

from dataclasses import dataclass
from pathlib import Path

import tyro

from rf_app.pipeline.worker import Worker
from rf_app.registry.folders import Registry
from rf_app.ui.page import ASSETS, build, launch_options
from rf_app.workflows.examples import FOLDER
from rf_app.workflows.generate import Studio
from tests.browser import executable


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
    from playwright.sync_api import sync_playwright

    registry = Registry.default()
    page = build(Studio(registry, Worker(registry)), FOLDER)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    targets = {all / f"{name}.png": view for name, view in VIEWS.items()} if all else {}
    path = executable()
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        for target, view in (targets or {ASSETS / "screenshot.png": VIEWS["wide"]}).items():
            visitor = chromium.new_page(
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
        chromium.close()
    page.close(verbose=False)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
