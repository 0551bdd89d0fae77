"""A picture for every combination of some settings: rows, columns and pages, each a list of values.

python -m rf_app grid "a lake" --rows model --row-values "pocket-sd, pocket-2rf" --columns steps \
    --column-values "1, 2, 4-8" --out grid
"""

from collections.abc import Sequence
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.attempt import Attempt, attempt
from rf_app.actions.grid_plan import CellDone, Grid, Plan, axis, plan
from rf_app.actions.grid_sheet import archive, as_json, sheet
from rf_app.actions.progress import Clock, Events
from rf_app.pipeline.pace import calls
from rf_app.plugins.picture import encoded
from rf_app.settings.picture import Control, Lora, PictureSettings


def ask(
    prompt: str,
    rows: str = "",
    row_values: str = "",
    columns: str = "",
    column_values: str = "",
    pages: str = "",
    page_values: str = "",
    model: str = "",
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    negative_prompt: str = "",
    loras: tuple[Lora, ...] = (),
    control: tuple[Control, ...] = (),
    width: int | None = None,
    height: int | None = None,
) -> Grid:
    """The grid of texts.

    Args:
        prompt: What the pictures show, unless prompts are on an axis.
        rows: The setting that varies from row to row: steps, guidance, model, seed, prompt, size, lora:ID for
            the strength of a LoRA, or nothing.
        row_values: Its values: "1, 2, 4" or "1-4"; "0, 0.5, 1"; model ids with commas; prompts one a line;
            sizes as "512x768, 768x512".
        columns: The setting that varies from column to column.
        column_values: Its values.
        pages: The setting that varies from page to page.
        page_values: Its values.
        model: Id of the model, unless models are on an axis (default: the quick one-step model).
        steps: Steps of all pictures (default: what each model recommends).
        guidance: Strength of guidance of all pictures (default: what each model recommends).
        seed: The whole number the noise is drawn from.
        negative_prompt: What to keep out of the pictures; it acts with guidance above 1.
        loras: For all pictures, as in generate.
        control: For all pictures, as in generate.
        width: Of all pictures, as in generate.
        height: Likewise.
    """
    base = PictureSettings(
        *(prompt, model, steps, guidance, seed, negative_prompt),
        **{"control": control, "loras": loras, "width": width, "height": height},
    )
    axes = ((rows, row_values), (columns, column_values), (pages, page_values))
    return Grid(base, *(axis(*each) for each in axes))


def grid(app: Application, wish: Grid) -> Events[Plan | CellDone]:
    """Draw a labelled grid of pictures for every combination of the values of up to three settings.

    At most 200 pictures.
    """
    planned = plan(app, wish)
    yield planned
    costs = [0 if cell.error else 1 + calls(cell.settings) for cell in planned.cells]  # 1 for decoding
    clock = Clock(sum(costs))
    for number, (cell, cost) in enumerate(zip(planned.cells, costs, strict=True), 1):
        if cell.error:
            yield CellDone(cell, Attempt(cell.settings, error=cell.error))
            continue
        turn = app.draw(cell.settings)
        text = f"Picture {number} of {len(planned.cells)}"
        yield CellDone(cell, (yield from attempt(app, cell.settings, clock.follow(turn, text, cost))))


def files(planned: Plan, done: Sequence[CellDone]) -> tuple[File, File]:
    """The sheet as PNG, and a ZIP of all pictures; also of a grid that was stopped."""
    png = encoded(sheet(planned, done), compress_level=1)
    return File("instaflow-grid.png", png), File("instaflow-grid.zip", archive(planned, done, png))


def answer(app: Application, found: list[Plan | CellDone]) -> tuple[File, File, dict[str, Any]]:
    """The sheet as PNG, a ZIP of all pictures with their settings, and axes and cells."""
    planned, *done = found
    return *files(planned, done), as_json(planned, done)
