"""What several tests of actions share: a Hub on this machine, and a tiny Stable Diffusion to compare with."""

import random
import shutil
import threading
from http.server import ThreadingHTTPServer

import pytest
from huggingface_hub import constants

from rf_app.actions import single_file
from tests.actions.importing.bringing import UNET
from tests.actions.importing.hub import CHUNK, Hub


@pytest.fixture
def hub():
    Hub.files = {
        "unet/config.json": b"{}",
        UNET: random.Random(0).randbytes(3 * CHUNK),
        "unet/diffusion_pytorch_model.bin": b"a pickle",
    }
    Hub.mood, Hub.go_on, Hub.starts, Hub.ends, Hub.sent = "breaks", threading.Event(), [], [], 0
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    Hub.go_on.set()
    server.shutdown()


@pytest.fixture
def reached(hub, monkeypatch):
    """The same, reached from this process."""
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, hub)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "ENDPOINT", hub)


@pytest.fixture
def shape(tiny_models, tmp_path, monkeypatch):
    """What comes with the program for Stable Diffusion 1.x, of the tiny models' shape instead."""
    folder = tmp_path / "shape"
    pattern = shutil.ignore_patterns("*.safetensors", "README.md")
    shutil.copytree(tiny_models / "tiny-sd", folder, ignore=pattern)
    monkeypatch.setattr(single_file, "SD1", folder)
    return folder
