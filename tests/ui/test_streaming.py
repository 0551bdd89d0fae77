"""What a run says on the page when another has taken its place."""

import gradio as gr

from rf_app.actions.run import LatestRun
from rf_app.ui.parts.streaming import stream


def test_a_run_that_was_overtaken_does_not_repeat_its_picture():
    """Gradio sends the last word of a generator again when it is over, be it after the next one's picture."""
    latest, line, picture = LatestRun(), gr.HTML(), gr.HTML()

    def events():
        yield "mine"
        latest.begin()
        yield "late"

    said = list(stream(events(), latest, line, lambda made: {picture: made}))
    assert said[-2] == {picture: "mine"}
    assert said[-1] == gr.skip()
