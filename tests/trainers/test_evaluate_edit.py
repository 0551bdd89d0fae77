"""Words that change one thing of a drawing, and a run on the bundled models."""

import json

import numpy as np
import pytest

from rf_app.errors import UserError
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.registry.models import Registry
from trainers.common.models import load_frozen
from trainers.common.redrawing import redrawn
from trainers.evaluate_edit import METHODS, EvaluateEditConfig, main, wishes
from trainers.pocket.first_edition.editions import world_of


def test_the_new_words_say_another_value_and_are_otherwise_the_old_ones():
    kinds = Judge.load(BUNDLED).kinds
    asked = wishes(world_of(kinds), kinds, 40)
    assert {each.attribute for each in asked} == {"time", "colour"}
    for each in asked:
        assert each.old != each.new
        if each.attribute == "colour":  # one word for another
            old, new = each.old.split(), each.new.split()
            assert len(old) == len(new)
            (word,) = [word for word, before in zip(new, old, strict=True) if word != before]
            assert each.value in word  # or "green-sailed"


def test_every_method_is_measured(tmp_path, capsys):
    main(
        EvaluateEditConfig(
            model=("pocket-2rf",), prompts=2, steps=1, strength=(1.0,), json=tmp_path / "edit.json"
        )
    )
    found = json.loads((tmp_path / "edit.json").read_text())
    rows = found["edits"]
    assert [row["seam"] > 0 for row in found["seams"]] == [True]
    assert [row["method"] for row in rows] == [*METHODS]
    assert [row["evaluations"] for row in rows] == [2, 3, 6]  # forth with guidance, back without
    assert all(row["right"] <= min(row["changed"], row["kept"]) for row in rows)
    assert all(0 < row["edges"] < 1 for row in rows)
    assert "SDEdit" in capsys.readouterr().out


def test_guidance_under_1_is_none_as_where_pictures_are_drawn(tiny_models):
    """Turbo models have 0, which as a velocity would be that of no text at all."""
    pipeline = load_frozen(Registry([tiny_models]), "tiny-sd")
    drawings, masks = np.zeros((1, 96, 96, 3), np.uint8), np.ones((1, 96, 96), bool)
    made = [redrawn(pipeline, drawings, masks, ["a lake"], [0], guidance, 1, 1.0) for guidance in (0.0, 1.0)]
    assert np.array_equal(*made)


@pytest.mark.parametrize("bad", [{"prompts": 0}, {"steps": 0}, {"strength": (1.5,)}, {"strength": (0.0,)}])
def test_a_value_out_of_its_range_is_named(bad):
    with pytest.raises(UserError, match=f"{next(iter(bad.values()))}".strip("(),").split(".")[0]):
        EvaluateEditConfig(**bad)
