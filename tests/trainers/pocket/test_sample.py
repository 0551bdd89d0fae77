"""The sample beside the judge: what is bundled is what the command makes, and its prompts are evaluate's."""

import numpy as np
import pytest

from rf_app.metrics import frechet
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.metrics.sample import Sample
from trainers.pocket.pictures import pictures
from trainers.pocket.sample import DRAWINGS, SIZES, features, held_out
from trainers.pocket.world import HELD_OUT, describe


def test_prompts_are_the_held_out_ones_with_what_they_state():
    sample = Sample.load()
    assert len(sample.prompts) == SIZES[-1]
    for i, each in enumerate(sample.prompts):
        assert each == held_out(HELD_OUT + i)
        scene, caption = describe(HELD_OUT + i)
        assert each.prompt == caption.text
        assert each.stated.keys() == caption.stated
        assert all(getattr(scene, name) == kind for name, kind in each.stated.items())


def test_it_is_read_as_it_was_written(tmp_path):
    gaussian = frechet.fit(np.random.default_rng(0).normal(size=(200, 5)))
    written = Sample((held_out(HELD_OUT),), gaussian, 200, {32: 1.5})
    written.save(tmp_path)
    found = Sample.load(tmp_path)
    assert (found.prompts, found.drawings_count, found.drawings_fid) == (written.prompts, 200, {32: 1.5})
    assert frechet.distance(found.drawings, gaussian) == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
def test_the_statistics_belong_to_the_bundled_judge():
    seen = features(Judge.load(BUNDLED), pictures(DRAWINGS, HELD_OUT))
    sample = Sample.load()
    assert sample.drawings_count == DRAWINGS
    # Features are in the thousands of squared units.
    assert frechet.distance(frechet.fit(seen), sample.drawings) < 1e-2
