"""A picture on its way from noise: where the path leads at each moment, how much it bends, how it looks.

At every step of the Euler solve the model has an opinion of where it will end, x + (1 - tau) v. Decoded,
these opinions are a film; on a straight path every one of them is the final picture.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from PIL import Image
from torch import Tensor

from rf_app.errors import Cancelled, UserError
from rf_app.flow.conversion import x1_from_velocity
from rf_app.flow.path import Tau, uniform_taus
from rf_app.flow.projection import project
from rf_app.flow.straightness import straightness_curve
from rf_app.flow.velocity import Velocity
from rf_app.pipeline.requests import GenerateRequest, Lora
from rf_app.registry.card import ModelCard

MAX_FRAMES = 32


@dataclass(frozen=True)
class TrajectoryRequest:
    """A wish to see one picture's way from noise to data."""

    prompt: str
    model: str  # an id of the registry
    steps: int = 25
    guidance: float | None = None  # None: the card's; up to 1 means none
    seed: int = 0
    frames: int = 6  # evenly spaced in tau, 0 and 1 among them; never more than steps + 1
    loras: tuple[Lora, ...] = ()  # each once
    session: str = ""  # whose uploads `loras` may name; a secret, so never part of a picture's settings

    def checked(self, card: ModelCard) -> "TrajectoryRequest":
        """The same with the card's guidance filled in; raises UserError naming the value out of range."""
        # The noise, text and ranges are those of the picture itself.
        same = GenerateRequest(
            self.prompt, self.model, self.steps, self.guidance, self.seed, loras=self.loras
        ).checked(card)
        if self.frames not in range(2, MAX_FRAMES + 1):
            raise UserError(f"frames is {self.frames!r:.40}; it must be a whole number in 2..{MAX_FRAMES}.")
        return replace(
            self,
            prompt=same.prompt,
            steps=same.steps,
            guidance=same.guidance,
            seed=same.seed,
            frames=int(self.frames),
            loras=same.loras,
        )


@dataclass(frozen=True)
class Solved:
    """An Euler solve of N steps, looked at.

    estimates: [F, C, h, w], the final latents as foreseen at `estimate_taus`; the last are the final ones.
    curve: ||v_tau - (x1 - x0)||^2 at tau = 0, 1/N, ..., 1 - 1/N.
    path: N + 1 points on the plane of `rf_app.flow.projection.project`, from (0, 0) to (1, 0).
    miss: ||first estimate - x1|| / ||x1 - x0||: how far from the end a single step would land.
    """

    estimates: Tensor
    estimate_taus: tuple[float, ...]
    curve: tuple[float, ...]
    path: tuple[tuple[float, float], ...]
    miss: float


@dataclass(frozen=True)
class TrajectoryResult:
    """images[i] is what the model foresees at image_taus[i]; the last is the picture itself.

    request is the checked one; curve, path and miss are those of `Solved`; unknown_words: those the model has
    not learned.
    """

    request: TrajectoryRequest
    images: tuple[Image.Image, ...]
    image_taus: tuple[float, ...]
    curve: tuple[float, ...]
    path: tuple[tuple[float, float], ...]
    miss: float
    unknown_words: tuple[str, ...]

    @property
    def straightness(self) -> float:
        """S of this one path (InstaFlow, arXiv 2309.06380), the mean of the curve: 0 means straight."""
        return sum(self.curve) / len(self.curve)


def solve(
    velocity: Velocity,
    noise: Tensor,
    steps: int,
    frames: int,
    progress: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Solved:
    """Follow `velocity` from noise [1, C, h, w] in Euler steps and look at the way.

    progress: called after each step with (steps done, steps in all). cancelled: asked after each step; True
    ends the solve with `Cancelled`.
    """
    points: list[Tensor] = []
    velocities: list[Tensor] = []

    def recorded(x: Tensor, tau: Tau) -> Tensor:
        points.append(x)
        velocities.append(velocity(x, tau))
        if progress:
            progress(len(points), steps)
        if cancelled and cancelled():
            raise Cancelled("Stopped.")
        return velocities[-1]

    curve = straightness_curve(recorded, noise, steps)
    taus = uniform_taus(steps)
    foreseen = [x1_from_velocity(x, v, tau) for x, v, tau in zip(points, velocities, taus, strict=False)]
    x1 = foreseen[-1]  # the last step goes exactly to what was foreseen before it
    foreseen.append(x1)
    shown = sorted({round(i * steps / (frames - 1)) for i in range(frames)})
    return Solved(
        estimates=torch.cat([foreseen[i] for i in shown]),
        estimate_taus=tuple(taus[i] for i in shown),
        curve=tuple(curve.tolist()),
        path=tuple((x, y) for x, y in project(torch.cat([*points, x1])).tolist()),
        miss=float((foreseen[0] - x1).norm() / (x1 - noise).norm()),
    )
