"""How many frames a second the Interpolate tab shows while its handle is dragged, in headless Chromium.

    python -m benchmarks.scrubbing             # along the row of the first example
    python -m benchmarks.scrubbing --square    # in the square of four

Every drag goes all the way in small steps at an even speed, as a hand would. Counted are pictures that were
really on the screen, each another one, from the first to the last of a drag. Needs requirements-dev.txt.
"""

from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

import tyro

from benchmarks.latency import machine
from rf_app.actions.application import Application
from rf_app.registry.models import Registry
from rf_app.ui.interpolate.examples import EXAMPLES
from tests.browser import chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# Resolves with the moments, in milliseconds, at which a new picture had reached the screen during one drag.
DRAG = """([square, seconds]) => new Promise((resolve) => {
    const image = document.querySelector("#scrubber img");
    const handle = document.querySelector(square ? "#scrubber .pad" : "#scrubber input");
    const box = handle.getBoundingClientRect();
    const moments = [];
    let waiting = Promise.resolve();
    const observer = new MutationObserver(() => {
        const seen = () => requestAnimationFrame((moment) => moments.push(moment));
        waiting = image.decode().then(seen, () => {}); // one that the next replaces first is not seen
    });
    observer.observe(image, { attributeFilter: ["src"] });
    const start = performance.now();
    const step = (moment) => {
        const share = Math.min(1, (moment - start) / 1000 / seconds);
        if (square) {
            const values = { clientX: box.x + share * box.width, clientY: box.y + box.height / 2 };
            handle.dispatchEvent(new PointerEvent("pointermove", { buttons: 1, bubbles: true, ...values }));
        } else {
            handle.value = share * handle.max;
            handle.dispatchEvent(new Event("input", { bubbles: true }));
        }
        if (share < 1) return requestAnimationFrame(step);
        observer.disconnect();
        resolve(waiting.then(() => moments));
    };
    requestAnimationFrame(step);
})"""
WARM_UP = 1  # drags that are not counted


@dataclass(frozen=True)
class Options:
    """What to measure."""

    runs: int = 9  # drags
    seconds: float = 4.0  # how long a drag takes
    square: bool = False  # drag in the square of four, instead of along the row
    models: Path | None = None  # a folder of models, instead of the bundled ones and the user's own


def measure(app: Application, browser: "Browser", options: Options) -> list[float]:
    """Frames a second, one entry a drag."""
    name = next(name for name, way in EXAMPLES.items() if way.square == options.square)
    rates = []
    with served(app) as address:
        visitor = browser.new_page(viewport={"width": 1440, "height": 900})
        visitor.goto(address)
        visitor.wait_for_selector("#stage .total")
        visitor.click("#interpolate-tab-button")
        visitor.wait_for_selector("#scrubber img[src]")
        visitor.get_by_role("button", name=name).click()
        visitor.wait_for_function(
            "square => (document.querySelector('#interpolate').dataset.keys === 'square') === square",
            arg=options.square,
        )
        for _ in range(WARM_UP + options.runs):
            moments = visitor.evaluate(DRAG, [options.square, options.seconds])
            if len(moments) < 2:
                raise SystemExit("A drag showed no two frames: make it longer with --seconds.")
            rates.append((len(moments) - 1) * 1000 / (moments[-1] - moments[0]))
        visitor.close()
    return rates[WARM_UP:]


def main(options: Options) -> None:
    """Measure and print."""
    app = Application.on(Registry([options.models]) if options.models else Registry.default())
    print(machine())
    with chromium() as browser:
        rates = measure(app, browser, options)
    where = "square" if options.square else "row"
    print(
        f"{app.first_model()}, {where}: {median(rates):.1f} frames/s "
        f"(median of {len(rates)} drags of {options.seconds:g} s; {min(rates):.1f} to {max(rates):.1f})"
    )


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
