"""Recipes: every preset of each is a command that its trainers take, and names settings that there are."""

from pathlib import Path

import pytest
import tyro

from rf_app.jobs.plan import Wish, stages
from rf_app.settings import sd15
from rf_app.settings.options import TRAINERS
from rf_app.settings.recipes import BUNDLED, PRESETS, recipe, recipes
from tests.tiny import tiny_card

ALL = [(name, preset) for name, found in recipes().items() for preset in found.presets]


@pytest.mark.parametrize(("name", "preset"), ALL)
def test_every_preset_of_every_recipe_is_a_command_line_its_trainers_take(name: str, preset: str) -> None:
    found = recipe(name)
    assert found.presets[preset].keys() <= found.options().keys()
    teacher = tiny_card("tiny-sd", found.teachers[0], 4, 3.0) if found.teachers else None
    asked = dict.fromkeys(found.asks, "x")
    wish = Wish(name, "tiny-sd", "mine", preset=preset, **asked)
    for stage in stages(wish, teacher, Path("/j"), Path("/m")):
        assert tyro.cli(TRAINERS[stage.module.removeprefix("trainers.")], args=list(stage.arguments))
        assert stage.product
        assert all(loop.samples > 0 for loop in stage.loops)
        assert "{" not in " ".join(stage.arguments)


@pytest.mark.parametrize("name", recipes())
def test_a_recipe_has_the_presets_of_the_page_and_shows_settings_it_has(name: str) -> None:
    found = recipe(name)
    assert found.presets.keys() - {BUNDLED, *sd15.PRESETS} == PRESETS.keys()
    assert {each.key for each in found.shown} <= found.options().keys()
    assert found.needs == "" or found.needs in found.asks
    assert all(option.type != "Path" for option in found.advanced().values())
    assert not found.advanced().keys() & {each.key for each in found.shown}
