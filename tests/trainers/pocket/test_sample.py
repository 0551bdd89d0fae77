"""The sample beside the judge: what is bundled belongs to the bundled judge's world; a new one to the new."""

import numpy as np
import pytest

from rf_app.metrics import frechet
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.metrics.sample import Sample
from trainers.pocket.first_edition.editions import world_of
from trainers.pocket.sample import DRAWINGS, SIZES, features, held_out
from trainers.pocket.world import HELD_OUT, describe

WORLD = world_of(Judge.load(BUNDLED).kinds)


def test_prompts_are_the_held_out_ones_with_what_they_state():
    sample = Sample.load()
    assert len(sample.prompts) == SIZES[-1]
    for i, each in enumerate(sample.prompts):
        scene, caption = WORLD.describe(HELD_OUT + i)
        assert (each.prompt, each.seed) == (caption.text, HELD_OUT + i)
        assert each.stated == {name: getattr(scene, name) for name in caption.stated}


def test_a_new_prompt_is_held_out_too():
    scene, caption = describe(HELD_OUT + 3)
    each = held_out(HELD_OUT + 3)
    assert (each.prompt, each.seed) == (caption.text, HELD_OUT + 3)
    assert each.stated == {name: getattr(scene, name) for name in caption.stated}


def test_it_is_read_as_it_was_written(tmp_path):
    gaussian = frechet.fit(np.random.default_rng(0).normal(size=(200, 5)))
    written = Sample((held_out(HELD_OUT),), 192, gaussian, 200, {32: 1.5})
    written.save(tmp_path)
    found = Sample.load(tmp_path)
    assert (found.prompts, found.size, found.drawings_count) == (written.prompts, 192, 200)
    assert found.drawings_fid == {32: 1.5}
    assert frechet.distance(found.drawings, gaussian) == pytest.approx(0, abs=1e-5)


@pytest.mark.slow
def test_the_statistics_belong_to_the_bundled_judge():
    sample = Sample.load()
    drawn = [WORLD.picture(seed, sample.size) for seed in range(HELD_OUT, HELD_OUT + DRAWINGS)]
    seen = features(Judge.load(BUNDLED), np.stack(drawn))
    assert sample.drawings_count == DRAWINGS
    # Features are in the thousands of squared units.
    assert frechet.distance(frechet.fit(seen), sample.drawings) < 1e-2
