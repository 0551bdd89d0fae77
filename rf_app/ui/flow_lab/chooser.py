"""What an experiment is made of: two distributions, chosen from their pictures or drawn, pairs and seed.

chooser.js is what happens in the browser. Its value is the wish as JSON, and `input` means: do it.
"""

import json
from html import escape

import gradio as gr
from torch import Generator

from rf_app.actions.flow_lab import COUPLINGS, TALK, FlowLab
from rf_app.flow.toys import TOYS
from rf_app.settings.picture import MAX_SEED
from rf_app.settings.points import MAX_POINTS
from rf_app.ui.parts.script import scripted

DOTS = 90  # of a toy's picture
SIDE = 360  # pixels of a board to draw on
ENDS = {"source": "From", "target": "To"}
EXAMPLES: dict[str, dict[str, object]] = {
    "The talk’s sequence": {"source": TALK, "target": TALK},
    "Noise to two moons": {"source": "gaussian", "target": "two-moons", "apart": 0},
    "Noise to a letter": {"source": "gaussian", "target": "letter"},
    "Sphere to torus": {"source": "sphere", "target": "torus"},
}
RUNS = {"reflow": "Rectify", "paths": "Paths side by side", "distil": "Why reflow comes first"}


def chooser() -> gr.HTML:
    """The part."""
    return scripted(
        __file__,
        {name: value for name, value in vars(FlowLab()).items() if not name.endswith("_points")},
        html_template=_template(),
        elem_id="flow-wish",
    )


def title_of(toy: str) -> str:
    """ "Two moons" of "two-moons"."""
    return toy.replace("-", " ").capitalize().replace("gaussian", "Gaussian")


def _template() -> str:
    symbols = "".join(
        f'<symbol id="toy-{name}" viewBox="-22 -22 44 44"><path d="{_dots(name)}"/></symbol>' for name in TOYS
    )
    couplings = "".join(f'<option value="{name}">{title}</option>' for name, title in COUPLINGS.items())
    runs = "".join(
        f'<button class="act{" first" * (name == "reflow")}" data-run="{name}">{title}</button>'
        for name, title in RUNS.items()
    )
    examples = "".join(
        f'<button class="act" data-wish="{escape(json.dumps(wish))}">{title}</button>'
        for title, wish in EXAMPLES.items()
    )
    return (
        f'<svg class="symbols" aria-hidden="true">{symbols}</svg>'
        f'<div class="chips">{examples}</div>{"".join(map(_end, ENDS))}'
        '<div class="fields"><label>First pairs (coupling)'
        f'<select name="coupling">{couplings}</select></label>'
        f'<label>Seed<input name="seed" type="number" min="0" max="{MAX_SEED}" step="1"></label>'
        '<label class="upon"><input name="over" type="checkbox">One over the other</label></div>'
        f'<div class="chips">{runs}</div>'
        '<div class="links"><button class="send link">Copy a link</button>'
        '<label class="send">Open a saved experiment<input type="file" accept=".json"></label></div>'
        '<p class="problem" role="alert"></p>'
    )


def _end(end: str) -> str:
    toys = "".join(
        f'<button class="toy" data-toy="{name}" aria-pressed="false"><svg aria-hidden="true">'
        f'<use href="#toy-{name}"/></svg>{title_of(name)}</button>'
        for name in TOYS
    )
    return (
        f'<fieldset data-end="{end}"><legend>{ENDS[end]}</legend><div class="toys">{toys}'
        '<button class="toy" data-toy="drawn" aria-pressed="false">'
        '<svg viewBox="0 0 24 24" aria-hidden="true">'
        '<path d="M4 20 5 16 16 5 19 8 8 19Z"/></svg>Draw</button></div><div class="board" hidden>'
        f'<canvas width="{SIDE}" height="{SIDE}" data-most="{MAX_POINTS}"></canvas><p>Draw here</p>'
        '<button class="act clear">Clear</button></div></fieldset>'
    )


def _dots(name: str) -> str:
    """Points of a toy, from the side where it lies in space."""
    points = TOYS[name](DOTS, Generator().manual_seed(0))
    if points.shape[1] == 3:
        points = points[:, [0, 1]] + points[:, [2]] * 0.35
    return "".join(f"M{x:.1f} {y:.1f}h0" for x, y in (points * 14).mul(points.new_tensor([1, -1])).tolist())
