"""A model's own safety checker: what it does not let through is held back, as the stock pipeline would."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker

from rf_app.errors import HeldBack, UserError
from rf_app.pipeline.trajectory import Recorder
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.registry.loading import check_loads, feature_extractor
from rf_app.registry.models import Registry
from rf_app.settings.picture import PictureSettings
from tests.tiny import load, save_tiny_safety_checker


@pytest.fixture
def worker(tiny_registry: Registry) -> Iterator[Worker]:
    worker = Worker(tiny_registry, "cpu", safety_checker=True)
    yield worker
    worker.close()


def levels(worker: Worker, model: str, seed: int = 0) -> np.ndarray:
    return np.asarray(result_of(worker.draw(PictureSettings("a lake", model, seed=seed))).image)


def test_it_speaks_for_the_models_that_borrow_from_its_own(worker: Worker, app) -> None:
    folder = worker.registry.folder("tiny-sd") / "safety_checker"
    save_tiny_safety_checker(folder, -1)
    for model in ("tiny-sd", "tiny-instaflow"):
        with pytest.raises(HeldBack, match="model's own safety checker holds this picture back"):
            levels(worker, model)
    with pytest.raises(HeldBack):
        result_of(worker.draw(PictureSettings("a lake", "tiny-2rf", 2), observe=Recorder(3)))
    plain = levels(app.worker, "tiny-instaflow")  # where it is off, and none is brought
    save_tiny_safety_checker(folder, 1)
    (folder.parent / "README.md").touch()
    fresh = Worker(worker.registry, "cpu", safety_checker=True)
    assert np.array_equal(levels(fresh, "tiny-instaflow"), plain)
    fresh.close()
    off = Worker(worker.registry, "cpu")
    save_tiny_safety_checker(folder, -1)
    assert np.array_equal(levels(off, "tiny-instaflow"), plain)
    off.close()


def test_it_sees_what_the_stock_pipeline_s_sees(worker: Worker) -> None:
    """With a threshold between the pictures: some are held back, and the same ones."""
    stock = load(worker.registry, "tiny-sd")
    stock.feature_extractor = feature_extractor(32)
    given = {"num_inference_steps": 4, "guidance_scale": 3.0, "output_type": "np"}
    drawn = [
        stock("a lake", generator=torch.Generator("cpu").manual_seed(seed), **given).images[0]
        for seed in range(6)
    ]
    folder = worker.registry.folder("tiny-sd") / "safety_checker"
    save_tiny_safety_checker(folder, 1)
    stock.safety_checker = StableDiffusionSafetyChecker.from_pretrained(folder)
    for threshold in np.linspace(-0.9, 0.9, 181):
        torch.nn.init.constant_(stock.safety_checker.concept_embeds_weights, threshold)
        _, expected = stock.run_safety_checker(np.stack(drawn), "cpu", torch.float32)
        if 0 < sum(expected) < 6:
            break
    else:
        pytest.fail("every threshold takes all pictures or none")
    save_tiny_safety_checker(folder, threshold)
    found = []
    for seed in range(6):
        try:
            levels(worker, "tiny-sd", seed)
            found.append(False)
        except HeldBack:
            found.append(True)
    assert found == expected


def test_a_broken_one_is_named(tiny_registry: Registry) -> None:
    """Where it is published with the model; a pickle alone counts as none."""
    model = tiny_registry.folder("tiny-sd")
    folder: Path = model / "safety_checker"
    folder.mkdir()
    (folder / "pytorch_model.bin").write_bytes(b"never read")
    assert "safety_checker" not in tiny_registry.pieces("tiny-sd")
    save_tiny_safety_checker(folder, float("nan"))
    pieces = tiny_registry.pieces("tiny-sd")
    with pytest.raises(
        UserError, match="the safety checker's concept_embeds_weights holds values that are not"
    ):
        check_loads(model, pieces, "diffusion")
    (folder / "model.safetensors").write_bytes(b"broken")
    assert tiny_registry.problems().keys() == {"tiny-sd", "tiny-2rf", "tiny-instaflow"}
