"""Two sessions that switch models, LoRAs, strengths and ControlNets at once leave no trace in each other."""

import gc
import multiprocessing
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.plugins.picture import encode_map
from rf_app.registry.loras import WEIGHTS
from rf_app.registry.models import Registry
from rf_app.settings.picture import Control, Lora, PictureSettings
from tests.plugins.lora_files import EVERYWHERE, as_kohya, random_lora, write
from tests.tiny import load

SESSIONS = ("ann", "bob")
MODELS = ("tiny-sd", "tiny-2rf", "tiny-instaflow")
LORAS = ("style", "words", "everywhere")


@pytest.fixture
def home(tiny_registry):
    """The folder of models, with LoRAs beside them, and an upload to come for each session."""
    stock = load(tiny_registry, "tiny-sd")
    models = tiny_registry.folders[0]
    for id, tensors in (
        ("style", random_lora(stock.unet, seed=1)),
        ("words", as_kohya(random_lora(stock.unet, stock.text_encoder, seed=2))),
        ("everywhere", random_lora(stock.unet, stock.text_encoder, seed=3, layers=EVERYWHERE)),
    ):
        write(models.parent / "loras" / id / WEIGHTS, tensors)
    for seed, session in enumerate(SESSIONS, 4):
        write(models.parent / f"{session}.safetensors", random_lora(stock.unet, seed=seed))
    return models


def start(home: Path) -> tuple[Worker, dict[str, str]]:
    """A worker that knows nothing yet but the sessions' uploads, and their ids."""
    worker = Worker(Registry([home]), "cpu")
    files = {session: home.parent / f"{session}.safetensors" for session in SESSIONS}
    return worker, {session: worker.uploads.add(session, file, "x").id for session, file in files.items()}


def roof() -> str:
    picture = Image.new("RGB", (96, 96))
    ImageDraw.Draw(picture).line([0, 80, 48, 20, 96, 80], "white", 2)
    return encode_map(picture)


Wish = tuple[PictureSettings, str]  # and whose it is


def wishes_of(count: int, uploads: dict[str, str], controlnets: list[str]) -> list[Wish]:
    """Different wishes, half of them of each session."""
    chance = random.Random(0)
    found = []
    for i in range(count):
        session = SESSIONS[i % 2]
        ids = chance.sample([*LORAS, uploads[session]], chance.randint(0, 3))
        follow = chance.sample(controlnets, chance.choice([0, 0, 1, min(2, len(controlnets))]))
        settings = PictureSettings(
            chance.choice(["a lake", "a red tent"]),
            chance.choice(MODELS),
            steps=2,
            guidance=chance.choice([1.0, 2.0]),
            seed=chance.randint(0, 3),
            loras=tuple(Lora(id, chance.choice([-1.0, 0.0, 0.5, 1.0, 2.0])) for id in ids),
            control=tuple(Control(id, roof(), strength=chance.choice([0.5, 1.0])) for id in follow),
        )
        found.append((settings, session))
    return found


def draw(worker: Worker, wish: Wish) -> np.ndarray:
    return np.asarray(result_of(worker.draw(*wish)).image)


def alone(home: Path, wish: Wish) -> np.ndarray:
    """What a worker draws that has done nothing else."""
    worker, _ = start(home)
    try:
        return draw(worker, wish)
    finally:
        worker.close()


def tensor_bytes() -> int:
    """What all living tensors hold, each memory counted once."""
    gc.collect()
    storages = {}
    for each in gc.get_objects():
        if issubclass(type(each), torch.Tensor):  # without asking the object, which may be a lazy proxy
            storages[each.untyped_storage().data_ptr()] = each.untyped_storage().nbytes()
    return sum(storages.values())


def switch(home: Path, wishes: list[Wish], expected: list[np.ndarray], switches: int) -> None:
    """Draw wishes in any order from two threads, compare every picture, and see that memory stays."""
    worker, _ = start(home)
    plain = [(PictureSettings("a lake", model, steps=2, seed=9), "") for model in MODELS]

    def session(number: int) -> list[int]:
        chance = random.Random(number)
        own = [i for i in range(len(wishes)) if i % 2 == number]
        asked = [chance.choice(own) for _ in range(switches // 2)]
        return [i for i in asked if not np.array_equal(draw(worker, wishes[i]), expected[i])]

    def settle() -> int:
        for wish in [*wishes, *plain]:
            draw(worker, wish)
        return tensor_bytes()

    before = settle()
    with ThreadPoolExecutor(2) as threads:
        wrong = list(threads.map(session, range(2)))
    assert wrong == [[], []]
    assert settle() == before
    worker.close()


def test_no_trace_of_one_wish_in_another(home):
    worker, uploads = start(home)
    wishes = wishes_of(10, uploads, [card.id for card in worker.controlnets.cards()])
    worker.close()
    assert any(settings.control for settings, _ in wishes)
    assert any(uploads[session] in [lora.id for lora in settings.loras] for settings, session in wishes)
    switch(home, wishes, [alone(home, each) for each in wishes], 40)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_200_switches_equal_fresh_processes(home):
    worker, uploads = start(home)
    wishes = wishes_of(24, uploads, [card.id for card in worker.controlnets.cards()])
    worker.close()
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:
        expected = fresh.starmap(alone, [(home, each) for each in wishes], chunksize=1)
    switch(home, wishes, expected, 200)
