"""The page on the tiny models, served once, and a headless Chromium to look at it."""

import os
import threading

import pytest
from PIL import Image, ImageDraw

from rf_app.pipeline.png import save_png
from rf_app.pipeline.requests import GenerateRequest
from rf_app.pipeline.worker import Worker
from rf_app.registry.folders import Registry
from rf_app.workflows.generate import Studio
from tests.browser import visiting

EXAMPLES = (("1-lake", "a lake near a mountain", 11), ("2-tent", "a red tent at sunset", 12))


@pytest.fixture(scope="session")
def studio(tiny_models):
    """The studio behind the page."""
    registry = Registry([tiny_models])
    worker = Worker(registry, "cpu")
    yield Studio(registry, worker)
    worker.close()


@pytest.fixture(scope="session")
def url(studio, tmp_path_factory):
    """The address of the page, as `app.py` would serve it."""
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    from rf_app.ui.page import build, launch_options

    folder = tmp_path_factory.mktemp("examples")
    for name, prompt, seed in EXAMPLES:
        save_png(Image.new("RGB", (96, 96), "teal"), folder / f"{name}.png", {"prompt": prompt, "seed": seed})
    (folder / "drawings").mkdir()
    roof = Image.new("RGB", (512, 512))
    ImageDraw.Draw(roof).line([0, 400, 256, 100, 512, 400], "white", 6)
    save_png(roof, folder / "drawings" / "1-roof.png", {"prompt": "a red tent", "seed": 4})
    studio.generate(GenerateRequest("warming up", studio.first_model()))
    page = build(studio, folder)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, mcp_server=True, **launch_options())
    yield address
    page.close(verbose=False)


@pytest.fixture
def hold(studio):
    """Call it, and the worker is busy until what it returns is called."""
    release, threads = threading.Event(), []

    def let_go():
        release.set()
        for thread in threads:
            thread.join()

    def begin():
        begun = threading.Event()

        def wait(*_):
            begun.set()
            release.wait(120)

        wish = GenerateRequest("a lake", "tiny-instaflow")
        threads.append(threading.Thread(target=studio.generate, args=(wish, False, wait)))
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
def own_page(browser, tiny_registry, tmp_path, monkeypatch):
    """A visitor of a page whose registry the test may change."""
    from rf_app.ui.page import build, launch_options

    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path / "home"))
    worker = Worker(tiny_registry, "cpu")
    app = build(Studio(tiny_registry, worker), tmp_path / "no-examples")
    _, address, _ = app.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    with visiting(browser, address) as visitor:
        yield visitor
    app.close(verbose=False)
    worker.close()
