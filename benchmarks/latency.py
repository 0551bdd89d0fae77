"""How long a picture takes: on the server, and from Enter to the picture on the screen.

    python -m benchmarks.latency            # server time, and the ratio against the many-step model
    python -m benchmarks.latency --browser  # and what a person sees, in headless Chromium

Every run has a prompt of its own, so no text embedding comes from the cache, but for the slow model's: it
takes turns with the quick one, so that a busy moment of the machine meets both, and has its prompts. The
browser needs requirements-dev.txt.
"""

import os
import platform
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import TYPE_CHECKING

import torch
import tyro

from rf_app.actions.application import Application
from rf_app.actions.caption import caption
from rf_app.actions.generate import Generate, generate
from rf_app.actions.picture import Picture
from rf_app.actions.run import results
from rf_app.registry.models import Registry
from rf_app.settings.picture import PictureSettings
from rf_app.ui.generate.stage import stage
from tests.browser import chromium, served

if TYPE_CHECKING:
    from playwright.sync_api import Browser

LANDS = ("a snowy mountain", "green hills", "desert dunes", "a pine forest", "a sea coast", "a city skyline")
THINGS = ("", " with a red tent", " with a white house", " with a blue sailboat", " with a yellow van")
TIMES = ("", " under sunshine", " at sunset", " at night")
PROMPTS = [land + thing + time for thing, time, land in product(THINGS, TIMES, LANDS)]
WARM_UP = 5  # runs that are not counted

# Resolves with the milliseconds from the key's time stamp to the frame that shows the picture of the text.
WATCH = """(text) => { window.shown = new Promise((resolve) => {
    let pressed;
    const press = (event) => (pressed = event.timeStamp);
    document.addEventListener("keydown", press, { capture: true, once: true });
    const stage = document.querySelector("#stage");
    const observer = new MutationObserver(async () => {
        const image = stage.querySelector("img");
        if (pressed === undefined || image?.alt !== text) return;
        observer.disconnect();
        await image.decode();
        requestAnimationFrame(() => setTimeout(() => resolve(performance.now() - pressed)));
    });
    observer.observe(stage, { childList: true, subtree: true, attributes: true });
}); }"""


@dataclass(frozen=True)
class Options:
    """What to measure."""

    runs: int = 60  # counted runs of the quick model; the slow one gets a quarter of them
    quick: str = "pocket-instaflow"
    slow: str = "pocket-sd"
    slow_steps: int = 25
    browser: bool = False  # measure in headless Chromium, too
    models: Path | None = None  # a folder of models, instead of the bundled ones and the user's own


@dataclass(frozen=True)
class ServerTimes:
    """Seconds, one entry a run: from the request to the finished HTML, and the parts of the quick model's."""

    quick: list[float]
    slow: list[float]
    text: list[float]
    unet: list[float]
    decode: list[float]


def measure_server(app: Application, options: Options) -> ServerTimes:
    """Time both models, taking turns."""
    times = ServerTimes([], [], [], [], [])
    for i in range(-WARM_UP, options.runs):
        settings = PictureSettings(PROMPTS[i % len(PROMPTS)], options.quick, seed=i + WARM_UP)
        start = perf_counter()
        parts = _shown(app, settings).drawn.timings
        seconds = perf_counter() - start
        if i >= 0:
            times.quick.append(seconds)
            times.text.append(parts.text)
            times.unet.append(parts.unet)
            times.decode.append(parts.decode)
        if i % 4 == 0:
            start = perf_counter()
            _shown(app, replace(settings, model=options.slow, steps=options.slow_steps))
            if i >= 0:
                times.slow.append(perf_counter() - start)
    return times


def _shown(app: Application, settings: PictureSettings) -> Picture:
    """A picture, once the page has it."""
    (picture,) = results(generate(app, Generate(settings)))
    stage([picture], caption(app, [picture]))
    return picture


@dataclass(frozen=True)
class BrowserTimes:
    """Seconds, one entry a run, to the picture on the screen: from the address, Enter, a typed letter."""

    opening: list[float]
    enter: list[float]
    letter: list[float]


def measure_browser(app: Application, browser: "Browser", runs: int) -> BrowserTimes:
    """Open the page as a newcomer whose browser has kept nothing, then draw and type on one page."""
    from playwright.sync_api import expect

    opening, enter, letter = [], [], []
    with served(app) as address:
        for _ in range(1 + runs // 4):
            newcomer = browser.new_page(viewport={"width": 1440, "height": 900})
            start = perf_counter()
            newcomer.goto(address)
            newcomer.wait_for_selector("#stage .total")
            opening.append(perf_counter() - start)
            newcomer.close()
        visitor = browser.new_page(viewport={"width": 1440, "height": 900})
        visitor.goto(address)
        visitor.wait_for_selector("#stage .total")

        def timed(key: str, expected: str, into: list[float]) -> None:
            visitor.evaluate(WATCH, expected)
            visitor.press("#prompt textarea", key)
            into.append(visitor.evaluate("shown") / 1000)

        for i in range(WARM_UP + runs):
            visitor.get_by_label("Live").uncheck()
            text = PROMPTS[i % len(PROMPTS)]
            visitor.fill("#prompt textarea", text)
            timed("Enter", text, enter)
            visitor.get_by_label("Live").check()
            text = PROMPTS[i % len(PROMPTS) - 1]
            visitor.fill("#prompt textarea", text)
            expect(visitor.locator("#stage img")).to_have_attribute("alt", text)
            timed("s", text + "s", letter)
        visitor.close()
    return BrowserTimes(opening[1:], enter[WARM_UP:], letter[WARM_UP:])


def machine() -> str:
    """The machine and the versions in one line."""
    told = Path("/proc/cpuinfo")
    lines = told.read_text().splitlines() if told.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cpu = names[0] if names else platform.processor() or platform.machine()
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    cores = f"{os.cpu_count()} cores, {torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}"
    return f"{cpu}, {cores}{gpu}, torch {torch.__version__}, Python {platform.python_version()}"


def row(name: str, seconds: list[float]) -> str:
    """A line of the table: median, 90th percentile, best, number of runs."""
    ninety = quantiles(seconds, n=10)[-1] if len(seconds) > 1 else seconds[0]
    figures = "".join(f"{1000 * value:10.1f}" for value in (median(seconds), ninety, min(seconds)))
    return f"{name:<44}{figures}{len(seconds):8d}"


def main(options: Options) -> None:
    """Measure and print."""
    registry = Registry([options.models]) if options.models else Registry.default()
    app = Application.on(registry)
    print(machine())
    print(f"{'milliseconds':<44}{'median':>10}{'90 %':>10}{'best':>10}{'runs':>8}")
    times = measure_server(app, options)
    print(row(f"{options.quick}, server, one picture", times.quick))
    for name in ("text", "unet", "decode"):
        print(row(f"  {name}", getattr(times, name)))
    print(row(f"{options.slow}, {options.slow_steps} steps, guided, server", times.slow))
    if options.browser:
        with chromium() as browser:
            # A page of its own, which has not read these prompts.
            seen = measure_browser(Application.on(registry), browser, options.runs)
        print(row("browser, opening the page to its picture", seen.opening))
        print(row("browser, Enter to picture on screen", seen.enter))
        print(row("browser, typed letter to picture (live)", seen.letter))
    ratio = median(times.slow) / median(times.quick)
    print(f"{options.quick} is {ratio:.1f} x as fast as {options.slow} at {options.slow_steps} steps")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
