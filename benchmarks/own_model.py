"""The newcomer's path, timed and pictured: from pocket-sd to a one-step model of one's own, on the page.

    python -m benchmarks.own_model                 # assets/train.png and assets/own-model.png
    python -m benchmarks.own_model --preset quick --folder shots

Opens the Train tab in headless Chromium (requirements-dev.txt), gives it prompts and a style and starts.
Takes a picture while it trains and one of the comparison with the teacher, and says how long each stage took.
It works in a folder that goes afterwards.
"""

import re
import time
from dataclasses import dataclass
from pathlib import Path

import tyro

from benchmarks.own_home import own_home
from rf_app.actions.application import Application
from rf_app.jobs.database import Database
from rf_app.jobs.words import duration
from rf_app.registry.models import Registry
from rf_app.settings.bundled import ASSETS
from tests.browser import chromium, served

PROMPTS = """a red sailboat on the sea at sunset
a yellow sailboat on a lake at night
a white sailboat near a snowy mountain at sunset
a blue sailboat on the sea under sunshine"""


@dataclass(frozen=True)
class Options:
    """What to make, and where the pictures go."""

    preset: str = "medium"
    style: str = "woodcut"
    name: str = "My sailboats"
    folder: Path = ASSETS


def main(options: Options) -> None:
    """Walk the path."""
    with own_home():
        app = Application.on(Registry.default())
        with served(app) as address, chromium() as browser:
            visitor = browser.new_page(viewport={"width": 1440, "height": 900})
            visitor.set_default_timeout(600_000)
            visitor.goto(address)
            visitor.get_by_role("tab", name="Train").click()
            visitor.fill("#train-name input", options.name)
            visitor.fill("#train-prompts textarea", PROMPTS)
            if options.style:
                visitor.click("#train-style input")
                visitor.get_by_role("option", name=re.compile(options.style, re.IGNORECASE)).click()
            title = {"quick": "Quick", "medium": "Medium", "good": "Good"}[options.preset]
            visitor.get_by_role("radio", name=title).check(force=True)
            visitor.wait_for_timeout(2_000)
            visitor.click("#train-start")
            began = time.monotonic()
            _watch(app.jobs, visitor, options.folder / "train.png")
            print(f"in all: {duration(time.monotonic() - began)}")
            visitor.get_by_role("button", name="Compare with the teacher").click()
            visitor.wait_for_selector("#before-after img")
            visitor.wait_for_timeout(1_000)
            visitor.screenshot(path=options.folder / "own-model.png")
        app.worker.close()


def _watch(database: Database, visitor, picture: Path) -> None:
    """Stay until the job is done: print each stage's time, and take the picture in its last one."""
    stage, since, taken = 0, time.monotonic(), False
    while True:
        jobs = database.jobs()
        job = jobs[0] if jobs else None
        if job and job.stage > stage:
            print(f"{job.stages[stage].title}: {duration(time.monotonic() - since)}", flush=True)
            stage, since = job.stage, time.monotonic()
        if job and not job.under_way:
            assert job.state == "done", job.said
            return
        if (
            not taken
            and job
            and job.stage == len(job.stages) - 1
            and visitor.locator(".progress-strip").count()
        ):
            way = re.search(r"([\d,]+) of ([\d,]+)", visitor.locator("#train-head .way p").inner_text())
            done, whole = (int(number.replace(",", "")) for number in way.groups()) if way else (0, 1)
            taken = done > whole / 2
            if taken:
                visitor.evaluate("scrollTo(0, 0)")
                visitor.screenshot(path=picture)
        visitor.wait_for_timeout(500)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
