"""Drawing on a GPU that is lent; the lender here hands all over as ZeroGPU's does, between processes."""

import pickle
import sys
from types import SimpleNamespace

import gradio as gr
import pytest

from rf_app.actions.application import NOT_LIVE_YET, ON_LOAN, Application
from rf_app.actions.collection import thing
from rf_app.actions.samples import is_quick
from rf_app.errors import UserError
from rf_app.pipeline.trajectory import Recorder
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.zero_gpu import SECONDS, ZeroGpuWorker
from rf_app.settings.picture import PictureSettings


def lender(task, duration):
    assert duration == SECONDS

    def lent(*given):
        if given[0].settings.prompt == "too much":
            raise gr.Error("You have exceeded <b>your quota</b> (10s requested vs. 3s left)")
        return pickle.loads(pickle.dumps(task(*pickle.loads(pickle.dumps(given)))))

    return lent


@pytest.fixture
def lent(tiny_registry, monkeypatch):
    monkeypatch.setitem(sys.modules, "spaces", SimpleNamespace(GPU=lender))
    worker = ZeroGpuWorker(tiny_registry, device="cpu")
    yield Application(worker)
    worker.close()


def test_a_picture_is_that_of_any_other_worker(lent, app):
    assert {id for _, id in lent.worker._residence} >= {"tiny-sd", "tiny-2rf"}  # before anybody asks
    wish = PictureSettings("a lake", "tiny-2rf", steps=3, seed=4)
    drawn, other = (result_of(each.draw(wish)) for each in (lent, app))
    assert drawn.image.tobytes() == other.image.tobytes()
    assert drawn.settings == other.settings


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (PictureSettings(" ", "tiny-2rf"), "The prompt is empty"),
        (PictureSettings("too much", "tiny-2rf"), "ZeroGPU: You have exceeded your quota .10s requested"),
    ],
)
def test_what_is_wrong_is_said_as_it_was(lent, wish, said):
    with pytest.raises(UserError, match=said):
        result_of(lent.draw(wish))


def test_nothing_is_drawn_unasked_and_no_way_is_seen(lent):
    assert lent.slow(PictureSettings("", "tiny-2rf")) == NOT_LIVE_YET.format(ON_LOAN)
    assert not is_quick(lent, thing(lent, "tiny-2rf"))
    with pytest.raises(UserError, match="is not seen on ZeroGPU"):
        result_of(lent.draw(PictureSettings("a lake", "tiny-2rf"), observe=Recorder(3)))
