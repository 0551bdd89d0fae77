"""The form of the Train tab: the names that it proposes."""

import shutil
from pathlib import Path

import pytest
from rf_app.ui.train_form import free_name
from rf_app.workflows.generate import Studio

from rf_app.jobs.database import Database
from rf_app.registry.card import as_id, write_card
from rf_app.registry.loras import WEIGHTS, LoraCard, Loras
from tests.jobs.test_queue import add
from tests.plugins.lora_files import random_lora, write
from tests.tiny import tiny_unet


@pytest.mark.parametrize("title", ["My model", "x" * 60, "Моя модель"])
def test_a_proposed_name_is_free_however_long(studio: Studio, tmp_path: Path, title: str) -> None:
    database = Database(tmp_path / "jobs")
    names = [title]
    for _ in range(3):
        add(database, output=as_id(names[-1]))
        names.append(free_name(studio, database, names[-1]))
    assert len({as_id(name) for name in names}) == 4


def test_a_lora_has_its_name(studio: Studio, tmp_path: Path) -> None:
    folder = Loras.beside(studio.registry).folders[-1] / "my-style"
    write(folder / WEIGHTS, random_lora(tiny_unet(0)))
    write_card(folder, LoraCard("my-style", "My style"))
    assert free_name(studio, Database(tmp_path / "jobs"), "My style") == "My style 2"
    shutil.rmtree(folder)
