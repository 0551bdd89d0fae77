"""What tests of several packages share."""

import os
import shutil

if "PYTEST_XDIST_WORKER" in os.environ:  # each worker, and what it starts, is one process among several
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from rf_app.registry.folders import Registry
from tests.browser import chromium
from tests.tiny import build_tiny

LONG = "test_bundled.py"  # minutes: no worker shall begin with it at the end


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long file first; a file's tests stay together and in their order."""
    items.sort(key=lambda item: item.path.name != LONG)


@pytest.fixture(scope="session", autouse=True)
def own_home(tmp_path_factory):
    """The user's folder of all tests: nothing of theirs gets into ~/.instaflow, nothing of it into them.

    Gradio's files have a folder, too, which two workers do not share.
    """
    os.environ["INSTAFLOW_HOME"] = str(tmp_path_factory.mktemp("home"))
    os.environ["GRADIO_TEMP_DIR"] = str(tmp_path_factory.mktemp("gradio"))


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
