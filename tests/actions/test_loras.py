"""LoRAs in pictures' settings, and what a visitor does with uploads, without a browser."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Event

import pytest

from rf_app.errors import UserError
from rf_app.pipeline.requests import GenerateRequest, Lora
from rf_app.pipeline.worker import Worker
from rf_app.registry.loading import load
from rf_app.registry.loras import WEIGHTS
from rf_app.workflows.generate import Studio
from rf_app.workflows.loras import read_loras
from tests.plugins.lora_files import random_lora, write


@pytest.fixture
def studio(tiny_registry):
    worker = Worker(tiny_registry, "cpu")
    yield Studio(tiny_registry, worker)
    worker.close()


@pytest.fixture
def file(studio, tmp_path):
    tensors = random_lora(load(studio.registry, "tiny-sd").unet)
    write(studio.worker.loras.folders[-1] / "ink" / WEIGHTS, tensors)
    return write(tmp_path / "Wood & <b>Cut!.safetensors", tensors, {"modelspec.trigger_phrase": "woodcut"})


def upload(studio, file):
    return studio.loras.upload(file, file.name, "tiny-instaflow", "ann")


def test_what_json_may_say():
    found = read_loras(["a", {"id": "b"}, {"id": "c", "strength": -1, "on": True}, {"id": "d", "on": False}])
    assert found == (Lora("a"), Lora("b"), Lora("c", -1))
    for bad in (None, {}, "a", [None], [{}], [{"id": 1}], [["a"]]):
        with pytest.raises(UserError, match=r"must be a list|is no LoRA"):
            read_loras(bad)


def test_a_picture_is_restored_with_its_loras_and_without_those_that_are_gone(studio, file, tmp_path):
    own = upload(studio, file)
    request = GenerateRequest(
        "a lake", "tiny-instaflow", seed=3, loras=(Lora("ink", 0.5), Lora(own.id, -1.0)), session="ann"
    )
    picture = studio.generate(request).pictures[0]
    assert b"ann" not in picture.png.split(b"IDAT")[0]
    (tmp_path / "a.png").write_bytes(picture.png)
    restored = studio.restore(tmp_path / "a.png", "ann")
    assert restored.loras == request.loras
    assert restored.note == ""
    again = replace(request, prompt=restored.prompt, loras=restored.loras)
    assert studio.generate(again).pictures[0].png == picture.png
    stranger = studio.restore(tmp_path / "a.png", "bob")
    assert stranger.loras == (Lora("ink", 0.5),)
    assert f"“{own.id}”, which is not here" in stranger.note


def test_a_list_and_rows_are_the_visitor_s_own(studio, file):
    own = upload(studio, file)
    assert studio.loras.choices("ann") == [("Wood & <b>Cut! (uploaded)", own.id), ("ink", "ink")]
    assert studio.loras.choices("bob") == [("ink", "ink")]
    (row,) = studio.loras.rows([Lora(own.id, 0.5)], "ann")
    assert row == {
        "id": own.id,
        "title": "Wood & <b>Cut!",
        "trigger": "woodcut",
        "strength": 0.5,
        "on": True,
        "uploaded": True,
    }
    with pytest.raises(UserError, match="none of this session's uploads"):
        studio.loras.rows([Lora(own.id)], "bob")


def test_a_file_that_another_visitor_s_upload_removes(studio, file):
    """Gradio gives equal files one path, and each call removes it when it ends."""
    busy = Event()
    studio.worker._thread.submit(busy.wait, 60)
    with ThreadPoolExecutor() as visitors:
        waiting = visitors.submit(upload, studio, file)
        while not studio.worker._thread._work_queue.qsize():
            assert not waiting.done()
            time.sleep(0.01)
        file.unlink()
        busy.set()
        assert waiting.result(60).title == "Wood & <b>Cut!"
    with pytest.raises(UserError, match="please upload it again"):
        upload(studio, file)


def test_what_is_kept_draws_the_same_picture_for_everybody(studio, file):
    own = upload(studio, file)
    card = studio.loras.save(own.id, "ann")
    assert (card.id, card.title, card.trigger) == ("wood-b-cut", "Wood & <b>Cut!", "woodcut")
    request = GenerateRequest("a lake", "tiny-instaflow", loras=(Lora(own.id),), session="ann")
    kept = replace(request, loras=(Lora(card.id),), session="bob")
    images = [studio.generate(each).pictures[0].image for each in (request, kept)]
    assert images[0].tobytes() == images[1].tobytes()
    with pytest.raises(UserError, match="already a LoRA 'wood-b-cut'"):
        studio.loras.save(own.id, "ann")
    with pytest.raises(UserError, match="none of this session's uploads"):
        studio.loras.save(own.id, "bob")
