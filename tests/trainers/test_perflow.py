"""PeRFlow: its windows against an exact flow, what is published, resuming, and how it would collapse."""

from pathlib import Path

import pytest
import torch
from diffusers import DDIMScheduler
from safetensors.torch import load_file
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.flow.conversion import NoiseSchedule
from rf_app.flow.velocity import velocity_field
from rf_app.registry.models import Registry
from rf_app.schedulers.perflow import PeRFlowScheduler
from rf_app.settings.training import PeRFlow
from tests.trainers.commands import UNET, Command
from trainers import evaluate, perflow
from trainers.common import checkpoints, events
from trainers.common.models import encode, load_frozen, sample
from trainers.common.windows import TIMES, Windows, window_loss
from trainers.data.store import Batch
from trainers.perflow import samplers_for

MEAN, DEVIATION = 1.5, 0.4  # of the Gaussian's data


class Gaussian(nn.Module):
    """The epsilon of data from N(MEAN, DEVIATION^2) in every number, as a U-Net is called."""

    def __init__(self, alphas_cumprod: Tensor) -> None:
        super().__init__()
        self.alphas_cumprod = alphas_cumprod

    def moments(self, timestep: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the noised data."""
        abar = self.alphas_cumprod[timestep]
        return abar.sqrt() * MEAN, (abar * DEVIATION**2 + 1 - abar).sqrt()

    def forward(
        self, z: Tensor, t: Tensor, encoder_hidden_states: Tensor, return_dict: bool
    ) -> tuple[Tensor]:
        timestep = t.expand(len(z)).round().long().clamp(0, 999)[:, None]
        mean, deviation = self.moments(timestep)
        return ((1 - self.alphas_cumprod[timestep]).sqrt() * (z - mean) / deviation**2,)


def gaussian(prediction: str, count: int, steps: int) -> tuple[PeRFlowScheduler, Gaussian, Windows]:
    """A sampler, its teacher, and the windows that this solves in `steps`."""
    sampler = PeRFlowScheduler(prediction_type=prediction, num_time_windows=count)
    windows = Windows(sampler, NoiseSchedule(sampler.alphas_cumprod), steps)
    return sampler, Gaussian(sampler.alphas_cumprod), windows


@pytest.mark.parametrize("count", [4, 2, 1])
@pytest.mark.parametrize("prediction", ["ddim_eps", "diff_eps"])
def test_what_is_learned_leads_through_the_windows_as_the_exact_flow_does(
    prediction: str, count: int
) -> None:
    """The probability flow keeps (z - mean) / deviation. From the start of each window, its middle and near
    its end the sampler's step with the epsilon to learn goes where that flow leads.
    """
    sampler, teacher, windows = gaussian(prediction, count, 1000)
    text, length = torch.zeros(1, 1, 1), TIMES // count
    field = velocity_field(teacher, text, schedule=windows.schedule)
    i = torch.arange(0, TIMES, length).repeat_interleave(3) + torch.tensor(
        [0, length // 2, length - 5]
    ).repeat(count)
    torch.manual_seed(0)
    noise, data = torch.randn(3, 16).repeat(count, 1).double(), MEAN + DEVIATION * torch.randn(1, 16).double()
    pairs = Batch(noise[:1].expand(len(i), 16), data.expand(len(i), 16), text)
    z, t, epsilon = windows.solve(field, pairs, i)
    assert t.tolist() == pytest.approx((TIMES - i).tolist())
    for number in range(count):
        first, last = (torch.tensor(each) for each in sampler.timesteps_at(number))
        alpha, sigma = sampler.alphas_cumprod[first].sqrt(), (1 - sampler.alphas_cumprod[first]).sqrt()
        score = (alpha * data + sigma * noise[:1] - teacher.moments(first)[0]) / teacher.moments(first)[1]
        mean, deviation = teacher.moments(last)
        own = slice(3 * number, 3 * number + 3)
        start, end, grown, eta = sampler.window(number)
        for at, s, said in zip(z[own], t[own] / TIMES, epsilon[own], strict=True):
            share = (grown * (s - start) + (end - s)) / (end - start)
            reached = (grown * at + eta * (end - s) / (end - start) * said) / share
            assert torch.allclose(reached, (mean + score * deviation)[0], atol=1e-2)


def test_the_loss_is_zero_at_what_should_be_predicted() -> None:
    class Says(nn.Module):
        def forward(self, *_: object, **__: object) -> tuple[Tensor]:
            return (epsilon + 0.5,)

    epsilon = torch.randn(3, 8, 4, 4)
    loss = window_loss(Says(), torch.zeros(3, 8, 4, 4), torch.ones(3), torch.zeros(3, 1, 1), epsilon)
    assert loss == pytest.approx(0.25)


class Straight(nn.Module):
    """What a student of the Gaussian says that has learned all there is to learn for a sampler."""

    def __init__(self, sampler: PeRFlowScheduler) -> None:
        super().__init__()
        self.sampler, self.teacher = sampler, Gaussian(sampler.alphas_cumprod)

    def forward(
        self, z: Tensor, t: Tensor, encoder_hidden_states: Tensor, return_dict: bool
    ) -> tuple[Tensor]:
        number = (TIMES - int(t)) * self.sampler.config.num_time_windows // TIMES
        start, end, grown, eta = self.sampler.window(number)
        (mean, deviation), (mean_end, deviation_end) = (
            self.teacher.moments(torch.tensor(each)) for each in self.sampler.timesteps_at(number)
        )
        along = (int(t) / TIMES - start) / (end - start)
        score = (z - mean - along * (mean_end - mean)) / (deviation + along * (deviation_end - deviation))
        return ((mean_end + score * deviation_end - grown * (mean + score * deviation)) / eta,)


def drawn(unet: nn.Module, sampler: PeRFlowScheduler) -> Tensor:
    noise = torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    return sample(unet, sampler, noise, torch.zeros(1, 1, 1), torch.zeros(1, 1, 1), 1.0, 4)


def test_a_student_turns_to_noise_where_it_is_not_drawn_as_it_is_trained() -> None:
    """The collapse that `trainers.perflow` speaks of: it begins well, and the more it learns, the worse."""
    ddim, diff = (PeRFlowScheduler(prediction_type=each) for each in ("ddim_eps", "diff_eps"))
    for own in (ddim, diff):
        learned = drawn(Straight(own), own)
        assert learned.mean() == pytest.approx(MEAN, abs=0.05)
        assert learned.std() == pytest.approx(DEVIATION, rel=0.05)
    assert drawn(Gaussian(ddim.alphas_cumprod), ddim).std() < 1.5 * DEVIATION
    assert drawn(Straight(diff), ddim).std() > 3 * DEVIATION


def options(name: str, *more: object) -> tuple:
    return ("--teacher", "tiny-sd", "--output", name, "--drawings", 12, "--batch", 4, *more)


def test_a_run_with_fewer_and_wider_windows_publishes_a_model_that_takes_guidance(
    at_home: Path, tmp_path: Path, works: Command
) -> None:
    """Resumed or not, its weights are the same; and it can be measured."""
    own = ("--steps", 4, "--checkpoint-every", 2, "--windows", 2, "--first-windows", 4, "--widen-every", 1)
    works(perflow, *options("pieces", *own))
    registry, run = Registry.default(), at_home / "runs" / "perflow" / "pieces"
    card = registry.card("pieces")
    assert (card.kind, card.base_model, card.lineage) == ("piecewise-flow", "tiny-sd", ("tiny-sd",))
    assert (card.steps, card.guidance, card.settings["pictures"]) == (4, 3.0, 12)
    assert "psnr" in events.read(run / "events.jsonl")[-1]
    model = load_frozen(registry, "pieces")
    assert model.scheduler.config.num_time_windows == 2
    with_words, against = (
        model(
            "a lake", negative_prompt=words, num_inference_steps=2, guidance_scale=3.0, output_type="latent"
        )
        for words in ("", "red")
    )
    assert not torch.allclose(with_words.images, against.images)

    whole = load_file(registry.folder("pieces") / UNET)
    checkpoints.files(run)[-1].unlink()
    assert checkpoints.steps_done(run) == 2
    works(perflow, *options("pieces", *own, "--overwrite"))
    resumed = load_file(registry.folder("pieces") / UNET)
    assert all(torch.equal(resumed[name], weight) for name, weight in whole.items())

    measured = ("--model", "pieces", "--steps", 1, 2, "--prompts", 4, "--judge", at_home / "judge")
    works(evaluate, *measured, "--write-card")
    assert registry.card("pieces").measured.keys() == {"2 steps", "measured_on"}


def test_guided_pictures_are_learned_to_be_drawn_without_guidance(at_home: Path, works: Command) -> None:
    works(perflow, *options("guided", "--steps", 1, "--guidance", 4))
    assert Registry.default().card("guided").guidance == 1.0
    plain, text = load_frozen(Registry.default(), "tiny-sd"), ["a lake"]
    schedule = NoiseSchedule(plain.scheduler.alphas_cumprod)
    windows = Windows(PeRFlowScheduler(prediction_type="ddim_eps"), schedule, 8)
    pairs = Batch(torch.randn(1, 8, 12, 12), torch.randn(1, 8, 12, 12), encode(plain, text))
    null, i = encode(plain, [""]), torch.tensor([300])
    ways = [
        windows.solve(velocity_field(plain.unet, pairs.text, null, guidance, schedule), pairs, i)[2]
        for guidance in (1.0, 4.0)
    ]
    assert not torch.allclose(*ways, atol=1e-3)


def test_a_teacher_whose_noise_is_pure_at_the_end_is_refused_by_name() -> None:
    """The first window goes from next to no data at all: it would multiply what a network does wrong."""
    config = PeRFlow(teacher="cosine", output="x", windows=4)
    samplers_for(config, DDIMScheduler(beta_schedule="linear"))
    with pytest.raises(UserError, match=r"cosine has a noise schedule .* by 1,556"):
        samplers_for(config, DDIMScheduler(beta_schedule="squaredcos_cap_v2"))


def test_windows_get_fewer_until_there_are_as_many_as_wanted() -> None:
    config = PeRFlow(teacher="x", output="y", windows=2, first_windows=8, widen_every=10)
    assert [config.windows_at(step) for step in (0, 9, 10, 19, 20, 10_000)] == [8, 8, 4, 4, 2, 2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--teacher", "nobody"), "no model 'nobody'"),
        (("--teacher", "tiny-2rf"), "tiny-2rf does not predict epsilon"),
        (("--first-windows", 6), "--first-windows must be --windows, 4, or 2, 4, 8"),
        (("--first-windows", 64), "--teacher-steps must be at least one"),
        (("--windows", 1, "--steps", 900), "--steps 900 end before there are 1 windows"),
        (("--guidance", 21), "--guidance must be 0 to 20, not 21"),
        (("--images", "absent"), "absent holds no captioned pictures"),
    ],
)
def test_bad_input_is_named(at_home: Path, refused: Command, more: tuple, said: str) -> None:
    refused(said, perflow, *options("x", *more))
    assert not (at_home / "models" / "x").exists()
