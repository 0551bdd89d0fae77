"""What an application says of its models."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image

from rf_app.actions import application
from rf_app.actions.application import Application
from rf_app.errors import UserError
from rf_app.plugins.picture import encode_map
from rf_app.registry.models import Registry
from rf_app.settings.picture import Control, PictureSettings


def test_models_come_quickest_first_and_the_first_is_opened(app):
    assert [id for _, id in app.models()] == ["tiny-instaflow", "tiny-2rf", "tiny-sd"]
    assert app.first_model() == "tiny-instaflow"


def test_presets_are_the_cards_and_only_quick_models_follow_the_typing(app):
    quick, slow = app.preset("tiny-instaflow"), app.preset("tiny-sd")
    assert (quick.steps, quick.guidance, quick.slow) == (1, 1.0, "")
    assert (slow.steps, slow.guidance) == (4, 3.0)
    assert "96×96, one step" in quick.about


def test_equal_titles_are_told_apart(own_app):
    twin = own_app.registry.folder("tiny-2rf") / "README.md"
    twin.write_text(twin.read_text().replace("Tiny 2Rf", "Tiny Instaflow"))
    titles = [title for title, _ in own_app.models()]
    assert titles[:2] == ["Tiny Instaflow (tiny-instaflow)", "Tiny Instaflow (tiny-2rf)"]


def test_no_model_at_all_names_the_problems(tmp_path):
    (tmp_path / "half").mkdir()
    with pytest.raises(UserError, match=r"No usable model(.|\n)*half"):
        Application.on(Registry([tmp_path]), "cpu").first_model()


def test_who_asks_changes_nothing_else(app):
    ann = app.seen_by("ann")
    assert (ann.visitor, app.visitor) == ("ann", "")
    assert ann.worker is app.worker
    assert ann.jobs is app.jobs


def test_a_detector_waits_for_its_turn_while_others_read_their_pictures(app, monkeypatch):
    seen = []

    def detected(picture, *_):
        seen.append((picture.size, app.one_picture.locked()))
        return picture

    monkeypatch.setattr(app.worker, "condition_map", detected)
    control = Control("tiny-canny", encode_map(Image.new("RGB", (2000, 1000))), "depth")
    app.with_map(control, PictureSettings("", "tiny-instaflow"))
    assert seen == [((512, 512), False)]


def test_one_picture_at_a_time_is_in_memory_whoever_sends_it(app, monkeypatch):
    inside, most, read = [], [], application.read_picture

    def counted(content):
        inside.append(1)
        most.append(len(inside))
        picture = read(content)
        threading.Event().wait(0.01)  # others have the time to come in, if they may
        inside.pop()
        return picture

    monkeypatch.setattr(application, "read_picture", counted)
    control = Control("tiny-canny", encode_map(Image.new("RGB", (400, 300))), "canny")
    settings = PictureSettings("", "tiny-instaflow")
    with ThreadPoolExecutor(8) as threads:
        maps = list(threads.map(lambda i: app.seen_by(f"visitor {i}").with_map(control, settings), range(16)))
    assert max(most) == 1
    assert len({each.image for each in maps}) == 1
