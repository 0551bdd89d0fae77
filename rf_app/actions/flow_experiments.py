"""What the flow lab calculates: couplings rectified and measured, flows solved, couplings distilled.

Everything is small: a network with two layers of 64, some thousand points. `report` is called in each step
of the fitting, and whatever it raises ends the work.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Generator, Tensor

from rf_app.flow.affine_path import AffinePath
from rf_app.flow.coupling import Draw, Sampler, convex_costs, crossings, energy_distance, fixed
from rf_app.flow.path import uniform_taus
from rf_app.flow.regression import Example, Network, fit, straight, times
from rf_app.flow.solvers import euler, heun, rk45
from rf_app.flow.straightness import straightness
from rf_app.flow.velocity import Velocity
from rf_app.pipeline.turns import Report, Step

RATE = 0.03  # of Adam
FIRST, LATER = 2000, 500  # steps: a straight coupling has nothing to average over
ENDS = 1200  # steps to learn both ends of a pair, or to distil
PAIRS = 8192  # that a flow makes for the next one
MEASURED = 2000  # pairs
SHOWN = 200  # of them, as paths
FRAMES = 20  # segments of a path, each of two steps of Heun's method
TRIED = 256  # points on which solvers are compared
EULER_STEPS = (1, 2, 4, 8, 16, 32, 64)
HEUN_STEPS = EULER_STEPS[:-1]  # each takes two evaluations
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4)
EXACT = 1e-6  # tolerance of what they are compared with

Path = list[list[float]]
"""Points one after another, each [x, y] or [x, y, z]."""


@dataclass(frozen=True)
class Tried:
    """A solver at one setting: its evaluations of the velocity, and how far it ends from where the flow does
    (root mean square).
    """

    solver: str
    evaluations: int
    error: float


@dataclass(frozen=True)
class Coupled:
    """A coupling, and the flow that made it, if one did: rectified counts those that led here.

    crossings: share of random couples whose segments cross, None in space. costs: E c(x1 - x0) by the name of
    c. straightness: S. one_step_error: how far one Euler step ends from where the flow does (root mean
    square). distance: energy distance between where it arrives and the target; 0: the marginal is preserved.
    """

    title: str
    rectified: int
    crossings: float | None
    costs: dict[str, float]
    straightness: float | None
    one_step_error: float | None
    distance: float
    paths: list[Path]
    solvers: list[Tried] = field(default_factory=list)


@dataclass(frozen=True)
class Drawing:
    """Where a flow, or one step, takes noise; evaluations of the network; distance: as in `Coupled`."""

    group: str
    title: str
    evaluations: int
    distance: float
    ends: Path
    paths: list[Path]


@dataclass
class Laboratory:
    """One experiment's distributions and the one stream of random numbers it draws from."""

    source: Sampler
    target: Sampler
    generator: Generator
    crossing: bool  # whether segments can cross

    def __post_init__(self):
        self.data = self.target(MEASURED, self.generator)

    def beginning(self, title: str, draw: Draw) -> tuple[Coupled, Tensor]:
        """A coupling measured; and its x0, on which all that follow are."""
        x0, x1 = draw(MEASURED)
        return self._coupled(title, 0, torch.stack([x0, x1], 1)), x0

    def rectified(self, count: int, draw: Draw, z0: Tensor, report: Report) -> tuple[Coupled, Draw]:
        """The rectified flow of a coupling, measured from z0; and the coupling that it makes."""
        velocity = self._fitted(draw, FIRST if count == 1 else LATER, report)
        with torch.inference_mode():
            x0 = self.source(PAIRS, self.generator)
            x1 = _path(velocity, x0)[:, -1]
            path = _path(velocity, z0)
            coupled = self._coupled(
                f"{count}-rectified flow",
                count,
                path,
                straightness=straightness(velocity, z0),
                one_step_error=_rms(z0 + velocity(z0, 0.0) - path[:, -1]),
                solvers=_tried(velocity, z0[:TRIED]),
            )
        return coupled, fixed(x0.clone(), x1.clone(), self.generator)

    def side(
        self, name: str, path: AffinePath, draw: Draw, steps: tuple[int, ...], report: Report
    ) -> list[Drawing]:
        """A flow along other paths, solved with Euler's method in so many steps."""
        dimensions = self.data.shape[1]
        network = Network(dimensions, 2 * dimensions, self.generator)

        def examples(n: int) -> Example:
            x0, x1 = draw(n)
            tau = times(n, self.generator)
            return path.at(x0, x1, tau), tau, torch.cat([x0, x1], 1)

        fit(network, examples, ENDS, RATE, lambda i: report(Step(i, ENDS)))

        def velocity(x: Tensor, tau: float) -> Tensor:
            return path.velocity(*network(x, tau).chunk(2, 1), tau)

        z0 = self.source(MEASURED, self.generator)
        with torch.inference_mode():
            return [self._drawing(name, f"N = {n}", n, _path(velocity, z0, n)) for n in steps]

    def flow(self, draw: Draw, report: Report) -> tuple[Drawing, Draw]:
        """The rectified flow of a coupling in many steps; and the coupling that it makes."""
        velocity = self._fitted(draw, FIRST, report)
        with torch.inference_mode():
            x0 = self.source(PAIRS, self.generator)
            path = _path(velocity, x0)
        drawing = self._drawing("", "The flow itself", 4 * FRAMES, path[:MEASURED])
        return drawing, fixed(x0.clone(), path[:, -1].clone(), self.generator)

    def distilled(self, title: str, draw: Draw, report: Report) -> Drawing:
        """One step that goes from x0 to E[x1 | x0]: what distilling a coupling gives."""
        dimensions = self.data.shape[1]
        network = Network(dimensions, dimensions, self.generator)

        def examples(n: int) -> Example:
            x0, x1 = draw(n)
            return x0, torch.zeros(n), x1

        fit(network, examples, ENDS, RATE, lambda i: report(Step(i, ENDS)))
        z0 = self.source(MEASURED, self.generator)
        with torch.inference_mode():
            return self._drawing("", title, 1, torch.stack([z0, network(z0, 0.0)], 1))

    def _fitted(self, draw: Draw, steps: int, report: Report) -> Velocity:
        dimensions = self.data.shape[1]
        network = Network(dimensions, dimensions, self.generator)
        fit(network, straight(draw, self.generator), steps, RATE, lambda i: report(Step(i, steps)))
        return network

    def _coupled(self, title: str, count: int, path: Tensor, **more: Any) -> Coupled:
        x0, x1 = path[:, 0], path[:, -1]
        figures = {"straightness": None, "one_step_error": None} | more
        share = crossings(x0, x1, self.generator) if self.crossing else None
        return Coupled(
            title=title,
            rectified=count,
            crossings=share,
            costs=convex_costs(x0, x1),
            distance=energy_distance(x1, self.data),
            paths=_rounded(path[:SHOWN]),
            **figures,
        )

    def _drawing(self, group: str, title: str, evaluations: int, path: Tensor) -> Drawing:
        distance = energy_distance(path[:, -1], self.data)
        shown = path[: SHOWN // 5, :: max(1, (path.shape[1] - 1) // 10)]
        return Drawing(group, title, evaluations, distance, _rounded(path[:SHOWN, -1]), _rounded(shown))


def _path(velocity: Velocity, z0: Tensor, steps: int | None = None) -> Tensor:
    """[N, points, D]: by Euler's method in so many steps, or all but exactly at FRAMES + 1 moments."""
    points = [z0]
    if steps:
        euler(velocity, z0, uniform_taus(steps), lambda i, tau, x: points.append(x))
    else:
        heun(velocity, z0, uniform_taus(2 * FRAMES), lambda i, tau, x: points.append(x))
        points = points[::2]
    return torch.stack(points, 1)


def _tried(velocity: Velocity, z0: Tensor) -> list[Tried]:
    exact = rk45(velocity, z0, rtol=EXACT, atol=EXACT).x
    ways: list[tuple[str, Callable[[], Any]]] = [
        *(("Euler", lambda n=n: euler(velocity, z0, uniform_taus(n))) for n in EULER_STEPS),
        *(("Heun", lambda n=n: heun(velocity, z0, uniform_taus(n))) for n in HEUN_STEPS),
        *(("Runge-Kutta 45", lambda e=e: rk45(velocity, z0, rtol=e, atol=e)) for e in TOLERANCES),
    ]
    solved = [(name, solve()) for name, solve in ways]
    return [Tried(name, found.evaluations, _rms(found.x - exact)) for name, found in solved]


def _rms(difference: Tensor) -> float:
    return float(difference.double().square().sum(1).mean().sqrt())


def _rounded(points: Tensor) -> Any:
    """As lists, to a thousandth: finer than a screen."""
    return (points.double() * 1000).round().div(1000).tolist()
