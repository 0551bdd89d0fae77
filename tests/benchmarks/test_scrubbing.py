"""The scrubbing benchmark measures what it says, on the tiny models."""

import pytest
from rf_app.workflows.generate import Studio

from benchmarks.scrubbing import Options, measure
from rf_app.pipeline.worker import Worker
from rf_app.registry.models import Registry


@pytest.mark.parametrize("square", [False, True])
def test_every_drag_shows_frames(tiny_models, browser, square):
    registry = Registry([tiny_models])
    studio = Studio(registry, Worker(registry, "cpu"))
    rates = measure(studio, browser, Options(runs=2, seconds=4, square=square))
    assert len(rates) == 2
    assert all(0 < rate < 1000 for rate in rates)
