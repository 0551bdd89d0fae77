"""One flow after the other: learned, solved, distilled, measured."""

import json
from collections.abc import Callable
from copy import deepcopy
from dataclasses import asdict, dataclass

import torch
from accelerate import Accelerator
from torch import Generator, Tensor, nn

from benchmarks.flow_table.network import Flow
from benchmarks.flow_table.pairs import Pairs, made_by
from benchmarks.flow_table.pictures import Pictures
from benchmarks.flow_table.settings import DISTILLED, EULER, FLOWS, RK45, FlowTable
from rf_app.flow.affine_path import PATHS
from rf_app.flow.coupling import Draw, fixed, independent
from rf_app.flow.solvers import euler, rk45
from rf_app.metrics import frechet
from rf_app.metrics.recall import recall
from rf_app.registry.disk import write_text
from trainers.common import LoopConfig, train
from trainers.common.models import noise_of
from trainers.pocket.world import HELD_OUT

SHOWN = 8
BATCH = 250  # samples that are drawn together


@dataclass(frozen=True)
class Row:
    """The figures of one flow, solved in one way."""

    flow: str
    solver: str
    evaluations: float
    fid: float
    recall: float


class Experiment:
    """What is done with each flow, by its name; what the run folder holds already is taken from there."""

    def __init__(self, options: FlowTable, pictures: Pictures, accelerator: Accelerator) -> None:
        self.options, self.pictures, self.accelerator = options, pictures, accelerator
        self.device, self.shape = accelerator.device, tuple(pictures.x1.shape[1:])
        self.gaussian = frechet.fit(pictures.reference.cpu().numpy())

    def flow(self, name: str, before: Flow | None, pairs: Pairs | None) -> Flow:
        """The flow of a name, learned from the pictures, or from the pairs of the flow before it."""
        path = PATHS[FLOWS[name][0]]
        torch.manual_seed(self._seed(name))
        flow = Flow(self.shape, path) if before is None else deepcopy(before)
        flow.to(memory_format=torch.channels_last)

        def loss(model: nn.Module, draw: int, generator: Generator) -> Tensor:
            x0, x1 = self._draw(pairs, generator)(self.options.batch)
            tau = torch.rand(len(x0), generator=generator).to(x0)
            return (model(path.at(x0, x1, tau), tau) - flow.target(x0, x1)).square().mean()

        return self._learned(name, "flow", flow, loss, from_pairs=pairs is not None)

    def pairs(self, name: str, flow: Flow) -> Pairs:
        """The pairs that a flow makes, of noise that no other flow's have."""
        first = self._seed(name) * self.options.pairs
        seeds = range(first, first + self.options.pairs)
        folder = self.options.run / name / "pairs"
        return made_by(flow, seeds, self.shape, self.options.tolerance, folder, self.accelerator)

    def distilled(self, name: str, flow: Flow, pairs: Pairs) -> Flow:
        """A flow whose one step from noise leads to where all of `flow` leads: squared error of samples."""
        student = deepcopy(flow)

        def loss(model: nn.Module, draw: int, generator: Generator) -> Tensor:
            x0, x1 = self._draw(pairs, generator)(self.options.batch)
            return (student.one_step(x0, model(x0, 0.0)) - x1).square().mean()

        return self._learned(name, "distilled", student, loss, from_pairs=True)

    def rows(self, name: str, flow: Flow, pairs: Pairs, student: Flow) -> list[Row]:
        """A flow measured in all ways, one step on noise that nothing has learned from."""
        path = self.options.run / name / "figures.json"
        if not path.exists():
            samples = self._drawn(flow, student, self.options.measured, (EULER, DISTILLED))
            samples[RK45] = pairs.x1[: self.options.measured].to(self.device, torch.float32)
            evaluations = {RK45: pairs.evaluations}
            rows = [Row(name, s, evaluations.get(s, 1), *self.figures(x)) for s, x in samples.items()]
            write_text(path, json.dumps([asdict(row) for row in rows], indent=1))
        return [Row(**row) for row in json.loads(path.read_text())]

    @torch.no_grad()
    def figures(self, samples: Tensor) -> tuple[float, float]:
        """FID and recall of samples [N, C, H, W]."""
        seen = self.pictures.seen(samples)
        fid = frechet.distance(frechet.fit(seen.cpu().numpy()), self.gaussian)
        return fid, recall(self.pictures.reference, seen)

    @torch.no_grad()
    def shown(self, flow: Flow, student: Flow) -> list[Tensor]:
        """Pictures of the same noise, a row each: by Euler, distilled, by Runge-Kutta."""
        samples = self._drawn(flow, student, SHOWN, (EULER, DISTILLED, RK45))
        return [self.pictures.draw(each) for each in samples.values()]

    @torch.no_grad()
    def _drawn(self, flow: Flow, student: Flow, count: int, solvers: tuple[str, ...]) -> dict[str, Tensor]:
        tolerance = self.options.tolerance
        ways: dict[str, Callable[[Tensor], Tensor]] = {
            EULER: lambda x0: euler(flow.velocity, x0, [0.0, 1.0]).x,
            DISTILLED: lambda x0: student.one_step(x0, student(x0, 0.0)),
            RK45: lambda x0: rk45(flow.velocity, x0, end=flow.end, rtol=tolerance, atol=tolerance).x,
        }
        noise = noise_of(range(HELD_OUT, HELD_OUT + count), self.shape).to(self.device)
        with self.accelerator.autocast():
            return {s: torch.cat([ways[s](x0) for x0 in noise.split(BATCH)]) for s in solvers}

    def _draw(self, pairs: Pairs | None, generator: Generator) -> Draw:
        """The coupling of pairs, or of noise and pictures independent of each other, on this device."""
        x1 = self.pictures.x1

        def noise(n: int, generator: Generator) -> Tensor:
            return torch.randn(n, *self.shape, generator=generator)

        def pictures(n: int, generator: Generator) -> Tensor:
            return x1[torch.randint(len(x1), (n,), generator=generator)]

        chosen = fixed(pairs.x0, pairs.x1, generator) if pairs else independent(noise, pictures, generator)
        return lambda n: tuple(part.to(self.device, torch.float32) for part in chosen(n))

    def _learned(
        self, name: str, what: str, model: Flow, loss: Callable[..., Tensor], from_pairs: bool
    ) -> Flow:
        options, own = self.options, {"seed": self._seed(name)}
        if from_pairs:
            own |= {"steps": options.later_steps, "learning_rate": options.learning_rate / 2}
        return train(LoopConfig.of(options, options.run / name / what, **own), model, loss)

    def _seed(self, name: str) -> int:
        return self.options.seed * len(FLOWS) + list(FLOWS).index(name)
