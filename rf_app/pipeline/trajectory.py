"""A picture on its way from noise: where the path leads at each moment, how much it bends, how it looks.

At every step of the Euler solve the model has an opinion of where it will end, x + (1 - tau) v. Decoded,
these opinions are a film; on a straight path every one of them is the final picture.
"""

from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from rf_app.flow.conversion import x1_from_velocity
from rf_app.flow.path import uniform_taus
from rf_app.flow.projection import project
from rf_app.flow.straightness import transport_cost
from rf_app.pipeline.drawn import Moment


@dataclass(frozen=True)
class Trajectory:
    """An Euler solve of N steps, looked at.

    estimates: [F, C, h, w], the final latents as foreseen at `taus`; the last are the final ones.
    curve: ||v_tau - (x1 - x0)||^2 at tau = 0, 1/N, ..., 1 - 1/N.
    path: N + 1 points on the plane of `rf_app.flow.projection.project`, from (0, 0) to (1, 0).
    miss: ||first estimate - x1|| / ||x1 - x0||: how far from the end a single step would land.
    """

    estimates: Tensor
    taus: tuple[float, ...]
    curve: tuple[float, ...]
    path: tuple[tuple[float, float], ...]
    miss: float

    @property
    def steps(self) -> int:
        """N."""
        return len(self.curve)

    @property
    def straightness(self) -> float:
        """S of this one path (InstaFlow, arXiv 2309.06380), the mean of the curve: 0 means straight."""
        return sum(self.curve) / len(self.curve)


def look_back(points: list[Tensor], velocities: list[Tensor], frames: int) -> Trajectory:
    """The trajectory through N + 1 points [1, C, h, w], left with N velocities.

    frames: how many estimates to keep, evenly spaced in tau, 0 and 1 among them; never more than N + 1.
    """
    steps, noise, x1 = len(velocities), points[0], points[-1]
    taus = uniform_taus(steps)
    foreseen = [x1_from_velocity(x, v, tau) for x, v, tau in zip(points, velocities, taus, strict=False)]
    foreseen.append(x1)
    shown = sorted({round(i * steps / (frames - 1)) for i in range(frames)})
    return Trajectory(
        estimates=torch.cat([foreseen[i] for i in shown]),
        taus=tuple(taus[i] for i in shown),
        curve=tuple(float(transport_cost(v, x1 - noise)) for v in velocities),
        path=tuple((x, y) for x, y in project(torch.cat(points)).tolist()),
        miss=float((foreseen[0] - x1).norm() / (x1 - noise).norm()),
    )


class Recorder:
    """An observer of `Worker.draw` on the straight path; after the last step it has the trajectory and a
    film: the noise, and each of the trajectory's estimates.
    """

    def __init__(self, frames: int):
        """frames: as for `look_back`."""
        self.frames = frames
        self.trajectory: Trajectory | None = None
        self.images: tuple[Image.Image, ...] = ()
        self._points: list[Tensor] = []
        self._velocities: list[Tensor] = []

    def __call__(self, moment: Moment) -> None:
        """Keep the moment; after the last one, look back."""
        if not moment.done:  # or anew, where memory had run out
            self._points, self._velocities = [], []
        self._points.append(moment.latents.float())
        if moment.done:
            self._velocities.append(moment.velocity)
        if moment.done == moment.of:
            self.trajectory = look_back(self._points, self._velocities, self.frames)
            film = torch.cat([self._points[0], self.trajectory.estimates]).to(moment.latents.dtype)
            self.images = tuple(moment.decode(each) for each in film.split(1))
