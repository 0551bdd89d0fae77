"""What a training costs those who draw meanwhile: one picture's time with a job under way, and without.

    python -m benchmarks.training_pace

The job is a reflow of the quick model's teacher, in a folder that goes afterwards; it runs as every job does,
niced and with its threads limited, so a picture waits little for it. Medians, on this machine.
"""

import time
from dataclasses import dataclass
from itertools import islice, product
from pathlib import Path
from statistics import median

import tyro

from benchmarks.latency import LANDS, THINGS, TIMES, WARM_UP
from benchmarks.own_home import own_home
from rf_app.jobs import events, training
from rf_app.jobs.database import Database
from rf_app.jobs.plan import Wish
from rf_app.jobs.processes import threads
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.registry.models import Registry
from rf_app.settings.picture import PictureSettings


@dataclass(frozen=True)
class Options:
    """What to measure."""

    runs: int = 60
    model: str = "pocket-instaflow"
    teacher: str = "pocket-sd"


def measure(worker: Worker, model: str, runs: int) -> float:
    """Median seconds of a picture, each of another prompt, with a breath between two as a person takes."""
    prompts = [" ".join(words) for words in product(LANDS, THINGS, TIMES)]
    taken = []
    for prompt in islice(prompts, runs + WARM_UP):
        taken.append(result_of(worker.draw(PictureSettings(prompt, model))).timings.total)
        time.sleep(0.1)
    return median(taken[WARM_UP:])


def main(options: Options) -> None:
    """Measure and print a table."""
    with own_home():
        registry = Registry.default()
        worker, database = Worker(registry), Database()
        idle = measure(worker, options.model, options.runs)
        wish = Wish(
            "reflow", options.teacher, "measured", settings={"pairs.count": 128, "reflow.steps": 10**6}
        )
        job = training.start(database, wish, registry)
        run = Path(job.stages[-1].loops[0].run)
        while len(events.read(run)) < 2:  # it trains, and no longer loads
            time.sleep(0.5)
            assert database.job(job.id).under_way, database.job(job.id).said
        busy = measure(worker, options.model, options.runs)
        speed = events.read(run)[-1]["samples_per_second"]
        worker.close()
    print(f"\n| one picture of {options.model}, {options.runs} runs | milliseconds |\n|---|---|")
    print(f"| alone | {1000 * idle:.0f} |")
    print(
        f"| while a reflow trains ({threads()} threads, {speed:.0f} samples a second) | {1000 * busy:.0f} |"
    )
    print(f"\n{busy / idle:.2f} times as long.")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
