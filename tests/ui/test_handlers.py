"""Handlers of the page by themselves: what is drawn unasked, who has the last word, what anybody may send."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.block_function import BlockFunction
from gradio.utils import get_upload_folder
from PIL import Image

from rf_app.actions.application import Application
from rf_app.actions.examples import FOLDER
from rf_app.actions.run import LatestRun
from rf_app.pipeline.png import as_png
from rf_app.settings.picture import PictureSettings
from rf_app.ui.page import build
from rf_app.ui.parts.model_form import ModelForm, advanced, steps_and_guidance

VISITOR = SimpleNamespace(session_hash="x", request=SimpleNamespace(state=SimpleNamespace()))


def handler(page: gr.Blocks, name: str, changes: str) -> BlockFunction:
    """The handler of that name that changes a part."""
    return next(
        each
        for each in page.fns.values()
        if each.name == name and changes in [part.elem_id for part in each.outputs]
    )


def by_name(changed: dict[gr.Component, Any]) -> dict[str | None, Any]:
    return {part.elem_id: value for part, value in changed.items()}


@pytest.mark.parametrize("left", ["", '{"prompt": "a lake"}'])
def test_a_picture_that_takes_long_is_not_drawn_unasked(
    app: Application, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    opened = handler(build(app, FOLDER), "opened", "stage").fn
    assert by_name(opened(left, VISITOR))["cue"].startswith("opening:")
    monkeypatch.setattr(Application, "keeps_waiting", lambda *_: "A picture takes about 60 s here")
    found = by_name(opened(left, VISITOR))
    assert "cue" not in found
    assert "Press Generate." in found["stage"]


def test_a_picture_that_is_refined_meanwhile_leaves_its_line_to_that(app: Application) -> None:
    render = handler(build(app, FOLDER), "render", "stage")
    values = {part: part.value for part in render.inputs}
    named = {part.elem_id: part for part in render.inputs if part.elem_id}
    values |= {named["cue"]: "go:1:a lake", named["count"]: 2}
    latest = next(value for value in values.values() if isinstance(value, LatestRun))
    said = []
    for changed in render.fn(values, VISITOR):
        said.append(changed)
        if changed != gr.skip() and "stage" in by_name(changed):
            latest.begin()
    assert said[-1] == gr.skip()


def test_a_file_in_the_place_of_settings_is_refused_without_a_traceback(app: Application) -> None:
    receive = handler(build(app, FOLDER), "receive", "compare-prompt").fn
    uploaded = Path(get_upload_folder()) / "there" / "mine.png"
    uploaded.parent.mkdir(parents=True)
    uploaded.write_bytes(as_png(Image.new("RGB", (9, 9)), {"prompt": "a lake", "seed": 7}))
    assert receive(str(uploaded), VISITOR) == gr.skip()


@pytest.mark.parametrize(
    ("deletes", "opens", "says", "part"),
    [("deleting", "sent-history", "open_", "kept-full"), ("deleted", "sent-models", "ask", "model-sure")],
)
def test_what_is_deleted_is_what_is_shown_not_what_was_clicked_since(
    app: Application, deletes: str, opens: str, says: str, part: str
) -> None:
    page = build(app, FOLDER)
    assert set(handler(page, deletes, opens).inputs) <= set(handler(page, says, part).outputs)


def test_settings_that_are_shown_bring_their_model_into_the_list(app: Application) -> None:
    preset = app.preset("tiny-2rf")
    with gr.Blocks():  # as it was before the model came
        model = gr.Dropdown([])
        form = ModelForm(model, *steps_and_guidance(preset), *advanced(preset))
    shown = form.show(app, app.check(PictureSettings("a lake", "tiny-2rf", seed=7)))
    assert "tiny-2rf" in [id for _, id in shown[model].choices]
