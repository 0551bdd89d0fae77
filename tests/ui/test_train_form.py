"""The form of the Train tab: the names that it proposes, and what it shows for a recipe."""

import shutil
from dataclasses import replace
from pathlib import Path

import gradio as gr
import pytest

from rf_app.actions.application import Application
from rf_app.jobs.database import Database
from rf_app.jobs.plan import Wish
from rf_app.registry.card import as_id, write_card
from rf_app.registry.loras import WEIGHTS, LoraCard
from rf_app.settings.recipes import recipes
from rf_app.ui.train.form import Form, build
from tests.jobs.queues import add
from tests.plugins.lora_files import random_lora, write
from tests.tiny import tiny_unet


@pytest.fixture
def form(app: Application, tmp_path: Path) -> Form:
    """One whose jobs are the test's own."""
    with gr.Blocks():
        return build(replace(app, jobs=Database(tmp_path / "jobs")))


def filled(form: Form, **changes: object) -> dict:
    """What its fields hold as the page opens, but for these."""
    own = {getattr(form, name): value for name, value in changes.items()}
    return {field: field.value for field in form.fields} | own


@pytest.mark.parametrize("title", ["My model", "x" * 60, "Моя модель"])
def test_a_proposed_name_is_free_however_long(form: Form, title: str) -> None:
    names = [title]
    for _ in range(3):
        add(form.app.jobs, output=as_id(names[-1]))
        names.append(form.free_name(names[-1]))
    assert len({as_id(name) for name in names}) == 4


def test_a_lora_has_its_name(form: Form) -> None:
    folder = form.app.loras.folders[-1] / "my-style"
    write(folder / WEIGHTS, random_lora(tiny_unet(0)))
    write_card(folder, LoraCard("my-style", "My style"))
    assert form.free_name("My style") == "My style 2"
    shutil.rmtree(folder)


@pytest.mark.parametrize("name", list(recipes()))
def test_each_recipe_is_shown_with_what_it_begins_with(form: Form, name: str) -> None:
    shown = form.show_recipe(filled(form, recipe=name, prompts="a lake", images="somewhere"))
    assert shown.keys() == form.shaped
    wish = form.read(filled(form, recipe=name) | {form.prompts: "a lake", form.images: "somewhere"})
    assert {each for each in ("prompts", "images") if getattr(wish, each)} <= set(recipes()[name].asks)


def test_pictures_for_one_recipe_do_not_hinder_the_next(form: Form, tmp_path: Path) -> None:
    shown = form.show_recipe(filled(form, recipe="distill", prompts="a lake", images=str(tmp_path)))
    assert "takes no" not in shown[form.estimate]
    assert "value" not in shown[form.prompts]  # for whoever goes back


def test_a_preset_that_the_next_recipe_has_not_is_left(form: Form) -> None:
    """Stable Diffusion's, and what a job begun by command may have."""
    form.show_recipe(filled(form, preset="sd15"))
    shown = form.show_recipe(filled(form, preset="sd15", recipe="lora"))
    assert shown[form.preset].value == "quick"
    again = form.show(Wish("instaflow", "gone", "x", preset="bundled", style="gone"))
    assert "bundled" in dict(map(reversed, again[form.preset].choices))
    assert "gone" in again[form.estimate]


def test_a_folder_that_may_not_be_asked_for_is_none(form: Form) -> None:
    values = filled(form, recipe="world", source="a prompt, and no folder. " * 30)
    assert "there is no such folder" in form.said(form.read(values))


def test_what_is_said_on_the_page_counts_where_other_recipes_have_it_among_their_advanced_settings(
    form: Form,
) -> None:
    key = "distill.lpips_steps"
    assert key in form.advanced
    values = filled(form, recipe="distill") | {form.settings[key]: 0}
    assert form.read(values).settings[key] == 0


def test_advanced_settings_say_nothing_until_somebody_fills_them_in(form: Form) -> None:
    """Gradio's number, empty, becomes 0 as soon as it is seen."""
    assert not any(isinstance(field, gr.Number) for field in form.advanced.values())
    assert not form.advanced.keys() & form.read(filled(form)).settings.keys()
    assert form.read(filled(form) | {form.advanced["distill.ema"]: "0.5"}).settings["distill.ema"] == "0.5"


def test_a_folder_that_is_written_down_goes_before_what_was_uploaded(form: Form, tmp_path: Path) -> None:
    values = filled(form, recipe="world", images="uploaded", source=f" {tmp_path} ")
    wish = form.read(values)
    assert (wish.images, wish.teacher) == (str(tmp_path), "")
    assert form.read(values | {form.source: ""}).images == "uploaded"
    again = form.show(replace(wish, settings={"world.hours": 3}))  # as Duplicate has it
    assert again[form.source].value == str(tmp_path)
    kept = str(form.app.jobs.pictures / "a-set")  # which the list of uploaded files would not show
    assert form.show(replace(wish, images=kept))[form.source].value == kept
    assert again[form.settings["world.hours"]].value == 3
    assert not again[form.teacher].visible
