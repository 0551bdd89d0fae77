"""Two U-Nets in a row: trained, published and drawn like any model, with LoRAs and ControlNets in both."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from rf_app.actions.application import Application
from rf_app.actions.export import Export, export
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.jobs.plan import Wish, stages
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.plugins.lora import fit, read_lora
from rf_app.plugins.picture import encode_map
from rf_app.registry.checking import WEIGHTS
from rf_app.registry.loras import WEIGHTS as LORA
from rf_app.registry.models import Registry
from rf_app.registry.stacked import SECOND
from rf_app.settings.picture import Control, Lora, PictureSettings
from rf_app.settings.training import Distill
from tests.plugins.lora_files import ATTENTION, random_lora, write
from tests.tiny import load, tiny_card, tiny_unet
from tests.trainers.commands import Command, in_process
from tests.trainers.test_distill import options
from trainers import distill
from trainers.common import checkpoints, events
from trainers.common.dry_run import cost, parts

STEPS = ("--stacked", "--l2-steps", 20, "--lpips-steps", 2, "--checkpoint-every", 10)


@pytest.fixture(scope="module")
def trained(home: Path) -> Path:
    """The home, with the model "stacked" in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTAFLOW_HOME", str(home))
        assert in_process(distill, options(home, "stacked", *STEPS), patch) == 0
    return home


@pytest.fixture
def worker(trained: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Worker]:
    monkeypatch.setenv("INSTAFLOW_HOME", str(trained))
    worker = Worker(Registry.default(), device="cpu")
    yield worker
    worker.close()


def weights(home: Path, id: str) -> dict[str, torch.Tensor]:
    return load_file(home / "models" / id / "unet" / WEIGHTS["unet"])


def drawn(worker: Worker, model: str = "stacked", **more: object) -> np.ndarray:
    wish = PictureSettings("a lake", model, seed=3, **more)
    return np.asarray(result_of(worker.draw(wish)).image).astype(int)


def by_hand(weights: dict[str, torch.Tensor]) -> Callable:
    """Two stock U-Nets, one called with what the other gives; what is pruned is there and does nothing."""
    first, second = tiny_unet(0), tiny_unet(0)
    first.conv_norm_out, first.conv_out, second.conv_in = None, nn.Identity(), nn.Identity()
    own = {name.removeprefix(SECOND): value for name, value in weights.items() if name.startswith(SECOND)}
    for net, values in ((first, weights), (second, own)):
        net.load_state_dict({name: values[name] for name in net.state_dict().keys() & values.keys()}, False)
    for layer in (second.down_blocks[0].resnets[0].conv2, second.down_blocks[0].attentions[0].proj_out):
        nn.init.zeros_(layer.weight)
        nn.init.zeros_(layer.bias)

    def call(z: torch.Tensor, *where: object, **more: object) -> tuple[torch.Tensor]:
        return second(first(z, *where, **more | {"return_dict": False})[0], *where, **more)

    return call


def test_it_learns_and_goes_on_as_if_nothing_had_happened(
    trained: Path, monkeypatch: pytest.MonkeyPatch, works: Command
) -> None:
    monkeypatch.setenv("INSTAFLOW_HOME", str(trained))
    run = trained / "runs" / "distill" / "stacked"
    first, *_, last = events.read(run / "l2" / "events.jsonl")
    assert last["loss"] < first["loss"]
    card = Registry.default().card("stacked")
    assert (card.kind, card.steps, card.settings["stacked"]) == ("one-step", 1, True)
    assert "One Euler step of two U-Nets in a row" in card.description
    before = weights(trained, "stacked")
    one, other = (before[f"{part}mid_block.resnets.0.conv1.weight"] for part in ("", SECOND))
    assert not torch.equal(one, other)
    checkpoints.files(run / "l2")[-1].unlink()
    works(distill, *options(trained, "stacked", *STEPS, "--overwrite"))
    after = weights(trained, "stacked")
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_picture_is_the_one_of_two_u_nets_composed_by_hand(worker: Worker, trained: Path) -> None:
    found = drawn(worker)
    pipeline = load(worker.registry, "stacked")
    pipeline.unet.forward = by_hand(weights(trained, "stacked"))
    generator = torch.Generator().manual_seed(3)
    image = pipeline("a lake", num_inference_steps=1, guidance_scale=1.0, generator=generator).images[0]
    assert np.abs(np.asarray(image).astype(int) - found).max() <= 1
    assert np.abs(found - drawn(worker, "tiny-2rf", steps=1, guidance=1.0)).max() > 10


def test_loras_and_controlnets_act_in_both_and_leave_no_trace(worker: Worker, trained: Path) -> None:
    plain = drawn(worker)
    file = write(
        trained / "loras" / "style" / LORA, random_lora(tiny_unet(3), layers=(*ATTENTION, "conv_out"))
    )
    pipeline = load(worker.registry, "stacked")
    fitted = fit(read_lora(file), pipeline.unet, pipeline.text_encoder)
    own = {path for path in fitted.unet if not path.startswith(SECOND)}
    pruned = {path for path in own if path.startswith("down_blocks.0.")}
    assert fitted.unet.keys() - own == {f"{SECOND}{path}" for path in {*own, "conv_out"} - pruned}
    assert not fitted.unused
    assert np.abs(drawn(worker, loras=(Lora("style"),)) - plain).max() > 10
    white = Control("tiny-canny", encode_map(Image.new("RGB", (96, 96), "white")), "none")
    assert np.abs(drawn(worker, control=(white,)) - plain).max() > 10
    assert np.array_equal(drawn(worker), plain)


def test_what_it_cannot_be_is_said(
    trained: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, refused: Command
) -> None:
    monkeypatch.setenv("INSTAFLOW_HOME", str(trained))
    for more in ((), ("--dry-run",)):
        again = options(trained, "thrice", "--teacher", "stacked", "--stacked", *more)
        refused("stacked has two U-Nets already: leave --stacked out", distill, *again)
    app = Application.on(Registry.default(), "cpu")
    with pytest.raises(UserError, match="stacked cannot be one file: its shape is not that of Stable Diff"):
        results(export(app, Export("stacked", tmp_path, layout="single-file")))
    app.worker.close()
    assert not list(tmp_path.iterdir())


def test_a_dry_run_counts_both(trained: Path) -> None:
    config = Distill(teacher="tiny-sd", output="x", pairs=Path("absent"), stacked=True, l2_batch=2)
    found = cost(
        config, parts(config, 4, 3.0)[0], Registry([trained / "models"]).pieces("tiny-sd"), nullcontext
    )
    assert found.trained == found.held == sum(each.numel() for each in weights(trained, "stacked").values())


def test_a_job_reckons_with_twice_the_work() -> None:
    def stage(**settings: object) -> object:
        wish = Wish("distill", "tiny-2rf", "mine", pairs="/p", settings=settings)
        return stages(wish, tiny_card("tiny-2rf", "rectified-flow", 4, 1.5), Path("/j"), Path("/m"))[-1]

    plain, stacked = stage(), stage(**{"distill.stacked": True})
    assert "--stacked" in stacked.arguments
    assert stacked.loops[0].seconds == 2 * plain.loops[0].seconds
    assert stacked.loops[0].key != plain.loops[0].key
