"""Jobs without the page, on the same database.

    python -m rf_app.jobs start instaflow --teacher pocket-sd --output my-model --preset quick
    python -m rf_app.jobs list
    python -m rf_app.jobs show 3          # progress, figures, the end of its log
    python -m rf_app.jobs stop 3          # saves first; resume goes on from there
    python -m rf_app.jobs resume 3
    python -m rf_app.jobs lengthen 3 --steps 500 --output my-model-2  # a finished one goes on
    python -m rf_app.jobs move 3 up
    python -m rf_app.jobs delete 3 --yes  # its folder, not the model it made

`start --wait` and `show --follow` stay until the job has ended. A job needs neither: it goes on by itself.
"""

from rf_app import ctrl_c

if __name__ == "__main__":  # before the imports that take seconds
    ctrl_c.ends_at_once()

import argparse
import sys
import time
from pathlib import Path

from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.lengthening import lengthen
from rf_app.jobs.log import log_path, tail
from rf_app.jobs.plan import Wish
from rf_app.jobs.progress import progress
from rf_app.jobs.words import duration, needs_in_words, state_in_words, work_in_words
from rf_app.settings import sd15
from rf_app.settings.recipes import PRESETS, recipes
from rf_app.settings.text import read_text

EVERY = 2.0  # seconds between two looks


def parser() -> argparse.ArgumentParser:
    """The command line."""
    top = argparse.ArgumentParser(
        "python -m rf_app.jobs", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(dest="command", required=True)
    new = commands.add_parser("start", help="queue a training")
    new.add_argument("recipe", help=f"what to make: {', '.join(recipes())}")
    new.add_argument("--teacher", required=True, help="id of the model to begin with")
    new.add_argument("--output", required=True, help="id of what is made")
    new.add_argument("--title", default="", help="its name in the lists")
    new.add_argument("--preset", default="quick", choices=[*PRESETS, *sd15.PRESETS])
    new.add_argument("--prompts", type=Path, help="text file with a prompt a line")
    new.add_argument("--style", default="", help="id of a LoRA that goes into the teacher first")
    new.add_argument("--images", default="", help="folder of captioned pictures")
    new.add_argument("--pairs", default="", help="folder of pairs made before")
    new.add_argument("--set", nargs="*", default=[], metavar="TRAINER.OPTION=VALUE", help="other settings")
    new.add_argument("--models", type=Path, help="folder of models to publish into (default: the user's)")
    new.add_argument("--estimate", action="store_true", help="say what it would take, and start nothing")
    new.add_argument("--wait", action="store_true", help="stay until it has ended")
    commands.add_parser("list", help="all jobs")
    for name, help in (
        ("show", "one job"),
        ("stop", "save and stop"),
        ("resume", "go on"),
        ("delete", "forget"),
    ):
        each = commands.add_parser(name, help=help)
        each.add_argument("job", type=_number)
        if name == "show":
            each.add_argument("--follow", action="store_true", help="stay until it has ended")
        if name == "delete":
            each.add_argument("--yes", action="store_true", help="do not ask")
    longer = commands.add_parser("lengthen", help="have a finished training go on, as another model")
    longer.add_argument("job", type=_number)
    longer.add_argument("--steps", type=int, required=True, help="how many more")
    longer.add_argument("--output", required=True, help="id of what is made")
    longer.add_argument("--title", default="", help="its name in the lists")
    mover = commands.add_parser("move", help="change the queue's order")
    mover.add_argument("job", type=_number)
    mover.add_argument("where", choices=["up", "down"])
    return top


def _number(text: str) -> int:
    """A job's number; no more digits than the database takes."""
    if not 1 <= len(text) <= 18 or not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text!r:.40} is not the number of a job")
    return int(text)


def main() -> None:
    """Do what the command line says; errors as one line and exit code 2."""
    sys.stdout.reconfigure(errors="backslashreplace")  # as stderr has it: terminals may lack letters
    chosen = parser().parse_args()
    try:
        database = Database()
        if chosen.command == "start":
            _start(database, chosen)
        elif chosen.command == "list":
            jobs = queue.look(database)
            print("\n".join(_line(database, job) for job in jobs) or "There are no jobs yet.")
        elif chosen.command == "show":
            _follow(database, chosen.job) if chosen.follow else _show(database, chosen.job)
        elif chosen.command == "stop":
            queue.stop(database, chosen.job)
        elif chosen.command == "resume":
            queue.resume(database, chosen.job)
        elif chosen.command == "lengthen":
            said = lengthen(database, chosen.job, chosen.steps, chosen.output, chosen.title)
            print(f"job {said.id}: about {duration(said.seconds)}")
        elif chosen.command == "move":
            database.move(chosen.job, chosen.where == "up")
        else:
            _delete(database, chosen.job, chosen.yes)
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:  # of --wait and --follow: the job goes on
        raise SystemExit(130) from None


def _start(database: Database, chosen: argparse.Namespace) -> None:
    wish = Wish(
        recipe=chosen.recipe,
        teacher=chosen.teacher,
        output=chosen.output,
        title=chosen.title,
        preset=chosen.preset,
        prompts=read_text(chosen.prompts, f"--prompts {chosen.prompts}") if chosen.prompts else "",
        style=chosen.style,
        images=chosen.images and str(Path(chosen.images).absolute()),
        pairs=chosen.pairs and str(Path(chosen.pairs).absolute()),
        settings=dict(_setting(text) for text in chosen.set),
    )
    from rf_app.jobs import training  # imports what the other commands do without
    from rf_app.registry.models import Registry

    registry = Registry.default(chosen.models)
    if chosen.estimate:
        print(needs_in_words(training.needs(database, wish, registry)))
        return
    job = training.start(database, wish, registry)
    print(f"job {job.id}: about {duration(job.seconds)}; `python -m rf_app.jobs show {job.id}`")
    if chosen.wait:
        _follow(database, job.id)


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise UserError(f"--set {text!r:.60}; it must look like reflow.steps=500.")
    return name, value


def _line(database: Database, job: Job) -> str:
    way = progress(database, job)
    return f"{job.id:>4}  {way.share:>4.0%}  {state_in_words(job):<12} {work_in_words(job):<11} {job.output}"


def _seen(database: Database, id: int) -> Job:
    """The job as it truly is; raises UserError with the numbers there are."""
    return next((job for job in queue.look(database) if job.id == id), None) or database.job(id)


def _show(database: Database, id: int) -> None:
    job = _seen(database, id)
    way = progress(database, job)
    left = f", {duration(way.seconds_left)} left" if way.seconds_left is not None else ""
    of = f" of {job.wish.teacher}" if isinstance(job.wish, Wish) else ""
    print(f"job {job.id}: {job.output} ({work_in_words(job)}{of}), {state_in_words(job)}")
    print(f"{way.share:.0%}, {way.text}{left}")
    for curve in way.curves:
        print(f"  {curve.name} {curve.points[0][1]:.4g} -> {curve.points[-1][1]:.4g}  ({curve.stage.title})")
    for line in [job.said] if job.said else tail(database.job_folder(job.id)):
        print(f"  {line}")
    print(f"  log: {log_path(database.job_folder(job.id))}")


def _follow(database: Database, id: int) -> None:
    """Say where a job stands until it has ended; exit code 1 where it did not end well."""
    said = ""
    while True:
        job = _seen(database, id)
        way = progress(database, job)
        if way.text != said:
            said = way.text
            print(f"{way.share:>4.0%}  {said}", flush=True)
        if not job.under_way:
            print(state_in_words(job) + (f": {job.said}" if job.said else ""))
            raise SystemExit(0 if job.state == "done" else 1)
        time.sleep(EVERY)


def _delete(database: Database, id: int, sure: bool) -> None:
    job = database.job(id)
    folder = database.job_folder(id)
    if not sure:
        if not sys.stdin.isatty():
            raise UserError(f"This removes {folder}; say --yes.")
        if input(f"Delete job {id} ({job.output}) and {folder}? [y/N] ").strip().lower() != "y":
            return
    queue.delete(database, id)


if __name__ == "__main__":
    main()
