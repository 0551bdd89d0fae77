"""Jobs without the page, on the same database.

    python -m rf_app.jobs start instaflow --teacher pocket-sd --output my-model --preset quick
    python -m rf_app.jobs list
    python -m rf_app.jobs show 3          # progress, figures, the end of its log
    python -m rf_app.jobs stop 3          # saves first; resume goes on from there
    python -m rf_app.jobs resume 3
    python -m rf_app.jobs lengthen 3 500 --output my-model-2  # a finished one goes on
    python -m rf_app.jobs move 3 up
    python -m rf_app.jobs delete 3 --yes  # its folder, not the model it made

`start --wait` and `show --follow` stay until the job has ended. A job needs neither: it goes on by itself.
"""

from rf_app import ctrl_c

if __name__ == "__main__":  # before the imports that take seconds
    ctrl_c.ends_at_once()

import sys
import time
from pathlib import Path
from typing import Literal

from tyro.conf import Positional
from tyro.extras import subcommand_cli_from_dict

from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.lengthening import lengthen
from rf_app.jobs.log import log_path, tail
from rf_app.jobs.plan import Wish
from rf_app.jobs.progress import progress
from rf_app.jobs.words import duration, needs_in_words, state_in_words, work_in_words
from rf_app.settings.recipes import recipe as recipe_of
from rf_app.settings.text import read_text

EVERY = 2.0  # seconds between two looks


def main() -> None:
    """Do what the command line says; errors as one line and exit code 2."""
    sys.stdout.reconfigure(errors="backslashreplace")  # as stderr has it: terminals may lack letters
    try:
        subcommand_cli_from_dict(
            {
                "start": start,
                "list": list_all,
                "show": show,
                "stop": stop,
                "resume": resume,
                "lengthen": go_on,
                "move": move,
                "delete": delete,
            },
            prog="python -m rf_app.jobs",
            description=__doc__,
        )
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:  # of --wait and --follow: the job goes on
        raise SystemExit(130) from None


def start(
    recipe: Positional[str],
    *,
    output: str,
    teacher: str = "",
    title: str = "",
    preset: str = "quick",
    prompts: Path | None = None,
    style: str = "",
    images: Path | None = None,
    pairs: Path | None = None,
    set: tuple[str, ...] = (),
    models: Path | None = None,
    estimate: bool = False,
    wait: bool = False,
) -> None:
    """Queue a training.

    Args:
        recipe: What to make: instaflow, reflow, distill, perflow, lora, controlnet, translate, pairs or
            world.
        teacher: Id of the model to begin with; a world has none.
        output: Id of what is made.
        title: Its name in the lists.
        preset: quick, medium or good; sd15 or sd15-lowcost for models of Stable Diffusion's size.
        prompts: Text file with a prompt a line.
        style: Id of a LoRA that goes into the teacher first.
        images: Folder of captioned pictures.
        pairs: Folder of pairs made before.
        set: Other settings, TRAINER.OPTION=VALUE each.
        models: Folder of models to publish into (default: the user's).
        estimate: Say what it would take, and start nothing.
        wait: Stay until it has ended.
    """
    from rf_app.jobs import training  # imports what the other commands do without
    from rf_app.registry.models import Registry

    if recipe_of(recipe).teachers and not teacher:
        raise UserError(f"{recipe} needs --teacher, the id of the model to begin with.")
    database, registry = Database(), Registry.default(models)
    wish = Wish(
        *(recipe, teacher, output, title, preset),
        prompts=read_text(prompts, f"--prompts {prompts}") if prompts else "",
        style=style,
        images=str(images.absolute()) if images else "",
        pairs=str(pairs.absolute()) if pairs else "",
        settings=dict(map(_setting, set)),
    )
    if estimate:
        print(needs_in_words(training.needs(database, wish, registry)))
        return
    job = training.start(database, wish, registry)
    print(f"job {job.id}: about {duration(job.seconds)}; `python -m rf_app.jobs show {job.id}`")
    if wait:
        _follow(database, job.id)


def list_all() -> None:
    """All jobs."""
    database = Database()
    jobs = queue.look(database)
    print("\n".join(_line(database, job) for job in jobs) or "There are no jobs yet.")


def show(job: Positional[int], *, follow: bool = False) -> None:
    """One job; follow: stay until it has ended."""
    _follow(Database(), job) if follow else _show(Database(), job)


def stop(job: Positional[int]) -> None:
    """Save and stop."""
    queue.stop(Database(), job)


def resume(job: Positional[int]) -> None:
    """Go on."""
    queue.resume(Database(), job)


def go_on(job: Positional[int], more: Positional[float], *, output: str, title: str = "") -> None:
    """Have a finished training go on for so many steps more, a world for so many hours, as another model."""
    said = lengthen(Database(), job, more, output, title)
    print(f"job {said.id}: about {duration(said.seconds)}")


def move(job: Positional[int], where: Positional[Literal["up", "down"]]) -> None:
    """Change the queue's order."""
    Database().move(job, where == "up")


def delete(job: Positional[int], *, yes: bool = False) -> None:
    """Forget one; yes: do not ask."""
    database = Database()
    found, folder = database.job(job), database.job_folder(job)
    if not yes:
        if not sys.stdin.isatty():
            raise UserError(f"This removes {folder}; say --yes.")
        if input(f"Delete job {job} ({found.output}) and {folder}? [y/N] ").strip().lower() != "y":
            return
    queue.delete(database, job)


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
    of = f" of {job.wish.teacher}" if isinstance(job.wish, Wish) and job.wish.teacher else ""
    print(f"job {job.id}: {job.output} ({work_in_words(job)}{of}), {state_in_words(job)}")
    print(f"{way.share:.0%}, {way.text}{left}")
    for curve in way.curves:
        print(f"  {curve.name} {curve.points[0][1]:.4g} -> {curve.points[-1][1]:.4g}  ({curve.title})")
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


if __name__ == "__main__":
    main()
