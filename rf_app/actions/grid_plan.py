"""What a grid is made of: axes, each a setting and its values, and a cell for every combination."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product
from types import NoneType
from typing import Any

from rf_app.actions import words
from rf_app.actions.application import Application
from rf_app.actions.attempt import Attempt
from rf_app.actions.caption import active
from rf_app.actions.compare import best_of_kinds, in_force
from rf_app.actions.loras import known
from rf_app.errors import UserError
from rf_app.registry.models import Registry
from rf_app.settings.picture import Lora, PictureSettings

VALUE = (str, int, float)
AXES = ("steps", "guidance", "model", "seed", "prompt", "size")
LORA = "lora:"  # and an id: the axis of that LoRA's strength
MAX_CELLS = 200
NAMED = 3  # of the errors, where no cell can be drawn
EXAMPLES = {
    "steps": "1, 2, 4-8",
    "guidance": "1, 1.5, 3",
    "seed": "1-4",
    "size": "512x512, 512x768",
    "lora": "0, 0.5, 1",
}
SIZE = re.compile(r"(\d{1,5})[x×](\d{1,5})")  # width, height


@dataclass(frozen=True)
class Axis:
    """A setting, one of AXES or LORA with an id, and the values it takes."""

    name: str
    values: tuple[Any, ...]

    @property
    def lora(self) -> str:
        """The id of the LoRA whose strengths they are, or nothing."""
        return self.name.removeprefix(LORA) if self.name.startswith(LORA) else ""

    def put(self, settings: PictureSettings, value: Any) -> PictureSettings:
        """The settings with one of the values."""
        if self.name == "size":
            found = SIZE.fullmatch(value) if isinstance(value, str) else None
            if found is None:
                raise UserError(f"{value!r:.40} is no size; write for example {EXAMPLES['size']}.")
            return replace(settings, width=int(found[1]), height=int(found[2]))
        if not self.lora:
            return replace(settings, **{self.name: value})
        own = Lora(self.lora, value)
        others = settings.loras if own.id in [each.id for each in settings.loras] else (*settings.loras, own)
        return replace(settings, loras=tuple(own if each.id == own.id else each for each in others))


@dataclass(frozen=True)
class Grid:
    """What all cells have in common, and what varies."""

    base: PictureSettings
    rows: Axis | None = None
    columns: Axis | None = None
    pages: Axis | None = None

    @property
    def axes(self) -> tuple[Axis | None, Axis | None, Axis | None]:
        """Pages, rows, columns."""
        return self.pages, self.rows, self.columns


@dataclass(frozen=True)
class Cell:
    """A place in the grid, from 0, with its settings in force; or the error that keeps it empty."""

    page: int
    row: int
    column: int
    settings: PictureSettings
    error: str = ""


@dataclass(frozen=True)
class Plan:
    """Cells in the order they are drawn: a model's together, in the order of reading within it."""

    grid: Grid
    cells: tuple[Cell, ...]
    titles: dict[str, str]  # of models by id, of the axes of LoRAs by name
    shared: tuple[str, ...] = ()  # the words for LoRAs and ControlNets of all pictures

    @property
    def shape(self) -> tuple[int, int, int]:
        """Numbers of pages, rows and columns."""
        return tuple(len(axis.values) if axis else 1 for axis in self.grid.axes)

    def labels(self, axis: Axis | None) -> list[str]:
        """What stands beside each value of an axis: "4 steps", "Ink 0.5", a model's title, a prompt."""
        return [self._label(axis.name, value) for value in axis.values] if axis else [""]

    def _label(self, name: str, value: Any) -> str:
        if name == "prompt":
            return value
        if name == "size":
            return str(value).replace("x", "×")
        if name == "model":
            return self.titles.get(value, value)
        if name == "steps":
            return words.steps(value)
        title = self.titles[name] if name.startswith(LORA) else name
        return f"{title} {value:g}" if isinstance(value, float) else f"{title} {value}"


@dataclass(frozen=True)
class CellDone:
    """A cell has its picture, or the reason why it has none."""

    cell: Cell
    attempt: Attempt


def axis(name: str, values: str | Sequence[Any] | None) -> Axis | None:
    """An axis of a page's or a program's wish: a list of values, or a text of them; None without a name.

    Text: "1, 2, 4-8" (whole numbers with ranges; guidance and strengths may be broken), prompts one a line,
    model ids with commas. Values given twice count once. Raises UserError for an unknown name, no values, and
    too many.
    """
    if not name:
        return None
    if not isinstance(name, str) or not (name in AXES or Axis(name, ()).lora):
        raise UserError(
            f"There is no axis {name!r:.40}; choose from {', '.join(AXES)}, {LORA}ID (a LoRA's strength)."
        )
    kind = name.partition(":")[0]
    if isinstance(values, str):
        values = _parse(name, values)
    if not isinstance(values, (list, tuple, NoneType)) or not all(
        isinstance(each, VALUE) for each in values or ()
    ):
        raise UserError(
            f"The values for {name} are {values!r:.60}; expected a text or a list of texts and numbers."
        )
    found = tuple(dict.fromkeys(values or ()))
    if not found:
        example = f"; write for example {shown}" if (shown := EXAMPLES.get(kind)) else ""
        raise UserError(f"There are no values for {name}{example}.")
    if len(found) > MAX_CELLS:
        raise UserError(f"{len(found):,} values for {name}; a grid has at most {MAX_CELLS} cells.")
    return Axis(name, found)


def _parse(name: str, text: str) -> list[Any]:
    if name == "prompt":
        return [line.strip() for line in text.splitlines() if line.strip()]
    kind = name.partition(":")[0]
    if kind != "lora":  # a strength may be below 0
        text = re.sub(r"\s*[-–]\s*(?=\d)", "-", text)
    parts = [part for part in re.split(r"[\s,;]+", text) if part]
    if name in ("model", "size"):
        return parts
    values: list[Any] = []
    for part in parts:
        broken = kind in ("lora", "guidance")
        if broken and re.fullmatch(r"-?(\d{1,9}(\.\d{1,9})?|\.\d{1,9})", part):
            values.append(float(part))
        elif not broken and (span := re.fullmatch(r"(\d{1,10})(?:-(\d{1,10}))?", part)):
            first, last = int(span[1]), int(span[2] or span[1])
            if last - first >= MAX_CELLS:
                raise UserError(
                    f"{part} is {last - first + 1:,} values for {name}; a grid has at most {MAX_CELLS} cells."
                )
            values += range(first, last + 1)
        else:
            raise UserError(f"{part!r:.40} is no value for {name}; write for example {EXAMPLES[kind]}.")
    return values


def plan(app: Application, grid: Grid) -> Plan:
    """The cells and their order; raises UserError for an axis used twice, too many cells, and where no cell
    can be drawn.

    What is wrong with some cells only, becomes their error.
    """
    names = [each.name for each in grid.axes if each]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise UserError(f"{twice.capitalize()} is on two axes: choose another setting for one of them.")
    sizes = [len(each.values) if each else 1 for each in grid.axes]
    count = sizes[0] * sizes[1] * sizes[2]
    if count > MAX_CELLS:
        raise UserError(
            f"{' × '.join(map(str, sizes))} = {count:,} pictures; a grid has at most {MAX_CELLS}."
        )
    base = app.prepared(grid.base)
    varied = {each.name: known(app, each.lora).title for each in grid.axes if each and each.lora}
    common = replace(base, loras=tuple(each for each in base.loras if f"{LORA}{each.id}" not in varied))
    shared = active(app, common)
    cells = []
    for place in product(*map(range, sizes)):
        wish = base
        try:
            for each, i in zip(grid.axes, place, strict=True):
                wish = each.put(wish, each.values[i]) if each else wish
            if "size" in names:  # maps have the size of their picture
                wish = app.prepared(replace(wish, control=grid.base.control))
            settings = in_force(app, wish)
            for name, title in varied.items():
                if name.removeprefix(LORA) not in [each.id for each in settings.loras]:
                    raise UserError(
                        f"LoRA {title} lets a diffusion model draw in few steps; {settings.model} is none."
                    )
            cells.append(Cell(*place, settings))
        except UserError as error:
            cells.append(Cell(*place, wish, app.permission.told(error)))
    errors = list(dict.fromkeys(cell.error for cell in cells))
    if "" not in errors:
        more = f" And {len(errors) - NAMED} more like these." if len(errors) > NAMED else ""
        raise UserError(" ".join(errors[:NAMED]) + more)
    models = list(dict.fromkeys(cell.settings.model for cell in cells))
    cells.sort(key=lambda cell: models.index(cell.settings.model))
    titles = {id: title for title, id in app.models()} | varied
    return Plan(grid, tuple(cells), titles, shared)


def one_step_figure(registry: Registry, base: PictureSettings) -> Grid:
    """What every kind of model draws in one step, of those distilled to one all that are bundled: the paper
    compares them with and without reflow.
    """
    one_step = [card.id for card in registry.cards() if card.kind == "one-step"]
    bundled = [id for id in one_step if registry.is_bundled(id)]
    models = [*best_of_kinds(registry, ("diffusion", "rectified-flow", "one-step")), *bundled]
    return Grid(base, _models(registry, models), Axis("seed", (1, 2, 3, 4)), Axis("steps", (1,)))


def steps_figure(registry: Registry, base: PictureSettings) -> Grid:
    """The paper's figure: the same noise in 1, 2, 4, 8 and 25 steps, by diffusion and by rectified flow."""
    return Grid(base, _models(registry, _many_step(registry)), Axis("steps", (1, 2, 4, 8, 25)))


def guidance_figure(registry: Registry, base: PictureSettings) -> Grid:
    """What guidance does to the models that take any."""
    return Grid(
        base, _models(registry, _many_step(registry)), Axis("guidance", (1.0, 1.5, 2.0, 3.0, 5.0, 8.0))
    )


def _many_step(registry: Registry) -> list[str]:
    return best_of_kinds(registry, ("diffusion", "rectified-flow"))


def _models(registry: Registry, models: Sequence[str]) -> Axis:
    """Those the figures are about, or whatever there is."""
    return Axis("model", tuple(dict.fromkeys(models or (card.id for card in registry.cards()))))
