"""The ControlNet trainer: short real runs, and what they publish in a stock pipeline."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline

from rf_app.metrics.edges import canny
from rf_app.registry.card import read_card
from rf_app.registry.controlnets import ControlNetCard, ControlNets
from rf_app.registry.models import Registry
from tests.trainers.commands import Command
from trainers import controlnet
from trainers.common.controlled import as_maps, controlled
from trainers.common.models import encode, load_frozen, noise_of, sample
from trainers.controlnet import BENT, SKETCHED, STROKES, rough_edges, sketch
from trainers.pocket.world import picture

WEIGHTS = "diffusion_pytorch_model.safetensors"


def options(home: Path, name: str, *more: object) -> tuple:
    run = home / "runs" / "controlnet" / name
    return ("--base", "tiny-sd", "--output", name, "--drawings", 12, "--batch", 4, "--run", run, *more)


def test_a_run_publishes_what_a_stock_pipeline_follows(at_home: Path, works: Command) -> None:
    """The pipeline's latents are those of the function that training and measuring use."""
    works(controlnet, *options(at_home, "lines", "--steps", 12))
    assert list((at_home / "runs" / "controlnet" / "lines" / "samples").glob("*.png"))
    registry = Registry.default()
    controlnets = ControlNets.beside(registry)
    card = read_card(controlnets.folder("lines"), ControlNetCard)
    assert (card.preprocessor, card.base_model, card.settings["pictures"]) == ("canny", "tiny-sd", 12)

    pipeline = load_frozen(registry, "tiny-sd")
    net = ControlNetModel.from_pretrained(controlnets.folder("lines")).eval()
    stock = StableDiffusionControlNetPipeline.from_pipe(pipeline, controlnet=net)
    maps = as_maps([canny(picture(0, 96))])
    noise = noise_of([3], (8, 12, 12))
    found = stock(
        "a lake", image=maps, latents=noise, num_inference_steps=2, guidance_scale=3.0, output_type="latent"
    ).images
    text, null = encode(pipeline, ["a lake"]), encode(pipeline, [""])

    def drawn(unet: object) -> torch.Tensor:
        with torch.no_grad():
            return sample(unet, pipeline.scheduler, noise, text, null, 3.0, 2)

    assert torch.allclose(found, drawn(controlled(net, pipeline.unet, maps)), atol=1e-4)
    assert not torch.allclose(found, drawn(pipeline.unet), atol=1e-3)


def test_a_killed_run_resumes_to_the_same_weights(at_home: Path, survives: Callable) -> None:
    def own(name: str) -> tuple:
        return options(at_home, name, "--steps", 8, "--checkpoint-every", 2)

    survives(controlnet, own, "controlnets", WEIGHTS)


def test_rough_edges_are_a_pictures_and_often_fewer() -> None:
    drawing = picture(0, 96)
    all_edges = canny(drawing, 50, 100)
    rng = np.random.default_rng(0)
    counts = [rough_edges(drawing, rng).sum() / all_edges.sum() for _ in range(200)]
    assert SKETCHED - 0.1 < np.mean(np.array(counts) < 0.6) < SKETCHED + 0.1
    assert np.max(counts) > 0.9


def test_a_sketch_is_a_few_of_the_lines() -> None:
    edges = canny(picture(3, 96))
    for seed in range(50):
        drawn = sketch(edges, np.random.default_rng(seed))
        assert drawn.any()
        away = cv2.distanceTransform((~edges).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert np.mean(away[drawn] <= BENT + 1) > 0.7  # the others join its pieces
        assert cv2.connectedComponents(drawn.astype(np.uint8), connectivity=8)[0] - 1 <= STROKES


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--base", "nobody"), "no model 'nobody'"),
        (("--base", "tiny-instaflow"), "tiny-instaflow does not predict epsilon"),
        (("--output", "../x"), "'../x'"),
        (("--images", "absent"), "absent holds no captioned pictures"),
    ],
)
def test_bad_input_is_named(at_home: Path, refused: Command, more: tuple, said: str) -> None:
    refused(said, controlnet, *options(at_home, "x", *more))
    assert not (at_home / "controlnets" / "x").exists()
