"""How near a picture comes back from its noise: PSNR against calls of the U-Net, there and back.

    python -m benchmarks.inversion --prompts 32 --json inversion.json --plot docs/inversion.svg

Held-out drawings of the pocket world are followed back along a model's flow under their own captions, without
guidance, and drawn again from where that ends, by the same method in as many steps. They are compared with
what the autoencoder makes of them, so that its own loss does not count. DDIM inversion (arXiv 2105.05233) is
Euler's method without correction; the others are `rf_app.flow.inversion` with its corrections, and
Runge-Kutta 45, whose calls follow from its tolerance. --learned 1000 adds iRFDS, which learns the noise
(`rf_app.flow.learned_inversion`), drawn again in 18 steps as its authors do, but without guidance. "noise" is
the root mean square of what was found at tau = 0: 1 for noise, and far from it a model has not learned to
draw.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from tqdm import tqdm

from benchmarks.charts import lines
from benchmarks.latency import machine
from rf_app.errors import UserError
from rf_app.flow.inversion import CORRECTIONS, inverted
from rf_app.flow.learned_inversion import DECODED_FROM, learned
from rf_app.flow.path import interpolate, uniform_taus
from rf_app.flow.solvers import Trajectory, euler, heun, rk45
from rf_app.flow.velocity import Velocity, velocity_field
from rf_app.registry.disk import write_text
from rf_app.registry.encoding import encoded
from rf_app.registry.vocabulary import vocabulary
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.training import check_sampling
from trainers.common import command
from trainers.common.findings import markdown, write_found
from trainers.common.models import decode, encode, load_frozen, registry_into
from trainers.common.pixels import psnr, to_tensor
from trainers.pocket.first_edition.editions import world_in_words
from trainers.pocket.world import HELD_OUT

BATCH = 16
STEPPED = {"DDIM inversion": (euler, 0), "corrected Euler": (euler, CORRECTIONS)}
STEPPED |= {"corrected Heun": (heun, CORRECTIONS)}
"""By name, a solver and how often each of its steps back is corrected."""
ADAPTIVE, LEARNED = "Runge-Kutta 45", "iRFDS"
LEARNED_STEPS = 18  # from tau = 0.1
EIGHT_BITS = 58.9  # dB: what rounding to 8 bits leaves, 10 log10(12 x 255^2)

RoundTrip = Callable[[Velocity, Tensor], tuple[Trajectory, Trajectory]]
"""(velocity, x1 [B, ...]) -> back to tau = 0, and from there forth to 1."""


@dataclass(frozen=True, kw_only=True)
class InversionOptions:
    """What to measure, and on how much."""

    model: tuple[str, ...] = ("pocket-sd", "pocket-2rf")
    """Models to compare."""
    prompts: int = 32
    """Number of drawings."""
    steps: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    """Steps of the methods that have some."""
    tolerance: tuple[float, ...] = (1e-1, 1e-2, 1e-3)
    """Relative and absolute tolerances of Runge-Kutta 45."""
    learned: int = 0
    """Iterations of iRFDS, 0 to leave it out."""
    models: Path | None = None
    """Folder of models besides the bundled ones (default: the user's)."""
    json: Path | None = None
    """File for the figures."""
    plot: Path | None = None
    """SVG file for the curves."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        if self.prompts < 1:
            raise UserError(f"--prompts must be 1 or more, not {self.prompts}.")
        if self.learned < 0:
            raise UserError(f"--learned must be 0 or more, not {self.learned}.")
        for steps in self.steps:
            check_sampling(steps, None)
        for tolerance in self.tolerance:
            if not 0 < tolerance < 1:
                raise UserError(f"--tolerance must lie between 0 and 1, not {tolerance:g}.")


@dataclass(frozen=True)
class Row:
    """Of one method: calls of the U-Net there and back, PSNR in dB, and the root mean square of the noise."""

    model: str
    method: str
    steps: int | None
    tolerance: float | None
    calls: float
    psnr: float
    noise: float


def stepped(name: str, steps: int) -> RoundTrip:
    """There and back in given steps."""
    (solver, corrections), taus = STEPPED[name], uniform_taus(steps)

    def trip(velocity: Velocity, x1: Tensor) -> tuple[Trajectory, Trajectory]:
        back = inverted(velocity, x1, taus, corrections=corrections, solver=solver)
        return back, solver(velocity, back.x, taus)

    return trip


def adaptive(tolerance: float) -> RoundTrip:
    """There and back by Runge-Kutta 45."""

    def trip(velocity: Velocity, x1: Tensor) -> tuple[Trajectory, Trajectory]:
        back = rk45(velocity, x1, 1.0, 0.0, tolerance, tolerance)
        return back, rk45(velocity, back.x, 0.0, 1.0, tolerance, tolerance)

    return trip


def learning(iterations: int) -> RoundTrip:
    """There by iRFDS, and back in given steps from what is mixed with the data."""
    taus = uniform_taus(LEARNED_STEPS, DECODED_FROM)

    def trip(velocity: Velocity, x1: Tensor) -> tuple[Trajectory, Trajectory]:
        generator = torch.Generator().manual_seed(0)
        start = torch.randn(x1.shape, generator=generator).to(x1)
        with torch.enable_grad():
            back = learned(velocity, x1, start, generator, iterations=iterations)
        return back, euler(velocity, interpolate(back.x, x1, DECODED_FROM), taus)

    return trip


@dataclass(frozen=True)
class Drawings:
    """x1: latents [N, C, h, w]; text: embeddings [N, L, D] of their captions."""

    x1: Tensor
    text: Tensor


@torch.no_grad()
def drawings(pipeline: StableDiffusionPipeline, captions: Sequence[str], pixels: np.ndarray) -> Drawings:
    """Drawings uint8 [N, H, W, 3] as a model has them."""
    parts = to_tensor(pixels, pipeline.device).split(BATCH)
    return Drawings(torch.cat([encoded(pipeline.vae, part) for part in parts]), encode(pipeline, captions))


@torch.no_grad()
def measured(
    pipeline: StableDiffusionPipeline, given: Drawings, trip: RoundTrip
) -> tuple[float, float, float]:
    """Calls, PSNR and noise of a round trip, means over the drawings."""
    schedule, found = schedule_of(pipeline.scheduler), []
    for x1, text in zip(given.x1.split(BATCH), given.text.split(BATCH), strict=True):
        back, forth = trip(velocity_field(pipeline.unet, text, schedule=schedule), x1)
        pictures, again = (decode(pipeline, x).clamp(-1, 1) for x in (x1, forth.x))
        calls = torch.full((len(x1),), float(back.evaluations + forth.evaluations), device=x1.device)
        found.append(torch.stack([calls, psnr(again, pictures), back.x.flatten(1).square().mean(1)]))
    calls, near, square = torch.cat(found, 1).double().mean(1).tolist()
    return calls, near, square**0.5


def rows_of(
    id: str, pipeline: StableDiffusionPipeline, given: Drawings, options: InversionOptions
) -> list[Row]:
    """Every method on one model."""
    trips = [(name, n, None, stepped(name, n)) for name in STEPPED for n in options.steps]
    trips += [(ADAPTIVE, None, each, adaptive(each)) for each in options.tolerance]
    trips += [(LEARNED, LEARNED_STEPS, None, learning(options.learned))] if options.learned else []
    bar = tqdm(trips, desc=id, mininterval=2)
    return [Row(id, name, n, tolerance, *measured(pipeline, given, trip)) for name, n, tolerance, trip in bar]


def main(options: InversionOptions) -> None:
    """Measure, print a table, write what was asked for."""
    registry = registry_into(options.models)
    seeds = range(HELD_OUT, HELD_OUT + options.prompts)
    rows: list[Row] = []
    for id in options.model:
        card, pipeline = registry.card(id), load_frozen(registry, id)
        world = world_in_words(vocabulary(registry, id))
        pixels = np.stack([world.picture(seed, card.resolution) for seed in seeds])
        given = drawings(pipeline, [world.describe(seed)[1].text for seed in seeds], pixels)
        rows += rows_of(id, pipeline, given, options)
    print(table(rows))
    write_found(options, {"machine": machine(), "rows": [asdict(row) for row in rows]})
    if options.plot:
        write_text(options.plot, chart(rows))


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    cells = []
    for row in rows:
        how = row.model, row.method, row.steps or f"to {row.tolerance:g}"
        cells.append((*how, f"{row.calls:.0f}", f"{row.psnr:.1f}", f"{row.noise:.2f}"))
    return markdown(("model", "method", "steps", "U-Net calls", "PSNR, dB", "noise"), cells)


def chart(rows: Sequence[Row]) -> str:
    """The curves, a panel a model: what is nearer than 8 bits can tell is drawn at their limit."""
    panels = {row.model: {row.method: [] for row in rows} for row in rows}
    for row in rows:
        panels[row.model][row.method].append((row.calls, min(max(row.psnr, 0.0), EIGHT_BITS)))
    return lines("A drawing to its noise and back", ("calls of the U-Net", "PSNR, dB"), panels)


if __name__ == "__main__":
    command.run(main, InversionOptions)
