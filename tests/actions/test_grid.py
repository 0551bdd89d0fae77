"""Grids: what the values mean, few changes of model, stopping, and what there is to take away."""

import io
import json
import zipfile
from dataclasses import replace
from itertools import combinations, groupby

import numpy as np
import pytest
from PIL import Image, ImageOps

from rf_app.actions.generate import Generate, generate
from rf_app.actions.grid import ask, grid
from rf_app.actions.grid_plan import (
    Axis,
    CellDone,
    Grid,
    axis,
    guidance_figure,
    one_step_figure,
    plan,
    steps_figure,
)
from rf_app.actions.grid_sheet import MARGIN, archive, as_json, sheet
from rf_app.actions.lettering import best_font, wrap
from rf_app.actions.progress import Progress
from rf_app.actions.restore import restore
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.png import read_png_settings
from rf_app.plugins.picture import decode_map, encode_map
from rf_app.registry.card import write_card
from rf_app.registry.loras import WEIGHTS, LoraCard
from rf_app.registry.models import Registry
from rf_app.settings.picture import Control, Lora, PictureSettings
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load

BASE = PictureSettings("a mountain near a lake", "tiny-instaflow", seed=7)


def drawn(app, wish):
    """The plan and its finished cells."""
    planned, *done = results(grid(app, wish))
    return planned, done


@pytest.mark.parametrize(
    ("name", "text", "values"),
    [
        ("steps", "1, 2, 4, 8, 25", (1, 2, 4, 8, 25)),
        ("steps", "1 2;4", (1, 2, 4)),
        ("seed", "1-4", (1, 2, 3, 4)),
        ("seed", "7, 1 – 3, 2", (7, 1, 2, 3)),
        ("guidance", "1, 1.5, .5, 3", (1.0, 1.5, 0.5, 3.0)),
        ("prompt", "a lake, at night\n\n  a red tent ", ("a lake, at night", "a red tent")),
        ("model", "tiny-sd, tiny-2rf", ("tiny-sd", "tiny-2rf")),
        ("model", ["tiny-sd", "tiny-sd"], ("tiny-sd",)),
        ("lora:ink", "-1, 0;.5 1 -0.25", (-1.0, 0.0, 0.5, 1.0, -0.25)),
        ("lora:ink", [0, 0.5], (0, 0.5)),
    ],
)
def test_values_as_people_write_them(name, text, values):
    assert axis(name, text) == Axis(name, values)


def test_no_name_is_no_axis():
    assert axis("", "1, 2") is None


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("colour", "1", "There is no axis 'colour'; choose from steps, guidance"),
        (["steps"], "1", "There is no axis"),
        ("lora:", "1", "There is no axis 'lora:'"),
        ("lora:ink", "", "no values for lora:ink; write for example 0, 0.5, 1"),
        ("lora:ink", "0-1", "'0-1' is no value for lora:ink"),
        ("steps", " ", "no values for steps; write for example"),
        ("model", [], "no values for model"),
        ("seed", True, "The values for seed are True; expected a text or a list of texts and numbers"),
        ("seed", [1, [2]], r"The values for seed are \[1, \[2\]\]"),
        ("steps", "1.5", "'1.5' is no value for steps"),
        ("steps", "4-", "'4-' is no value"),
        ("seed", "-3", "'-3' is no value"),
        ("guidance", "1-3", "'1-3' is no value for guidance"),
        ("guidance", "nan", "'nan' is no value"),
        ("seed", "0-9999999999", "10,000,000,000 values for seed; a grid has at most 200"),
        ("prompt", "\n".join(map(str, range(10_000))), "10,000 values for prompt"),
    ],
)
def test_values_that_make_no_sense_are_named(name, text, message):
    with pytest.raises(UserError, match=message):
        axis(name, text)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Grid(BASE, axis("seed", "1-100"), axis("steps", "1-100")), "100 × 100 = 10,000 pictures"),
        (Grid(BASE, axis("seed", "1-2"), axis("seed", "3-4")), "Seed is on two axes"),
        (Grid(PictureSettings("", "tiny-sd"), axis("seed", "1-2")), "prompt is empty"),
        (Grid(PictureSettings("a", "gone"), axis("seed", "1-2")), "no model 'gone'"),
        (Grid(PictureSettings("a", ["tiny-sd"]), axis("seed", "1-2")), "Model id \\['tiny-sd'\\]"),
        (Grid(BASE, axis("steps", "150, 200")), r"steps is 150.* steps is 200; it must be .*\.100\.$"),
        (Grid(BASE, axis("model", "nope, nada")), "no model 'nope'.* no model 'nada'"),
        (Grid(BASE, axis("lora:gone", "0, 1")), "no LoRA 'gone'"),
        (Grid(BASE, axis("lora:../x", "0, 1")), "LoRA id '../x'"),
        (Grid(replace(BASE, loras=(Lora("gone"),)), axis("seed", "1-2")), "no LoRA 'gone'"),
        (Grid(BASE, axis("steps", "101-120")), "steps is 103.* And 17 more like these"),
    ],
)
def test_grids_that_cannot_be_drawn_are_named(app, wish, message):
    with pytest.raises(UserError, match=message):
        plan(app, wish)


def test_models_are_changed_as_rarely_as_can_be_wherever_they_stand(app):
    models = axis("model", ["tiny-sd", "tiny-instaflow", "tiny-2rf"])
    for axes in ((models, axis("seed", "1-3")), (axis("seed", "1-3"), models), (None, None, models)):
        cells = plan(app, Grid(BASE, *axes)).cells
        assert [model for model, _ in groupby(cell.settings.model for cell in cells)] == list(models.values)
        for _, group in groupby(cells, lambda cell: cell.settings.model):
            places = [(cell.page, cell.row, cell.column) for cell in group]
            assert places == sorted(places)


def test_every_cell_is_the_picture_of_its_settings(app):
    rows, columns = axis("prompt", "a lake\na red tent"), axis("model", ["tiny-2rf", "tiny-sd"])
    wish = Grid(BASE, rows, columns, axis("seed", "3, 5"))
    _, done = drawn(app, wish)
    assert len(done) == 8
    for each in done:
        cell, settings = each.cell, each.attempt.picture.settings
        assert settings["prompt"] == wish.rows.values[cell.row]
        assert settings["model"] == wish.columns.values[cell.column]
        assert settings["seed"] == wish.pages.values[cell.page]
        assert settings["steps"] == app.registry.card(settings["model"]).steps
    last = done[-1].attempt.picture
    (again,) = results(generate(app, Generate(PictureSettings(**last.settings))))
    assert np.array_equal(np.asarray(again.drawn.image), np.asarray(last.drawn.image))


def test_sizes_on_an_axis_have_their_own_maps_and_their_places_on_the_sheet(app):
    line = Image.new("RGB", (128, 128))
    line.paste("white", (60, 0, 68, 128))
    control = Control("tiny-canny", encode_map(line), "scribble")
    base = replace(BASE, control=(control,), model="tiny-instaflow")
    planned, done = drawn(app, Grid(base, columns=axis("size", "64x96, 144×96, 8x8")))
    assert "8; it must be" in done[-1].attempt.error
    sizes = [each.attempt.picture.drawn.image.size for each in done[:2]]
    maps = [decode_map(each.cell.settings.control[0].image).size for each in done[:2]]
    assert sizes == maps == [(64, 96), (144, 96)]
    assert planned.labels(planned.grid.columns) == ["64×96", "144×96", "8×8"]
    found = sheet(planned, done)
    again = [ImageOps.contain(each.attempt.picture.drawn.image, (288, 192)) for each in done[:2]]
    assert [each.size for each in again] == [(128, 192), (288, 192)]
    assert found.width > 3 * 288


def test_a_cell_that_fails_says_why_and_the_others_go_on(app):
    wish = Grid(BASE, axis("model", ["gone", "tiny-sd"]), axis("steps", "1, 500"))
    _, done = drawn(app, wish)
    errors = {(each.cell.row, each.cell.column): each.attempt.error for each in done}
    assert "no model 'gone'" in errors[0, 0]
    assert errors[1, 0] == ""
    assert "steps is 500" in errors[1, 1]


def test_stopping_in_the_middle_of_a_cell_keeps_the_finished_ones(app):
    events = grid(app, Grid(BASE, axis("model", ["tiny-2rf"]), axis("steps", "2, 50, 51")))
    done = []
    for each in events:
        if isinstance(each, CellDone):
            done.append(each)
        if isinstance(each, Progress) and each.text.startswith("Picture 2"):
            break
    events.close()
    assert [each.cell.settings.steps for each in done] == [2]


def test_progress_ends_at_the_whole_and_says_how_long(app):
    news = list(grid(app, Grid(BASE, axis("seed", "1-3"))))
    progress = [each for each in news if isinstance(each, Progress)]
    assert [each.done for each in progress] == sorted(each.done for each in progress)
    assert progress[-1].done == progress[-1].of
    assert progress[-1].seconds_left == 0
    assert {each.text for each in progress} == {f"Picture {i} of 3" for i in (1, 2, 3)}


def test_progress_ends_at_the_whole_though_a_picture_fails(own_app):
    weights = own_app.registry.folder("tiny-2rf") / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    news = list(grid(own_app, Grid(BASE, axis("model", ["tiny-2rf", "tiny-instaflow"]))))
    progress = [each for each in news if isinstance(each, Progress)]
    assert progress[-1].done == progress[-1].of


def test_the_model_to_open_with_is_taken_where_none_is_named(app):
    cells = plan(app, ask("a lake", "seed", "1-2")).cells
    assert [cell.settings.model for cell in cells] == [app.first_model()] * 2


def test_the_figures_are_made_of_the_models_at_hand(app):
    figure = steps_figure(app.registry, BASE)
    assert figure.rows == Axis("model", ("tiny-sd", "tiny-2rf"))
    assert figure.columns == Axis("steps", (1, 2, 4, 8, 25))
    assert len(plan(app, guidance_figure(app.registry, BASE)).cells) == 12
    cells = plan(app, one_step_figure(app.registry, BASE)).cells
    assert {cell.settings.model for cell in cells} == {"tiny-sd", "tiny-2rf", "tiny-instaflow"}
    assert {cell.settings.steps for cell in cells} == {1}


def test_the_bundled_figure_has_all_bundled_models_of_one_step():
    figure = one_step_figure(Registry.default(), BASE)
    assert figure.rows.values == ("pocket-sd", "pocket-2rf", "pocket-instaflow", "pocket-sd-distilled")


@pytest.fixture
def inked(own_app):
    """An application with two styles and a LoRA for few steps."""
    unet = load(own_app.registry, "tiny-sd").unet
    for seed, (id, more) in enumerate({"ink": {}, "neon": {}, "quick": {"kind": "consistency"}}.items()):
        folder = own_app.loras.folders[-1] / id
        write(folder / WEIGHTS, random_lora(unet, size=0.4, seed=seed))
        write_card(folder, LoraCard(id, id.capitalize(), **more))
    return own_app


def test_strengths_of_loras_are_axes_beside_what_all_pictures_share(inked, tmp_path):
    control = Control("tiny-canny", encode_map(Image.effect_noise((96, 96), 90)), "canny")
    shared = {"loras": (Lora("ink", 0.9), Lora("quick", 0.0)), "control": (control,)}
    wish = ask("a lake", "lora:ink", "0, 0.5", "lora:neon", [0.25, 1], model="tiny-instaflow", **shared)
    planned, done = drawn(inked, wish)
    assert planned.labels(wish.rows) == ["Ink 0", "Ink 0.5"]
    assert planned.labels(wish.columns) == ["Neon 0.25", "Neon 1"]
    assert planned.shared == ("Tiny canny 1",)
    images = []
    for each in done:
        ink, neon = wish.rows.values[each.cell.row], wish.columns.values[each.cell.column]
        (tmp_path / "cell.png").write_bytes(each.attempt.picture.png)
        restored = restore(inked, tmp_path / "cell.png").settings
        assert restored.loras == (Lora("ink", ink), Lora("quick", 0.0), Lora("neon", neon))
        assert restored.control[0].model == "tiny-canny"
        (alone,) = results(generate(inked, Generate(restored)))
        images.append(np.asarray(each.attempt.picture.drawn.image))
        assert np.array_equal(images[-1], np.asarray(alone.drawn.image))
    assert not any(np.array_equal(a, b) for a, b in combinations(images, 2))
    assert as_json(planned, done)["rows"] == {"setting": "lora:ink", "values": [0.0, 0.5]}


def test_a_lora_for_few_steps_is_for_the_diffusion_models_of_a_grid(inked):
    models = axis("model", ["tiny-sd", "tiny-instaflow"])
    base = replace(BASE, loras=(Lora("quick"),))
    solvers = [cell.settings.solver for cell in plan(inked, Grid(base, models)).cells]
    assert solvers == ["lcm", "euler"]
    cells = plan(inked, Grid(BASE, models, axis("lora:quick", "0, 1"))).cells
    errors = {(cell.row, cell.column): cell.error for cell in cells}
    assert (
        errors.pop((1, 1)) == "LoRA Quick lets a diffusion model draw in few steps; tiny-instaflow is none."
    )
    assert set(errors.values()) == {""}


def test_a_strength_out_of_range_is_the_error_of_its_cells(inked):
    cells = plan(inked, Grid(BASE, axis("lora:ink", [1, 3, "much"]))).cells
    assert cells[0].error == ""
    assert "LoRA ink: strength is 3" in cells[1].error
    assert "LoRA ink: strength must be a number" in cells[2].error


def test_alternatives_are_chosen_by_each_seed_and_stored_as_chosen(app, tmp_path):
    _, done = drawn(app, Grid(replace(BASE, prompt="a {red|blue} tent"), axis("seed", "4-5")))
    for each, prompt in zip(done, ("a red tent", "a blue tent"), strict=True):
        (tmp_path / "cell.png").write_bytes(each.attempt.picture.png)
        assert read_png_settings(tmp_path / "cell.png")["prompt"] == prompt


def test_the_sheet_has_every_picture_in_its_place(app):
    planned, done = drawn(app, Grid(BASE, axis("seed", "1, 2"), axis("model", ["tiny-sd", "gone"])))
    image = np.asarray(sheet(planned, done))
    colourful = (image.max(2).astype(int) - image.min(2)) > 60
    rows, columns = np.flatnonzero(colourful.any(1)), np.flatnonzero(colourful.any(0))
    assert rows.max() - rows.min() > 2 * 180  # one above the other
    assert columns.max() - columns.min() < 200  # and nothing beside them
    blank = sheet(planned, [])
    assert blank.size == image.shape[1::-1]


@pytest.mark.parametrize("text", ["зимнее озеро", "湖と山", "x" * 2000, "a " * 999 + "lake", "🏔️"])
def test_a_sheet_of_any_prompt(app, text):
    planned, done = drawn(app, Grid(BASE, axis("prompt", [text, "a lake"])))
    assert sheet(planned, done).width < 2000


@pytest.mark.parametrize("width", [1, 16, 24, 33])
def test_a_place_too_narrow_for_a_word_has_its_beginning(width):
    font = best_font(13, "")
    assert all(font.getlength(line) <= width or line == "…" for line in wrap("seed 1000", font, width))


def test_the_footer_of_a_narrow_sheet_is_not_cut_off(app):
    margin = np.asarray(sheet(plan(app, Grid(BASE)), []))[:, -MARGIN:]
    assert (margin == margin[0, 0]).all()


def test_letters_that_no_font_has_are_said_to_be_such(app):
    """Private use, which no font of the computer's own has."""
    shown, boxes = (sheet(plan(app, Grid(replace(BASE, prompt=f"a {x}"))), []) for x in "x\U0010fffd")
    assert boxes.height > shown.height


def test_a_sheet_of_many_large_pictures_stays_within_bounds(app):
    planned, done = drawn(app, Grid(BASE, axis("seed", "1")))
    large = plan(app, Grid(BASE, columns=axis("seed", "1-200")))
    assert max(sheet(large, done).size) <= 12_000
    assert planned.shape == (1, 1, 1)


def test_the_zip_tells_all(app, tmp_path):
    planned, done = drawn(app, Grid(BASE, axis("model", ["tiny-2rf"]), axis("steps", "1, 2, 500")))
    content = archive(planned, done[:2], b"the sheet")
    with zipfile.ZipFile(io.BytesIO(content)) as found:
        assert found.read("sheet.png") == b"the sheet"
        table = json.loads(found.read("grid.json"))
        assert table == json.loads(json.dumps(as_json(planned, done[:2])))
        assert table["columns"] == {"setting": "steps", "values": [1, 2, 500]}
        assert table["pages"] is None
        for cell in table["cells"]:
            if "file" in cell:
                path = tmp_path / cell["file"]
                path.write_bytes(found.read(cell["file"]))
                assert read_png_settings(path) == cell["settings"]
                with Image.open(path) as picture:
                    assert picture.size == (96, 96)
    assert len([cell for cell in table["cells"] if "file" in cell]) == 2
    assert table["cells"][2]["error"] in ("not drawn", done[2].attempt.error)
