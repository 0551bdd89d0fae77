"""Jobs as HTML: the list, and one of them with its progress, curves, samples and log.

Buttons carry what they do in data-job and data-act; page.js brings it to the tab. Each text that came
from a user or a process is escaped.
"""

from collections.abc import Sequence
from html import escape

from rf_app.jobs.job import Job
from rf_app.jobs.lengthening import UNITS, length
from rf_app.jobs.plan import Wish
from rf_app.jobs.progress import Curve, Progress
from rf_app.jobs.stage import LANES
from rf_app.jobs.words import duration, size, state_in_words, work_in_words
from rf_app.settings.recipes import recipes
from rf_app.settings.world import FEW_SAID
from rf_app.ui.parts.chart import Axis, Point, Series, chart
from rf_app.ui.parts.progress_bar import bar

FALLS = "Good once it no longer falls. That it goes up and down is the chance of each step."
FIGURES = {  # what trainers call them, some of them by trainer: title, what the axis says, when it is good
    "trainers.reflow loss": (
        "How far it is from straight paths",
        "error of its direction; lower is better",
        FALLS,
    ),
    "trainers.distill loss": (
        "How far one step is from the teacher’s picture",
        "as its kind of loss sees it; lower is better",
        FALLS,
    ),
    "trainers.perflow loss": (
        "How far each window is from straight",
        "error of the noise it predicts; lower is better",
        FALLS,
    ),
    "trainers.translate loss": (
        "How far it is from one straight way for each picture",
        "error of its direction; lower is better",
        FALLS,
    ),
    "trainers.lora loss": (
        "How wrong it is about the noise",
        "lower is better",
        "It hardly falls, and says little: look at the samples.",
    ),
    "trainers.controlnet loss": (
        "How wrong it is about the noise",
        "lower is better",
        "It hardly falls, and says little: look at the samples.",
    ),
    "trainers.world psnr": (
        "Nearness to the pictures that it is to make",
        "PSNR in dB, higher is nearer",
        "Good once it no longer rises.",
    ),
    "loss": ("Error while it learns (loss)", "lower is better", FALLS),
    "psnr": (
        "Nearness to the teacher’s pictures",
        "PSNR in dB, higher is nearer",
        "Good once it no longer rises.",
    ),
    "straightness": (
        "How bent the paths are",
        "straightness, 0 is straight",
        "Good once it no longer falls.",
    ),
    "edge_f1": ("Agreement with the edges asked for", "F1, 1 is best", "About ½ is chance, ¾ is good."),
    "style": ("Way from the base’s pictures to yours", "share, 1 is all the way", "Good near 1."),
    "lpips": ("What the eye sees", "LPIPS, lower is nearer", ""),
    "l2": ("Error in small abstract pictures (latents)", "lower is better", ""),
    "pixels": ("Error in pixels and edges", "lower is better", FALLS),
    "sharpness": ("Sharpness", "share of the real pictures’, 1 is as sharp", "Good near 1."),
    "discriminator": ("How hard its pictures are to tell from real ones", "2 is by chance", ""),
    "critic": ("Error of the network that compares (critic)", "lower is better", ""),
}
MEASURED = ("psnr", "straightness", "edge_f1", "style")  # on samples, from the same noise each time
SMOOTHED = 10  # a point is the mean of so large a part of the curve around it
BETTER = (
    "So few pictures give more as a style (LoRA) of a model that can draw already: of Stable Diffusion 1.5, "
    "if it is here, or of the pocket model, if they are much like its landscape posters."
)
NOTHING = "Nothing was trained."  # as trainers.world ends: that goes without saying here
EMPTY = """<div class="job-empty"><svg viewBox="0 0 420 96" aria-hidden="true">
<g fill="none" stroke-width="2.5" stroke-linecap="round">
<path class="c2" d="M24 76C40 6 84 6 96 22" /><path class="c0" d="M164 76 236 22" />
<path class="c0" d="M304 76 376 22" /></g>
<g class="c2"><circle cx="24" cy="76" r="4"/><circle cx="31" cy="51" r="3"/><circle cx="42" cy="30" r="3"/>
<circle cx="56" cy="17" r="3"/><circle cx="76" cy="14" r="3"/><circle cx="96" cy="22" r="4"/></g>
<g class="c0"><circle cx="164" cy="76" r="4"/><circle cx="188" cy="58" r="3"/><circle cx="212" cy="40" r="3"/>
<circle cx="236" cy="22" r="4"/><circle cx="304" cy="76" r="4"/><circle cx="376" cy="22" r="4"/></g></svg>
<ol><li><b>The teacher draws</b>many small steps along bent paths, from noise to picture</li>
<li><b>Reflow</b>learns the same pictures along straight paths</li>
<li><b>Distillation</b>learns to go the whole way in one step</li></ol>
<p>Choose what to make and press Start. You may close the page: training goes on, and is found again.</p>
</div>"""


def job_list(jobs: Sequence[tuple[Job, Progress]], selected: int | None) -> str:
    """All jobs; `selected` is the one that is shown below."""
    if not jobs:
        return EMPTY
    known = recipes()
    lines = {
        lane: [job.id for job, _ in jobs if job.state == "queued" and job.lane == lane] for lane in LANES
    }
    rows = "".join(_row(job, way, job.id == selected, lines.get(job.lane, []), known) for job, way in jobs)
    return f'<ul class="jobs">{rows}</ul>'


def _row(job: Job, way: Progress, chosen: bool, line: list[int], known: dict) -> str:
    makes = known[work].title if (work := work_in_words(job)) in known else work.capitalize()
    of = f" from {job.wish.teacher}" if isinstance(job.wish, Wish) and job.wish.teacher else ""
    state = state_in_words(job)
    left = f", {duration(way.seconds_left)} left" if way.seconds_left is not None and not job.stop else ""
    said = f"{way.share:.0%}{left}" if state == "running" else state
    movers = ""
    if job.state == "queued":
        place = line.index(job.id)
        said = f"{'next' if place == 0 else f'{place + 1}. in line'}, {duration(job.seconds)}"
        movers = _act(job, "up", "↑", "Earlier", off=place == 0)
        movers += _act(job, "down", "↓", "Later", off=place == len(line) - 1)
    return (
        f'<li class="{job.state}" {"aria-current=true" if chosen else ""}>'
        f'<button class="pick" data-act="show" data-job="{job.id}"><b translate="no">{escape(job.name)}</b>'
        f"<small>{escape(makes + of)}</small></button>"
        f'<span class="state">{escape(said)}</span>{movers}'
        f'<i style="width:{way.share:.1%}"></i></li>'
    )


def _act(job: Job, act: str, text: str, title: str = "", off: bool = False) -> str:
    disabled = " disabled" if off else ""
    hint = f' title="{title}" aria-label="{title}"' if title else ""
    return f'<button class="act" data-act="{act}" data-job="{job.id}"{hint}{disabled}>{text}</button>'


def job_head(job: Job, way: Progress, slower: str) -> str:
    """One job: its name, how far and how quick it is. slower: what it costs who draws meanwhile."""
    left = f"{duration(way.seconds_left)} left" if way.seconds_left is not None else ""
    pace = f"{way.samples_per_second:,.3g} samples a second" if way.samples_per_second else ""
    took = f"{duration(job.busy)} of work" if job.state == "done" else ""
    notes = " · ".join(filter(None, (pace, took, slower)))
    line = f"{bar(way.share, job.state == 'running')}<p>{escape(way.text)}<span>{left}</span></p>"
    head = f'<h3 translate="no">{escape(job.name)}</h3><div class="way">{line}</div>'
    return head + (f'<p class="pace">{escape(notes)}</p>' if notes else "") + _why(job)


def _why(job: Job) -> str:
    """What a person should know of a job that does not run."""
    said = f"<pre>{escape(job.said)}</pre>" if job.said and job.state != "done" else ""
    words = {
        "stopped": "Stopped. Resume goes on where it was.",
        "interrupted": "Its process was ended from outside. Resume goes on from the last checkpoint.",
        "failed": "It ended with an error. When that is put right, try again: it goes on where it was.",
        "damaged": "It cannot be used any more.",
    }.get(job.state)
    return f'<div class="why">{words}{said}</div>' if words else ""


def job_actions(job: Job, folder_bytes: float, opening: str) -> str:
    """The buttons of a job. opening: those that show what it has made."""
    buttons = [opening]
    if job.state in ("running", "queued"):
        words = "Stopping…" if job.stop else "Stop" if job.state == "running" else "Take out"
        buttons.append(_act(job, "stop", words, off=job.stop))
    if job.state in ("stopped", "interrupted", "failed"):
        buttons.append(_act(job, "resume", "Try again" if job.state == "failed" else "Resume"))
    if was := length(job):
        least, step = UNITS[was.unit][0], 1 if was.unit == "steps" else "any"
        more = (
            f'<input type="number" min="{least}" step="{step}" value="{was.done:g}" '
            f'aria-label="{was.unit.capitalize()} more">'
        )
        buttons.append(
            f'<details class="sure more"><summary>Go on…</summary><p>Train it for {more} more {was.unit}, as '
            f"another model: this one stays. {_act(job, 'lengthen', 'Go on')}</p></details>"
        )
    if isinstance(job.wish, Wish):
        buttons.append(_act(job, "copy", "Duplicate…", "Put its settings into the form, to change them"))
    if job.state != "running":
        buttons.append(
            f'<details class="sure"><summary>Delete…</summary><p>Delete this job with its log, pairs and '
            f"checkpoints ({size(folder_bytes)})? What it has made stays in the lists. "
            f"{_act(job, 'delete', 'Delete')}</p></details>"
        )
    return f'<div class="acts">{"".join(buttons)}</div>'


def job_charts(way: Progress) -> tuple[str, str]:
    """The two curves that say most, of the latest stage that has such; and all others."""
    shown = [curve for curve in way.curves if len(curve.points) > 1]
    kinds = [[curve for curve in shown if curve.name in names] for names in (MEASURED, ("loss",))]
    first = [kind[0] for kind in kinds if kind]
    return _charts(first), _charts([curve for curve in shown if curve not in first])


def _charts(curves: Sequence[Curve]) -> str:
    return f'<div class="charts">{"".join(map(_chart, curves))}</div>' if curves else ""


def _chart(curve: Curve) -> str:
    figure = FIGURES.get(f"{curve.stage.module} {curve.name}", FIGURES.get(curve.name, (curve.name, "", "")))
    title, axis, good = figure
    values = [value for _, value in curve.points]
    low, high = min(values), max(values)
    scale = "log" if curve.name == "loss" and low > 0 and high > 4 * low else "linear"
    pad = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    edges = (low / 1.1, high * 1.1) if scale == "log" else (max(low - pad, min(low, 0.0)), high + pad)
    points = _points(curve.points)
    smooth = points if curve.name in MEASURED else _points(smoothed(curve.points))
    # The room for the steps to come is there from the start: the curve is seen to grow into it.
    return chart(
        title,
        [Series(title, "c0", smooth, points)],
        Axis("steps", 0, curve.of),
        Axis(f"{curve.title}; {axis}" if axis else curve.title, *edges, scale=scale),
        height=170,
        note=good,
    )


def _points(points: Sequence[tuple[float, float]]) -> tuple[Point, ...]:
    return tuple(Point(step, value, f"step {step:,.0f}: {value:.4g}") for step, value in points)


def smoothed(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Each the mean of its neighbours; at the ends of fewer, as many on either side."""
    found = []
    for i, (step, _) in enumerate(points):
        reach = min(len(points) // (2 * SMOOTHED), i, len(points) - 1 - i)
        near = [value for _, value in points[i - reach : i + reach + 1]]
        found.append((step, sum(near) / len(near)))
    return found


def job_log(lines: Sequence[str]) -> str:
    """The end of the log."""
    return (
        f'<pre translate="no">{escape(chr(10).join(lines))}</pre>'
        if lines
        else "<p>Nothing was said yet.</p>"
    )


def report(said: str) -> str:
    """What is said of a folder of pictures, a line a point; the parts of a world's estimate below it."""
    lines = [line for line in said.splitlines() if line.strip() and line != NOTHING]
    points = "".join(
        f"<li{' class=part' if line.startswith(' ') else ''}>{escape(line.strip())}</li>" for line in lines
    )
    few = FEW_SAID in said
    return f"<ul>{points}</ul>{f'<p>{BETTER}</p>' if few else ''}"
