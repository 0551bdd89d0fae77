"""What a picture will take, by those that were drawn."""

import pytest

from rf_app.pipeline.pace import Pace, calls
from rf_app.settings.picture import CheckedSettings

ONE = CheckedSettings("a lake", "one")
MANY = CheckedSettings("a lake", "one", steps=10, guidance=3.0, solver="heun")


def test_steps_guidance_sizes_and_decoders_have_their_own_share():
    pace = Pace()
    assert pace.expected(ONE, 100) is None
    pace.note(ONE, 100, 0.5, 0.2)
    pace.note(ONE, 100, 0.3, 0.4)  # each part at its best
    assert pace.expected(ONE, 100) == pytest.approx(0.5)
    assert calls(MANY) == 40
    assert pace.expected(MANY, 100) == pytest.approx(40 * 0.3 + 0.2)
    assert pace.expected(ONE, 400) == pytest.approx(2.0)  # as many pixels as it has
    pace.note(ONE, 400, 1.0, 1.0)
    assert pace.expected(ONE, 300) == pytest.approx(1.5)  # by the nearest size
    assert pace.expected(CheckedSettings("a lake", "another"), 100) is None
    tiny = CheckedSettings("a lake", "one", decoder="tiny")
    assert pace.expected(tiny, 100) is None
    pace.note(tiny, 100, 0.6, 0.01)
    assert pace.expected(tiny, 100) == pytest.approx(0.31)
