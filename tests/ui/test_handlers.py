"""Handlers of the page by themselves: what is drawn unasked, who has the last word, what anybody may send."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from rf_app.actions.application import Application
from rf_app.actions.examples import FOLDER
from rf_app.actions.run import LatestRun
from rf_app.pipeline.png import as_png
from rf_app.ui.page import build

VISITOR = SimpleNamespace(session_hash="x", request=SimpleNamespace(state=SimpleNamespace()))


def handler(page: gr.Blocks, name: str, changes: str) -> tuple[Callable[..., Any], list[gr.Component]]:
    """The handler of that name that changes a part, and its inputs."""
    return next(
        (each.fn, each.inputs)
        for each in page.fns.values()
        if each.name == name and changes in [part.elem_id for part in each.outputs]
    )


def by_name(changed: dict[gr.Component, Any]) -> dict[str | None, Any]:
    return {part.elem_id: value for part, value in changed.items()}


@pytest.mark.parametrize("left", ["", '{"prompt": "a lake"}'])
def test_a_picture_that_takes_long_is_not_drawn_unasked(
    app: Application, monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    opened, _ = handler(build(app, FOLDER), "opened", "stage")
    assert by_name(opened(left, VISITOR))["cue"].startswith("opening:")
    monkeypatch.setattr(Application, "keeps_waiting", lambda *_: "A picture takes about 60 s here")
    found = by_name(opened(left, VISITOR))
    assert "cue" not in found
    assert "Press Generate." in found["stage"]


def test_a_picture_that_is_refined_meanwhile_leaves_its_line_to_that(app: Application) -> None:
    render, inputs = handler(build(app, FOLDER), "render", "stage")
    values = {part: part.value for part in inputs}
    named = {part.elem_id: part for part in inputs if part.elem_id}
    values |= {named["cue"]: "go:1:a lake", named["count"]: 2}
    latest = next(value for value in values.values() if isinstance(value, LatestRun))
    said = []
    for changed in render(values, VISITOR):
        said.append(changed)
        if changed != gr.skip() and "stage" in by_name(changed):
            latest.begin()
    assert said[-1] == gr.skip()


def test_a_file_in_the_place_of_settings_is_refused_without_a_traceback(app: Application) -> None:
    receive, _ = handler(build(app, FOLDER), "receive", "compare-prompt")
    uploaded = Path(get_upload_folder()) / "there" / "mine.png"
    uploaded.parent.mkdir(parents=True)
    uploaded.write_bytes(as_png(Image.new("RGB", (9, 9)), {"prompt": "a lake", "seed": 7}))
    assert receive(str(uploaded), VISITOR) == gr.skip()
