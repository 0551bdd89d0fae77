"""Many visitors for a while: of a page that is killed, whose disk fills, and beside a training that is, too.

    make soak                                        # 20 minutes; make soak MINUTES=2 SEED=3
    python -m benchmarks.soak --minutes 2 --seed 3

Programs ask the HTTP API, some hang up in the middle, and a browser looks into every tab. Three times the
trainer is killed, once the page, and three times no file may grow, as on a full disk; each at a moment of the
seed's, one after the other. In the end a fresh page draws every picture again. Fails where a training could
not go on, a picture was another one, the memory has grown, or something was refused while nothing was wrong.
Works in a folder that goes afterwards. Linux; needs requirements-dev.txt.
"""

import os
import re
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from json import dumps
from pathlib import Path
from random import Random
from statistics import median, quantiles
from threading import Lock

import httpx
import psutil
from playwright.sync_api import Error as BrowserError

from benchmarks.latency import PROMPTS, machine
from benchmarks.own_home import own_home, processes
from benchmarks.visitors import Program, Refused, Wish, look_around
from rf_app.jobs import events, queue, training
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish as TrainingWish
from rf_app.jobs.processes import find
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from tests.browser import chromium
from tests.server import Server
from trainers.common import command

PATIENCE = 600.0  # seconds for a training to go on
LOOK = 0.5  # seconds between two looks at it
CHECKPOINT = 20  # steps of the training
TRAINING = {"pairs.count": 48, "pairs.steps": 4, "reflow.steps": 10**6, "reflow.batch": 4}
TRAINING |= {"reflow.checkpoint_every": CHECKPOINT}
FULL = 4096  # bytes that a file may have on the full disk
MB = 2**20
TROUBLES = ["trainer", "trainer", "trainer", "page", "disk", "disk", "disk"]
HANG_UPS = 0.1  # of what programs ask


@dataclass(frozen=True)
class Options:
    """How long, how many, and what they may leave."""

    minutes: float = 20
    """How long the visitors stay."""
    visitors: int = 8
    """How many at a time; one of them is a browser."""
    seed: int = 0
    """Of who asks for what, and of when something breaks."""
    allowed: int = 200
    """Megabytes by which the memory may grow."""
    models: Path | None = None
    """One more folder of models."""


@dataclass
class Trouble:
    """Something that is wrong with the page for a while."""

    what: str
    until: float = float("inf")


@dataclass
class Seen:
    """What the visitors have seen; for several threads."""

    pictures: dict[Wish, set[tuple[str, ...]]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    drawn: int = 0
    troubles: list[Trouble] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    @contextmanager
    def trouble(self, what: str) -> Iterator[None]:
        """Something is wrong meanwhile: what is refused then is no defect."""
        self.troubles.append(Trouble(what))
        try:
            yield
        finally:
            self.troubles[-1].until = time.monotonic()

    def ask(self, name: str, look: "partial[tuple[Wish, list[str]]]") -> None:
        """Let a visitor ask for something, and note what comes of it."""
        began = time.monotonic()
        try:
            wish, pictures = look()
        except (Refused, httpx.HTTPError, BrowserError, AssertionError) as error:
            self._refused(name, f"{type(error).__name__}: {error}".splitlines()[0], began)
            time.sleep(LOOK)
            return
        with self.lock:
            self.seconds[name].append(time.monotonic() - began)
            self.drawn += len(pictures)
            if pictures:
                self.pictures[wish].add(tuple(pictures))

    def _refused(self, name: str, why: str, began: float) -> None:
        wrong = [each.what for each in self.troubles if each.until >= began]
        kind = re.sub(r"( http:|cannot write).*", "", why)  # which address and which file is no matter
        with self.lock:
            self.errors[f"{wrong[-1] if wrong else 'nothing was wrong'}, {name}: {kind:.80}"] += 1
            self.unexplained += [] if wrong else [f"{name}: {why}"]


def wishes(cards: Iterable[ModelCard], random: Random) -> list[Wish]:
    """What programs ask for: of every endpoint some."""
    prompts = random.sample(PROMPTS, 12)
    few = prompts[:3]
    found = [("generate", {"prompt": each, "seed": random.randrange(2**32)}) for each in prompts]
    found += [
        ("generate", {"prompt": each, "model": card.id, "steps": min(card.steps, 4), "count": 2})
        for each, card in zip(prompts, cards, strict=False)
    ]
    found += [("compare", {"prompt": each, "seed": 5}) for each in few]
    found += [("trajectory", {"prompt": each, "steps": 4}) for each in few]
    found += [("interpolate", {"prompts": few, "position": share}) for share in (0.2, 0.5)]
    return [(name, dumps(arguments)) for name, arguments in found]


class Training:
    """The job beside the visitors: a reflow without end, which is resumed whenever it was ended."""

    def __init__(self, server: Server) -> None:
        self._jobs, self.killed, self.resumed, self._reached = server.jobs, 0, 0, 0
        wish = TrainingWish("reflow", "pocket-sd", "soaked", settings=TRAINING)
        self._id = training.start(server.jobs, wish, Registry.default()).id

    @property
    def job(self) -> Job:
        """The job as it truly is."""
        return next(job for job in queue.look(self._jobs) if job.id == self._id)

    @property
    def step(self) -> int:
        """How far the training itself is."""
        heard = events.read(Path(self.job.stages[-1].loops[0].run))
        return int(heard[-1]["step"]) if heard else 0

    @property
    def _process(self) -> psutil.Process | None:
        job = self.job
        return find(job.pid, self._jobs.job_folder(job.id))

    def kill(self) -> None:
        """Kill the trainer at once; one that is being started, as soon as it is there."""
        until = time.monotonic() + PATIENCE
        while not (process := self._process) and time.monotonic() < until:
            self.tend()
            time.sleep(LOOK)
        if process:
            process.kill()
            self.killed += 1

    def tend(self) -> str:
        """Resume it where it was ended; what is wrong, or nothing."""
        job, step = self.job, self.step
        if job.state in ("interrupted", "failed"):
            queue.resume(self._jobs, self._id)
            self.resumed += 1
        self._reached = max(self._reached, step)
        if self._reached - step > 2 * CHECKPOINT:
            return f"the training fell back from step {self._reached} to {step}"
        return ""

    def go_on(self) -> str:
        """See that it gets on, once nothing is wrong any more; what is wrong, or nothing."""
        before, until = self.step, time.monotonic() + PATIENCE
        while self.step <= before:
            if problem := self.tend():
                return problem
            if time.monotonic() > until:
                return f"the training did not go on after step {before}: {self.job.state}, {self.job.said}"
            time.sleep(LOOK)
        return ""

    def stop(self) -> str:
        """Let it save and stop; what is wrong, or nothing."""
        queue.stop(self._jobs, self._id)
        while self.job.under_way:
            time.sleep(LOOK)
        return "" if self.job.state == "stopped" else f"the training: {self.job.state}, {self.job.said}"


def limit_files(home: str, bytes: int) -> None:
    """Let no file of theirs grow beyond so many bytes: see `tests.full_disk`."""
    for process in processes(home):
        with suppress(psutil.NoSuchProcess):
            process.rlimit(psutil.RLIMIT_FSIZE, (bytes, psutil.RLIM_INFINITY))


def left_over(home: Path) -> str:
    """How many files there are in each folder, and their size."""
    found = []
    for folder in sorted(home.iterdir()):
        files = [path for path in (folder, *folder.rglob("*")) if path.is_file()]
        found.append(f"{folder.name}: {len(files)}, {sum(each.stat().st_size for each in files) / MB:.1f} MB")
    return "; ".join(found)


def soak(options: Options, home: Path) -> list[str]:
    """Let the visitors come and things break; print what was seen, and return what is wrong."""
    random, seen, wrong = Random(options.seed), Seen(), []
    server = Server(home, options.models)
    asked = wishes(Registry.default(options.models).cards(), random)
    memory: list[list[float]] = []  # of each life of the page, at the start and at the end

    def draw(wish: Wish) -> tuple[Wish, list[str]]:
        return wish, program.pictures(wish)

    def hang_up(wish: Wish) -> tuple[Wish, list[str]]:
        program.hang_up(wish)
        return wish, []

    def weigh() -> float:
        return psutil.Process(server.process.pid).memory_info().rss / MB

    def settle_in() -> None:
        """Everything is loaded, then the memory is that of the start."""
        for wish in asked:
            seen.ask(wish[0], partial(draw, wish))
        memory.append([weigh()])

    def come_by_api(mine: Random) -> None:
        while time.monotonic() < end:
            wish = mine.choice(asked)
            if mine.random() < HANG_UPS:
                seen.ask("hanging up", partial(hang_up, wish))
            else:
                seen.ask(wish[0], partial(draw, wish))

    def come_by_browser(mine: Random) -> None:
        with chromium() as browser:
            while time.monotonic() < end:
                seen.ask("a visit", partial(look_around, browser, server.url, mine.choice(PROMPTS)))

    def break_something(what: str) -> None:
        if what == "trainer":
            training.kill()
        elif what == "page":
            memory[-1].append(weigh())
            with seen.trouble("the page was killed"):
                server.kill()
                server.start()
            settle_in()
        else:
            with seen.trouble("the disk was full"):
                limit_files(str(home), FULL)
                time.sleep(60 * options.minutes / 20)
                limit_files(str(home), psutil.RLIM_INFINITY)
        print(f"{60 * options.minutes - (end - time.monotonic()):>6.0f} s: {what}", flush=True)

    try:
        program, training = Program(server.url), Training(server)
        settle_in()
        end = time.monotonic() + 60 * options.minutes
        moments = sorted(random.uniform(0, 0.8) for _ in TROUBLES)
        visitors = [come_by_browser] + [come_by_api] * (options.visitors - 1)
        with ThreadPoolExecutor(options.visitors) as pool:
            coming = [
                pool.submit(visitor, Random(f"{options.seed} {i}")) for i, visitor in enumerate(visitors)
            ]
            for moment, what in zip(moments, random.sample(TROUBLES, len(TROUBLES)), strict=True):
                while not wrong and time.monotonic() < end - 60 * options.minutes * (1 - moment):
                    wrong += filter(None, [training.tend()])
                    time.sleep(LOOK)
                break_something(what)
            for each in coming:
                each.result()
        memory[-1].append(weigh())
        wrong += filter(None, [training.go_on() or training.stop()])
        server.kill()
        server.start()
        for wish, pictures in seen.pictures.items():
            if pictures != {tuple(program.pictures(wish))}:
                wrong.append(f"a wrong picture of {wish}")
    finally:
        server.kill()
    print(f"\npictures: {seen.drawn:,}, of {len(seen.pictures)} wishes")
    print(f"{'seconds':<16}{'times':>8}{'median':>8}{'99 %':>8}")
    for name, seconds in seen.seconds.items():
        most = quantiles(seconds, n=100)[-1] if len(seconds) > 1 else seconds[0]
        print(f"{name:<16}{len(seconds):>8}{median(seconds):>8.2f}{most:>8.2f}")
    for why, times in seen.errors.most_common():
        print(f"{times:>6} x {why}")
    print(f"training: step {training.step}; killed {training.killed} times, resumed {training.resumed}")
    print("memory in MB, of each page: " + "; ".join(f"{a:.0f} to {b:.0f}" for a, b in memory))
    print(f"files left: {left_over(home)}")
    wrong += [f"refused while nothing was wrong: {each}" for each in seen.unexplained]
    wrong += [f"the memory grew from {a:.0f} MB to {b:.0f}" for a, b in memory if b - a > options.allowed]
    return wrong


def main(options: Options) -> None:
    """Say on what, soak, and fail with what is wrong."""
    print(f"{machine()}\nseed {options.seed}", flush=True)
    with own_home() as home:
        for folder in ("gradio", "tmp"):
            (home / folder).mkdir()
        os.environ |= {"GRADIO_TEMP_DIR": f"{home}/gradio", "TMPDIR": f"{home}/tmp"}
        wrong = soak(options, home)
    for each in wrong:
        print(f"wrong: {each}")
    if wrong:
        sys.exit(1)


if __name__ == "__main__":
    command.run(main, Options)
