"""How steep a picture is along a border, and how little a part that is pasted shows of its own."""

import numpy as np
from PIL import Image

from rf_app.metrics.seam import steepness
from rf_app.plugins.mask import pasted

SIDE = 96
RAMP = np.repeat(np.tile(2 * np.arange(SIDE, dtype=np.uint8), (SIDE, 1))[..., None], 3, 2)
RIGHT = np.tile(np.arange(SIDE) >= SIDE // 2, (SIDE, 1))


def test_it_is_the_step_across_each_border():
    brighter = RAMP + 10 * RIGHT[..., None].astype(np.uint8)
    assert np.allclose(steepness(RAMP[None], RIGHT[None], 3), [2, 2, 2])
    assert np.allclose(steepness(brighter[None], RIGHT[None], 3), [12, 2, 2])


def test_what_is_pasted_fades_to_the_border_and_is_new_in_the_middle():
    old = Image.new("RGB", (SIDE, SIDE))
    new = Image.new("RGB", (SIDE, SIDE), "white")
    made = np.asarray(pasted(new, old, Image.fromarray(RIGHT)))
    assert not made[~RIGHT].any()
    assert steepness(made[None], RIGHT[None], 6).max() <= 255 / 6 + 1  # white, over a sixteenth of the side
    assert (made[:, SIDE // 2 + 6 :] == 255).all()
    thin = Image.new("1", (SIDE, SIDE))
    thin.paste(1, (40, 0, 43, SIDE))
    assert (np.asarray(pasted(new, old, thin))[:, 41] == 255).all()
    assert pasted(new, old, Image.new("1", (SIDE, SIDE), 1)) == new
