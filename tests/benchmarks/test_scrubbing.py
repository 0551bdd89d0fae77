"""The scrubbing benchmark measures what it says, on the tiny models."""

import pytest

from benchmarks.scrubbing import Options, measure


@pytest.mark.parametrize("square", [False, True])
def test_every_drag_shows_frames(app, browser, square):
    rates = measure(app, browser, Options(runs=1, seconds=3, square=square))
    assert len(rates) == 1
    assert all(0 < rate < 1000 for rate in rates)
