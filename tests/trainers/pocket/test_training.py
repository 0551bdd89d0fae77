"""The three trainers of the pocket world in short real runs, one after the other as `make weights` does."""

import importlib
import json
import math
from pathlib import Path
from typing import get_type_hints

import numpy as np
import pytest
import torch
import tyro
from diffusers import StableDiffusionPipeline

from rf_app.errors import UserError
from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.metrics.judge import Judge
from rf_app.registry.models import Registry
from rf_app.settings.from_nothing import Autoencoder, Teacher
from trainers import autoencoder, teacher
from trainers.common import LoopConfig, chain, train
from trainers.common.networks import build_autoencoder
from trainers.common.pixels import to_tensor
from trainers.data import source
from trainers.pocket import judge, weights
from trainers.pocket.pictures import FAMILY_SIZE, pictures


@pytest.mark.parametrize("trainer", [autoencoder, teacher])
def test_an_autoencoder_that_is_not_there_is_not_asked_for_at_the_hub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trainer
) -> None:
    monkeypatch.setattr(source, "MOST_HELD_OUT", 2)
    given = {"pictures": 16, "run": tmp_path, "size": 32}
    config = Autoencoder(**given, measure=tmp_path / "no")
    if trainer is teacher:
        config = Teacher(**given, autoencoder=tmp_path / "no", models=tmp_path / "models")
    with pytest.raises(UserError, match="no: this folder is missing"):
        trainer.main(config)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """An autoencoder, a judge and a teacher of a few steps each."""
    folder = tmp_path_factory.mktemp("pocket")
    patch = pytest.MonkeyPatch()
    for module, name in ((judge, "TEST_COUNT"), (judge, "SHOWN"), (teacher, "SHOWN"), (autoencoder, "SHOWN")):
        patch.setattr(module, name, 2)
    patch.setattr(source, "MOST_HELD_OUT", 2)
    Judge().save(folder / "perceptual")
    autoencoder.main(
        Autoencoder(
            run=folder / "autoencoder", perceptual=folder / "perceptual", pictures=16, steps=4, batch=2
        )
    )
    judge.main(
        judge.JudgeConfig(
            run=folder / "judge",
            output=folder / "bundled",
            autoencoder=folder / "autoencoder/vae",
            pictures=16,
            steps=3,
            batch=4,
        )
    )
    teacher.main(
        Teacher(
            run=folder / "teacher",
            autoencoder=folder / "autoencoder/vae",
            models=folder / "models",
            pictures=16,
            steps=2,
            batch=1,
        )
    )
    patch.undo()
    return folder


def test_the_teacher_loads_in_an_unmodified_pipeline(runs):
    pipe = StableDiffusionPipeline.from_pretrained(str(runs / "models/my-pocket-sd"))
    image = pipe("a red tent at night", num_inference_steps=2, guidance_scale=3.0).images[0]
    assert image.size == (192, 192)
    assert pipe.scheduler.config.prediction_type == "epsilon"
    assert pipe.vae.config.scaling_factor == 1.0


def test_the_teacher_is_in_the_registry_with_its_card(runs):
    card = Registry([runs / "models"]).card("my-pocket-sd")
    assert (card.kind, card.resolution, card.steps, card.settings["pictures"]) == ("diffusion", 192, 25, 16)


def test_a_rerun_of_a_published_id_is_refused_before_the_training(runs):
    config = Teacher(
        run=runs / "other", autoencoder=runs / "autoencoder/vae", models=runs / "models", steps=1
    )
    with pytest.raises(ValueError, match="already a model 'my-pocket-sd'"):
        teacher.main(config)
    assert not (runs / "other").exists()


def test_a_run_folder_of_other_pictures_is_refused(runs):
    """A finished run would be published again as what other pictures show."""
    config = Teacher(
        run=runs / "teacher",
        autoencoder=runs / "autoencoder/vae",
        models=runs / "models",
        output="other",
        pictures=8,
        steps=2,
        batch=1,
    )
    with pytest.raises(ValueError, match=r"holds a training with pictures 16 drawings .*, not 8 drawings"):
        teacher.main(config)


def test_samples_are_written(runs):
    assert list((runs / "autoencoder/samples").glob("*.png"))
    assert list((runs / "teacher/samples").glob("*.png"))


def test_the_judge_reports_each_attribute_on_drawings_and_reconstructions(runs):
    report = json.loads((runs / "bundled/accuracy.json").read_text())
    assert set(report["drawings"]) == set(report["reconstructions"]) == set(ATTRIBUTES)
    assert all(0 <= share <= 1 for share in report["drawings"].values())


@pytest.mark.parametrize(
    ("architecture", "sides"), [("residual", [96, 48, 24, 12]), ("convnext", [48, 24, 12])]
)
def test_a_judge_is_the_same_after_loading(tmp_path, architecture, sides):
    images = torch.randn(3, 3, 192, 192)
    Judge(architecture).save(tmp_path / "judge")
    loaded = Judge.load(tmp_path / "judge")
    loaded.save(tmp_path / "again")
    again = Judge.load(tmp_path / "again")
    assert torch.equal(loaded.features(images), again.features(images))
    assert loaded.features(images).shape == (3, 128)
    assert [m.shape[-1] for m in loaded.maps(images)] == sides
    assert {name: logits.shape[1] for name, logits in loaded(images).items()} == {
        name: len(kinds) for name, kinds in ATTRIBUTES.items()
    }


@pytest.mark.parametrize("architecture", ["residual", "convnext"])
def test_all_of_a_judge_that_learns_has_gradients(architecture):
    """Several processes wait for each other's."""
    network = Judge(architecture)
    sum(logits.mean() for logits in network(torch.zeros(2, 3, 32, 32)).values()).backward()
    assert [n for n, p in network.named_parameters() if p.requires_grad and p.grad is None] == []


def test_training_noise_is_that_of_stable_diffusion():
    noising, clean = teacher.build_noising(), torch.ones(2, 1, 1, 1)
    share = noising.add_noise(clean, torch.zeros_like(clean), torch.tensor([0, 999])).flatten()
    assert torch.allclose(share, teacher.build_scheduler().alphas_cumprod[[0, 999]].sqrt())
    assert share[0] > 0.999 > 0.07 > share[1]  # t = 999 is the noisy end, as the U-Net is called in sampling


def test_a_nearly_clean_timestep_weighs_as_much_as_one_of_a_signal_to_noise_ratio_of_5():
    noising = teacher.build_noising()
    snr = noising.alphas_cumprod / (1 - noising.alphas_cumprod)
    weight = teacher.snr_weight(noising, torch.arange(1000))
    of_x0 = weight * snr  # the error of the noise is that of the picture times the ratio
    assert torch.allclose(of_x0, snr.clamp(max=5.0), rtol=1e-4)
    assert 0 < weight.min() < 0.01
    assert weight.max() == 1


def test_standard_latents_leave_the_pictures_as_they_are():
    torch.manual_seed(0)
    vae, images = build_autoencoder(8, 192).eval(), pictures(12, size=FAMILY_SIZE // 2)
    target = to_tensor(images[:4])

    def reconstruct() -> torch.Tensor:
        return vae.decode(vae.encode(target).latent_dist.mean).sample.detach()

    before, spread = reconstruct(), vae.encode(target).latent_dist.std.detach()
    autoencoder.standardise(vae, images)
    assert torch.allclose(reconstruct(), before, atol=1e-4)
    latents = vae.encode(to_tensor(images)).latent_dist
    assert torch.allclose(latents.mean.mean((0, 2, 3)), torch.zeros(8), atol=1e-3)
    assert torch.allclose(latents.mean.std((0, 2, 3)), torch.ones(8), atol=1e-3)
    ratio = vae.encode(target).latent_dist.std / spread  # the posterior's width shrinks or grows alike
    assert torch.allclose(ratio, ratio[:1, :, :1, :1].expand_as(ratio), rtol=1e-3)


def test_the_pixel_loss_is_of_values_and_of_differences():
    target, step = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    step[..., 4:] = 0.5  # one edge of seven differences across
    assert autoencoder.pixel_loss(target + 0.5, target) == pytest.approx(0.5 + 2 * 0.25)
    assert autoencoder.pixel_loss(step, target) == pytest.approx(0.25 + 2 * 0.125 + 0.5 / 7)


def test_autoencoder_and_discriminator_leave_each_other_alone():
    model = autoencoder.Reconstruction(build_autoencoder(8, 192))
    images, noise = torch.rand(2, 3, 32, 32) * 2 - 1, torch.randn(2, 8, 4, 4)

    def learn(which: int) -> set[str]:
        model.zero_grad()
        model(images, noise)[which].backward()
        return {
            name.split(".")[0]
            for name, p in model.named_parameters()
            if p.grad is not None and p.grad.abs().sum() > 0
        }

    assert learn(2) == {"vae"}
    assert learn(3) == {"discriminator"}


def test_gradient_checkpointing_leaves_the_gradients_as_they_are(tmp_path):
    model = autoencoder.Reconstruction(build_autoencoder(8, 64))
    images, noise = torch.rand(1, 3, 32, 32) * 2 - 1, torch.randn(1, 8, 4, 4)

    def gradients() -> list[torch.Tensor]:
        model.zero_grad()
        sum(part.mean() for part in model(images, noise)).backward()
        return [p.grad.clone() for p in model.parameters()]

    plain = gradients()
    model.enable_gradient_checkpointing()
    assert model.vae.is_gradient_checkpointing
    assert all(torch.allclose(*pair, atol=1e-6) for pair in zip(plain, gradients(), strict=True))
    with pytest.raises(UserError, match="--gradient-checkpointing: this network"):
        train(LoopConfig(tmp_path, 1, 1e-3, gradient_checkpointing=True), Judge(), lambda *_: None)


def test_figures_of_reconstructions():
    target = 2 * np.random.default_rng(0).integers(50, 100, (4, 32, 32, 3), np.uint8)
    lighter, softer = target + np.uint8(51), target // 2
    assert autoencoder.figures_of(lighter, target)["psnr"] == pytest.approx(20 * math.log10(5), abs=1e-3)
    assert autoencoder.figures_of(softer, target)["sharpness"] == pytest.approx(0.5, abs=1e-4)


def test_weights_runs_each_stage_once_and_stops_at_a_failure(tmp_path, monkeypatch):
    ran = []

    def child(arguments: list[str]) -> int:
        ran.append(arguments[2])
        if len(ran) == 4:
            return 1
        (stage,) = (stage for stage in weights.stages(config) if stage.arguments == tuple(arguments[3:]))
        Path(stage.product).mkdir(parents=True, exist_ok=True)
        return 0

    monkeypatch.setattr(chain, "run_child", child)
    config = weights.WeightsConfig(
        tmp_path / "runs", tmp_path / "models", tmp_path / "judge", tmp_path / "perceptual"
    )
    with pytest.raises(SystemExit) as leaving:
        weights.main(config)
    assert leaving.value.code == 1
    weights.main(config)
    first = ["pocket.judge", "autoencoder", "pocket.judge", "pocket.sample"]
    assert ran[:4] == [f"trainers.{name}" for name in first]
    assert ran[4] == "trainers.pocket.sample"
    assert len(ran) == len(weights.stages(config)) + 1
    (tmp_path / "models/pocket-2rf").rmdir()
    weights.main(config)
    assert ran[-1] == "trainers.reflow"
    assert len(ran) == len(weights.stages(config)) + 2


def test_weights_are_commands_that_their_trainers_take(tmp_path):
    """The page's recipes for all but what the pocket family alone has, into the bundled folders."""
    config = weights.WeightsConfig(
        tmp_path / "runs", tmp_path / "models", tmp_path / "judge", tmp_path / "perceptual"
    )
    made = weights.stages(config)
    for stage in made:
        settings = get_type_hints(importlib.import_module(stage.module).main)["config"]
        assert tyro.cli(settings, args=list(stage.arguments))
        assert Path(stage.product).is_relative_to(tmp_path)
    assert len({stage.title for stage in made}) == len(made)
    by_product = {Path(stage.product).name: stage for stage in made}
    for name in ("pocket-2rf", "pocket-instaflow", "pocket-neon", "pocket-controlnet-canny"):
        assert "--overwrite" in by_product[name].arguments
    targets = made[[stage.title for stage in made].index("pocket-instaflow: The teacher draws")].arguments
    assert targets[targets.index("--guidance") + 1] == "2.0"
