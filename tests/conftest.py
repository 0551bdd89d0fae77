"""What tests of several packages share."""

import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

if "PYTEST_XDIST_WORKER" in os.environ:  # each worker, and what it starts, is one process among several
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest
import torch

from rf_app.actions import application
from rf_app.actions.application import Application
from rf_app.jobs.database import Database
from rf_app.metrics.sample import Sample
from rf_app.pipeline.turns import result_of
from rf_app.registry.models import Registry
from rf_app.settings.picture import PictureSettings
from tests.browser import chromium
from tests.jobs.queues import execute, kill_all
from tests.settled import until
from tests.tiny import SIZE as TINY_SIZE
from tests.tiny import build_tiny

hypothesis.settings.register_profile("timeless", deadline=None)  # a busy machine decides nothing
hypothesis.settings.load_profile("timeless")
LONG = ("test_train_tab.py", "test_bundled.py")  # minutes: no worker shall begin with them at the end


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much tests/fuzz tries: `make fuzz`."""
    parser.addoption("--seed", type=int, default=0, help="of what tests/fuzz tries")
    parser.addoption("--rounds", type=int, default=40, help="how often tests/fuzz tries each kind")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first; a file's tests stay together and in their order."""
    items.sort(key=lambda item: LONG.index(item.path.name) if item.path.name in LONG else len(LONG))


@pytest.hookimpl(wrapper=True)
def pytest_xdist_auto_num_workers():
    """One more than cores: at any time some test waits for a page, a process or the clock."""
    return (yield) + 1


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory):
    """The user's folder of all tests: nothing of theirs gets into ~/.instaflow, nothing of it into them.

    Gradio's files have a folder, too, which two workers do not share.
    """
    os.environ["INSTAFLOW_HOME"] = str(tmp_path_factory.mktemp("home"))
    os.environ["INSTAFLOW_ENGINE"] = "float32"  # pictures are compared to the bit, on any processor
    os.environ["INSTAFLOW_NICE"] = "0"  # beside busy tests a training would hardly get on
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("gradio"))


@pytest.fixture(scope="session", autouse=True)
def any_picture_is_quick():
    """No test shall depend on how busy the machine is: pictures follow the typing whatever they take."""
    application.LIVE = float("inf")


@pytest.fixture
def tiny_pictures_are_judged(monkeypatch):
    """The judge looks at the tiny models' pictures, which are smaller than what it has learned."""
    sample = replace(Sample.load(), size=TINY_SIZE)
    monkeypatch.setattr(Sample, "load", lambda: sample)


@pytest.fixture(autouse=True)
def same_random_numbers():
    """A test draws the same numbers whenever it runs."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory):
    """The folder of the tiny models, built once: read only."""
    folder = tmp_path_factory.mktemp("tiny") / "models"
    build_tiny(folder)
    return folder


@pytest.fixture(scope="session")
def browser():
    """One browser for all tests."""
    with chromium() as found:
        yield found


@pytest.fixture
def tiny_registry(tiny_models, tmp_path):
    """A registry with the tiny models in a folder of the test's own, to break and to publish into."""
    shutil.copytree(tiny_models, tmp_path / "models")
    shutil.copytree(tiny_models.parent / "controlnets", tmp_path / "controlnets")
    return Registry([tmp_path / "models"])


@pytest.fixture(scope="session")
def app(tiny_models):
    """An application on the tiny models, shared by the tests: read only."""
    found = Application.on(Registry([tiny_models]), "cpu")
    yield found
    found.worker.close()


@pytest.fixture
def own_app(tiny_registry, tmp_path, monkeypatch):
    """An application whose models and home are the test's own, to break and to publish into."""
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path / "home"))
    found = Application.on(tiny_registry, "cpu")
    yield found
    found.worker.close()


@pytest.fixture
def database(tmp_path):
    """A database of jobs of the test's own; nothing of it runs on afterwards."""
    made = Database(tmp_path / "jobs")
    yield made
    execute(made, "UPDATE job SET state = 'stopped' WHERE state = 'queued'")
    kill_all(tmp_path)


class Gate:
    """A model makes a step only when it is let to, while the gate is shut."""

    def __init__(self, app: Application, model: str):
        self.app = app
        self._unet = app.worker._turns.wait_for(lambda: app.worker._models.get(model)).pipeline.unet
        self.shut()

    def shut(self) -> None:
        """From now on; counts steps anew."""
        self.steps = 0
        self._permits = threading.Semaphore(0)
        self._hook = self._unet.register_forward_pre_hook(self._step)

    def _step(self, *_):
        self._permits.acquire(timeout=120)
        self.steps += 1

    def let(self, steps: int) -> None:
        """Let so many steps be made."""
        self._permits.release(steps)

    def under_way(self) -> None:
        """Let the first step be made, and wait for it; the second one waits then."""
        self.let(1)
        until(lambda: self.steps)

    def steps_after_all(self) -> int:
        """How many steps were made, once the next picture of another model has come."""
        self.let(10**6)
        result_of(self.app.worker.draw(PictureSettings("a tent", "tiny-instaflow")))
        return self.steps

    def steps_meanwhile(self) -> int:
        """The same, where it cannot be seen when the server hears of who left: a step now and then."""
        with ThreadPoolExecutor(1) as pool:
            after = pool.submit(result_of, self.app.worker.draw(PictureSettings("a tent", "tiny-instaflow")))
            while not after.done():
                time.sleep(0.3)
                self.let(1)
        return self.steps

    def open(self) -> None:
        """All as before."""
        self.let(10**6)
        self._hook.remove()


@pytest.fixture
def gate_of():
    """Call it with an application and a model, and that is drawn step by step."""
    gates = []

    def made(app: Application, model: str) -> Gate:
        gates.append(Gate(app, model))
        return gates[-1]

    yield made
    for gate in gates:
        gate.open()


@pytest.fixture
def gate(app, gate_of):
    """tiny-sd, step by step."""
    return gate_of(app, "tiny-sd")
