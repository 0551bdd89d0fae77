"""Models are taught and measured with the edition of the world that they know."""

import numpy as np
import pytest

from rf_app.registry.models import BUNDLED, Registry
from rf_app.registry.vocabulary import vocabulary
from trainers.pairs import prompt_source
from trainers.pocket import world
from trainers.pocket.first_edition import world as first_world
from trainers.pocket.first_edition.editions import world_in_words
from trainers.pocket.pictures import Drawings


@pytest.mark.parametrize("id", ["pocket-sd", "pocket-2rf", "pocket-instaflow"])
def test_a_teacher_draws_pairs_of_prompts_whose_words_it_knows(id):
    known = vocabulary(Registry([BUNDLED]), id)
    _, prompt = prompt_source(None, world_in_words(known))
    assert {word for seed in range(500) for word in known.unknown(prompt(seed))} == set()


def test_a_model_that_knows_any_word_gets_the_newest_world():
    assert world_in_words(None) is world


@pytest.mark.parametrize("edition", [world, first_world])
def test_lines_are_learned_from_bent_drawings_of_the_same_world(edition, tmp_path):
    drawings = Drawings(40, tmp_path, 96, edition, bent=True)
    straight = np.stack([edition.picture(seed, 96) for seed in range(40)])
    share = np.mean([not np.array_equal(*pair) for pair in zip(drawings.drawn, straight, strict=True)])
    assert 0.2 < share < 0.65
    assert drawings.caption(7) == edition.describe(7)[1].text
    assert (
        drawings.digest()
        != Drawings(40, tmp_path, 96, world if edition is first_world else first_world, bent=True).digest()
    )
