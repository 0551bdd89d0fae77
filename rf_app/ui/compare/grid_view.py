"""A grid as HTML that only grows: labels and empty places first, then each picture into its place.

The pictures are files of Gradio's cache, so what is sent again with each new one stays small. Every text of a
user's is escaped here.
"""

from html import escape
from urllib.parse import quote

from rf_app.actions import words
from rf_app.actions.grid_plan import Axis, Cell, CellDone, Plan
from rf_app.ui.parts.image import img
from rf_app.ui.parts.send import send_button


def empty_grid(plan: Plan) -> str:
    """Labels and empty places. Its last element stays open: cells are appended."""
    _, rows, columns = plan.shape
    grid = plan.grid
    parts = [f'<div class="cells" style="--columns:{columns}">']
    for page, name in enumerate(plan.labels(grid.pages)):
        top = page * (rows + 2) + 1
        if grid.pages:
            parts.append(_label("h4", grid.pages, name, f"{top}/1/auto/-1"))
        for column, text in enumerate(plan.labels(grid.columns)):
            parts.append(_label('b class="top"', grid.columns, text, f"{top + 1}/{column + 2}"))
        for row, text in enumerate(plan.labels(grid.rows)):
            parts.append(_label('b class="left"', grid.rows, text, f"{top + 2 + row}/1"))
            parts += [f'<i style="grid-area:{top + 2 + row}/{column + 2}"></i>' for column in range(columns)]
    return "".join(parts)


def _label(tag: str, axis: Axis | None, text: str, area: str) -> str:
    """A prompt stays as somebody wrote it, in any language."""
    own = ' translate="no"' if axis and axis.name == "prompt" else ""
    return f'<{tag}{own} style="grid-area:{area}">{escape(text)}</{tag.split()[0]}>'


def filled_cell(plan: Plan, done: CellDone, file: str | None) -> str:
    """A cell's picture, whose PNG is the `file` of Gradio's cache, or the reason why there is none."""
    cell, attempt = done.cell, done.attempt
    if file is None:
        reason = f'<p class="problem">{escape(attempt.error)}</p>'
        return f'<figure class="failed" style="{_place(plan, cell)}">{reason}</figure>'
    settings, seconds = attempt.picture.settings, attempt.picture.drawn.timings.total
    address = escape("gradio_api/file=" + quote(file))
    plugged = "".join(f", {each}" for each in plan.shared)
    says = (
        f"{settings['prompt']}\n{plan.titles[settings['model']]}, {words.steps(settings['steps'])}, "
        f"guidance {settings['guidance']:g}, seed {settings['seed']}{plugged}: {words.duration(seconds)}"
    )
    title = f' title="{escape(says)}"'
    return (
        f'<figure style="{_place(plan, cell)}" tabindex="0">{img(address, says, title)}'
        f'<div class="links"><a class="save" href="{address}" download="{attempt.picture.name}">Save</a>'
        + "".join(send_button(tab, settings) for tab in ("generate", "compare", "interpolate"))
        + "</div></figure>"
    )


def _place(plan: Plan, cell: Cell) -> str:
    _, rows, _ = plan.shape
    return f"grid-area:{cell.page * (rows + 2) + cell.row + 3}/{cell.column + 2}"
