"""How a job is spoken of, on the page and on the command line."""

from rf_app.jobs.estimate import Needs
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish

SURE = {
    "given": "the time it is given",
    "measured": "as measured on this computer",
    "scaled": "scaled from a model of another size: it may take half or twice as long",
    "guessed": "a guess, until a first job was measured on this computer",
}


def state_in_words(job: Job) -> str:
    """One word, or two."""
    state = "waiting" if job.state == "queued" else job.state
    return "stopping" if state == "running" and job.stop else state


def work_in_words(job: Job) -> str:
    """What it does: a recipe's name, or the kind of another job."""
    return job.wish.recipe if isinstance(job.wish, Wish) else job.kind.replace("_", " ")


def duration(seconds: float) -> str:
    """For people: 40 s, 9 min, 2.5 h, 3 days."""
    for unit, size in (("days", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 1.5 * size:
            value = seconds / size
            return f"{value:.1f} {unit}" if unit != "min" and value < 10 else f"{value:.0f} {unit}"
    return f"{seconds:.0f} s"


def size(number: float) -> str:
    """Bytes for people: 40 MB, 2.1 GB."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{max(1, number / 1e6):.0f} MB"


def needs_in_words(needs: Needs) -> str:
    """The estimate as a sentence."""
    return (
        f"About {duration(needs.seconds)} ({SURE[needs.sure]}), {size(needs.disk)} of disk and "
        f"{size(needs.memory)} of memory."
    )
