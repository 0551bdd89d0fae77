"""The page on the tiny models, served once, and a headless Chromium to look at it."""

import os
import threading
from contextlib import contextmanager

import pytest
from gradio import Blocks
from gradio_client import Client
from gradio_client.exceptions import AppError
from PIL import Image, ImageDraw
from playwright.sync_api import Page

from rf_app.pipeline.png import as_png
from rf_app.pipeline.turns import result_of
from rf_app.settings.picture import PictureSettings
from tests.browser import served, visiting

EXAMPLES = (("1-lake", "a lake near a mountain", 11), ("2-tent", "a red tent at sunset", 12))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item):
    """Of a test that failed, what its page had to say, and what it had under way: it is gone afterwards."""
    report = yield
    if report.when == "call" and report.failed:
        for name, page in getattr(item, "funcargs", {}).items():
            if isinstance(page, Page) and not page.is_closed():
                report.sections.append((f"What {name} shows", page.evaluate("shown()")))
    return report


def answering() -> bool:
    """Whether any page still works for somebody, gone or not."""
    return any(page.server_app.iterators for page in Blocks.get_instances() if page.is_running)


@pytest.fixture(scope="session")
def url(app, tmp_path_factory):
    """The address of the page, as `app.py` would serve it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    folder = tmp_path_factory.mktemp("examples")
    for name, prompt, seed in EXAMPLES:
        (folder / f"{name}.png").write_bytes(
            as_png(Image.new("RGB", (96, 96), "teal"), {"prompt": prompt, "seed": seed})
        )
    (folder / "drawings").mkdir()
    roof = Image.new("RGB", (512, 512))
    ImageDraw.Draw(roof).line([0, 400, 256, 100, 512, 400], "white", 6)
    (folder / "drawings" / "1-roof.png").write_bytes(as_png(roof, {"prompt": "a red tent", "seed": 4}))
    result_of(app.worker.draw(PictureSettings("warming up", app.first_model())))
    with served(app, folder, mcp_server=True) as address:
        yield address


@pytest.fixture(scope="module")
def client(url, tmp_path_factory):
    """A program that uses the page's API."""
    return Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@contextmanager
def refusal(message):
    """What is asked of the API inside is answered with this message, and without a traceback."""
    with pytest.raises(AppError) as error:
        yield
    assert message in str(error.value)
    assert "Traceback" not in str(error.value)


@pytest.fixture
def hold(app):
    """Call it, and the worker is busy until what it returns is called."""
    release, threads = threading.Event(), []

    def let_go():
        release.set()
        for thread in threads:
            thread.join()

    def begin():
        begun = threading.Event()

        def wait(moment):
            begun.set()
            release.wait(120)

        turn = app.worker.draw(PictureSettings("a lake", "tiny-instaflow"), observe=wait)
        threads.append(threading.Thread(target=result_of, args=(turn,)))
        threads[0].start()
        assert begun.wait(60)
        return let_go

    yield begin
    let_go()


@pytest.fixture
def page(browser, url):
    """A fresh visitor."""
    with visiting(browser, url) as visitor:
        yield visitor


@pytest.fixture
def own_page(browser, own_app, tmp_path):
    """A visitor of a page whose registry the test may change."""
    with served(own_app, tmp_path / "no-examples") as address, visiting(browser, address) as visitor:
        yield visitor
