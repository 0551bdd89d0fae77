"""What computes a picture: in half precision it looks the same, is said, and is the same again."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.decoding import decode
from rf_app.pipeline.engine import graphs_of, name_of
from rf_app.pipeline.graphs import Graphs, installed
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.plugins.picture import encode_map
from rf_app.registry.models import BUNDLED, Registry
from rf_app.registry.precision import unet_dtype
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.settings.engine import VARIABLE
from rf_app.settings.home import home
from rf_app.settings.picture import Control, PictureSettings
from tests.tiny import load

MAP = encode_map(Image.fromarray(np.eye(96, dtype=np.uint8) * 255).convert("RGB"))
WISHES = (
    PictureSettings("a lake", "tiny-sd", seed=3),
    PictureSettings("a lake", "tiny-instaflow", control=(Control("tiny-canny", MAP, "none"),)),
)


def drawn(worker: Worker, wish: PictureSettings) -> np.ndarray:
    return np.asarray(result_of(worker.draw(wish)).image).astype(float)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Decibels, of levels in 0..255."""
    return 10 * np.log10(255**2 / max(1e-9, ((one - other) ** 2).mean()))


@pytest.fixture
def worker(tiny_models, request):
    worker = Worker(Registry([tiny_models]), "cpu", engine=request.param)
    yield worker
    worker.close()


@pytest.mark.parametrize("worker", ["bfloat16", "float16"], indirect=True)
def test_half_precision_draws_the_picture_of_float32_and_says_so(app, worker):
    for wish in WISHES:
        found = drawn(worker, wish)
        assert 40 < psnr(found, drawn(app.worker, wish)) < 80
        assert np.array_equal(drawn(worker, wish), found)
        assert result_of(worker.draw(wish)).settings.as_json()["engine"] == worker.engine


@pytest.mark.skipif(not installed(), reason="needs pip install openvino")
def test_openvino_draws_the_picture_of_float32_anew_and_from_what_it_has_kept(app, tiny_models, monkeypatch):
    wish, found = replace(WISHES[0], width=128), []
    for _ in range(2):
        worker = Worker(Registry([tiny_models]), "cpu", engine="openvino")
        assert result_of(worker.draw(wish)).settings.engine == "openvino"
        assert result_of(worker.draw(WISHES[1])).settings.engine == name_of(worker.dtype)  # a ControlNet
        found.append(drawn(worker, wish))
        worker.close()
        monkeypatch.setattr("rf_app.pipeline.graphs.deepcopy", None)  # nothing is exported again
    assert psnr(found[0], drawn(app.worker, wish)) > 40
    assert np.array_equal(*found)


@pytest.mark.skipif(not installed(), reason="needs pip install openvino")
def test_a_graph_that_is_not_whole_is_made_again(tiny_models):
    found = []
    for _ in range(2):
        worker = Worker(Registry([tiny_models]), "cpu", engine="openvino")
        found.append(drawn(worker, WISHES[0]))
        worker.close()
        for weights in (home() / "graphs").glob("*/graph.bin"):
            weights.unlink()
    assert np.array_equal(*found)


def test_what_overflows_in_a_graph_is_decoded_without_it(tiny_registry, monkeypatch, tmp_path):
    pipeline = load(tiny_registry, "tiny-sd", dtype=torch.float16)
    latents = torch.randn(1, 8, 12, 12)
    expected = np.asarray(decode(pipeline, latents, pipeline.vae)).astype(float)
    infinite = torch.full((1, 3, 96, 96), torch.inf)
    monkeypatch.setattr(Graphs, "_run", lambda *_: lambda *_: infinite)
    with Graphs(tmp_path).computing(SimpleNamespace(pipeline=pipeline, stamps=()), (12, 12), 77):
        found = np.asarray(decode(pipeline, latents, pipeline.vae)).astype(float)
    assert psnr(found, expected) > 40


def test_openvino_is_for_processors(monkeypatch):
    with pytest.raises(UserError, match="on mps take float16"):
        graphs_of("openvino", torch.device("mps"))
    monkeypatch.setattr("rf_app.pipeline.engine.installed", lambda: False)
    with pytest.raises(UserError, match="pip install openvino"):
        graphs_of("openvino", torch.device("cpu"))


def test_a_bundled_one_step_model_keeps_50_db_in_bfloat16(app):
    """Its network predicts epsilon: with the U-Net in bfloat16, too, 40 would be left."""
    wish, found = PictureSettings("a snowy mountain at sunset", "pocket-instaflow", seed=1), []
    for engine in ("float32", "bfloat16"):
        worker = Worker(Registry([BUNDLED]), "cpu", engine=engine)
        found.append(drawn(worker, wish))
        worker.close()
    assert psnr(*found) > 50


def test_rounding_that_is_multiplied_is_kept_small():
    velocity, matched = RectifiedFlowScheduler(), RectifiedFlowScheduler(prediction_type="epsilon")
    assert [unet_dtype(torch.bfloat16, each) for each in (velocity, matched)] == [
        torch.bfloat16,
        torch.float32,
    ]
    assert unet_dtype(torch.float16, matched) == torch.float16
    x, error = torch.zeros(1, 1), torch.ones(1, 1)
    assert 10 < matched.step(error, matched.timesteps[0], x, return_dict=False)[0].abs() < 20


def test_an_autoencoder_beyond_float16_still_draws(tiny_registry):
    """Levels of 1e5 on the way, as some published ones have them, are infinite in half precision."""
    expected, found = (
        load(tiny_registry, "tiny-sd", dtype=dtype) for dtype in (torch.float32, torch.float16)
    )
    latents = torch.randn(1, 8, 12, 12)
    for pipeline in (expected, found):
        pipeline.vae.post_quant_conv.weight.mul_(3e4)
    pictures = [np.asarray(decode(each, latents, each.vae)).astype(float) for each in (expected, found)]
    assert psnr(*pictures) > 30
    assert found.vae.dtype == torch.float16

    def leave() -> None:
        if found.vae.dtype == torch.float32:
            raise Cancelled("Stopped.")

    with pytest.raises(Cancelled):
        decode(found, latents, found.vae, go_on=leave)
    assert found.vae.dtype == torch.float16


def test_the_engine_is_asked_for_by_name(tiny_models, monkeypatch):
    monkeypatch.setenv(VARIABLE, "bfloat16")
    worker = Worker(Registry([tiny_models]), "cpu")
    assert worker.engine == "bfloat16"
    worker.close()
    monkeypatch.setenv(VARIABLE, "float8")
    with pytest.raises(UserError, match=r"\$INSTAFLOW_ENGINE is 'float8'; it must be one of float32, "):
        Worker(Registry([tiny_models]), "cpu")
