"""The flow lab: rectified flow between two distributions of points, trained and measured while one watches.

    python -m rf_app flow-lab --seed 3 --json
    python -m rf_app flow-lab --experiment paths --source gaussian --target spirals --json
    python -m rf_app flow-lab --source-points 0,1 1,0 -1,0 --target letter --json

The sequence with the defaults is that of a public talk: half of all random pairs cross, hardly any after one
rectification, fewer after two, and the cost falls. Small bounded work, on a thread of its own: strangers may.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Generator

from rf_app.actions.application import Application
from rf_app.actions.flow_experiments import ENDS, FIRST, LATER, PAIRS, Coupled, Drawing, Laboratory
from rf_app.actions.progress import Clock, Events
from rf_app.errors import UserError
from rf_app.flow.affine_path import PATHS
from rf_app.flow.coupling import Draw, fixed, independent, matched
from rf_app.flow.toys import IN_SPACE, TOYS, cloud, moved
from rf_app.pipeline.checking import check_number, check_whole
from rf_app.settings.picture import MAX_SEED
from rf_app.settings.points import REACH, Points

EXPERIMENTS = ("reflow", "paths", "distil")
COUPLINGS = {"independent": "Random pairs", "minibatch": "Minibatch optimal pairs", "exact": "Optimal pairs"}
BATCH = 128  # of minibatch optimal transport
OPTIMAL = 1000  # pairs of the exact one, which takes as long as their cube
MOST_RECTIFIED = 3
MOST_APART = 8.0
EULER_STEPS = (1, 2, 5, 100)
TALK = "three-gaussians"


@dataclass(frozen=True)
class FlowLab:
    """An experiment with two distributions of points."""

    experiment: str = "reflow"
    """reflow rectifies a coupling again and again; paths compares rectified flow with diffusion's bent paths;
    distil makes one step of a random and of a rectified coupling."""
    source: str = TALK
    """Where points start: gaussian, three-gaussians, eight-gaussians, two-moons, spirals, rings, letter; or
    sphere or torus, in space."""
    target: str = TALK
    """Where they go; as source."""
    coupling: str = "independent"
    """Which pairs the first flow learns from: independent, minibatch (optimal transport within 128), or exact
    (optimal transport of 1,000)."""
    apart: float = 4.5
    """How far the target lies to the right of the source, 0 to 8; 0 lays one over the other."""
    rectified: int = MOST_RECTIFIED
    """How often reflow rectifies, 1 to 3."""
    seed: int = 0
    """The whole number all is drawn from, 0 to 4294967295."""
    source_points: Points = ()
    """Points to draw the source around, in the place of a name: up to 2,000 of [x, y], from -2 to 2."""
    target_points: Points = ()
    """The same for the target."""


def flow_lab(app: Application, wish: FlowLab) -> Events[FlowLab | Coupled | Drawing]:
    """Rectified flow between two distributions of points: trained, solved and measured in seconds."""
    wish = checked(wish)
    yield wish
    generator = Generator().manual_seed(wish.seed)
    ends = {
        "source": moved(_sampler(wish.source, wish.source_points), -wish.apart / 2),
        "target": moved(_sampler(wish.target, wish.target_points), wish.apart / 2),
    }
    lab = Laboratory(**ends, generator=generator, crossing=_plane(wish))
    draw = yield from app.small_work.take(lambda report: _coupling(wish.coupling, lab), app.line)
    yield from EXPERIMENT[wish.experiment](app, wish, lab, draw)


def answer(app: Application, found: list[FlowLab | Coupled | Drawing]) -> dict[str, Any]:
    """The wish, a summary in words, and for each coupling its crossings (share of random couples of pairs),
    costs, straightness (0 is straight), one-step error, solvers' errors by evaluations, and paths; for each
    drawing the points where it arrives, and their energy distance from the target.
    """
    wish, *results = found
    coupled = [each for each in results if isinstance(each, Coupled)]
    return {
        "wish": asdict(wish),
        "summary": " ".join(sentences(coupled)),
        "couplings": [asdict(each) for each in coupled],
        "drawings": [asdict(each) for each in results if isinstance(each, Drawing)],
    }


def sentences(coupled: Sequence[Coupled]) -> list[str]:
    """What the figures say."""
    if not coupled:
        return []
    first, *flows = coupled
    said = []
    if first.crossings is not None:
        shares = [f"{percent(first.crossings)} of {first.title.lower()} cross"]
        shares += [f"{percent(each.crossings)} after {_times(each.rectified)}" for each in flows]
        said.append(", ".join(shares) + ".")
    if flows:
        last = flows[-1]
        said.append(f"The squared cost goes from {_square(first):.2f} to {_square(last):.2f}.")
        said.append(f"One step of the last flow misses its own end by {last.one_step_error:.2g}.")
    return said


def percent(share: float) -> str:
    """ "46.39%"."""
    return f"{share:.2%}"


def checked(wish: FlowLab) -> FlowLab:
    """The same in force; raises UserError naming what is out of range."""
    for name, known in (("experiment", EXPERIMENTS), ("coupling", COUPLINGS)):
        _check_name(name, getattr(wish, name), tuple(known))
    for name in ("source", "target"):
        points = getattr(wish, f"{name}_points")
        if not points:
            _check_name(name, getattr(wish, name), tuple(TOYS))
        for point in points:
            for value in point:
                check_number(f"{name}_points", value, -REACH, REACH)
    if _plane(wish) is None:
        raise UserError(
            f"{wish.source} and {wish.target}: one lies in space and one in the plane; take two alike."
        )
    if not _plane(wish) and wish.experiment != "reflow":
        raise UserError(
            f"{wish.experiment} draws in the plane: take a source and a target other than in space."
        )
    return replace(
        wish,
        source="drawn" if wish.source_points else wish.source,
        target="drawn" if wish.target_points else wish.target,
        apart=check_number("apart", wish.apart, 0, MOST_APART),
        rectified=check_whole("rectified", wish.rectified, 1, MOST_RECTIFIED),
        seed=check_whole("seed", wish.seed, 0, MAX_SEED),
    )


def _reflow(app: Application, wish: FlowLab, lab: Laboratory, draw: Draw) -> Events[Coupled]:
    title = COUPLINGS[wish.coupling]
    coupled, z0 = yield from app.small_work.take(lambda report: lab.beginning(title, draw), app.line)
    yield coupled
    costs = [FIRST, *[LATER] * (wish.rectified - 1)]
    clock = Clock(sum(costs))
    for count, cost in enumerate(costs, 1):
        turn = app.small_work.take(
            lambda report, count=count, draw=draw: lab.rectified(count, draw, z0, report), app.line
        )
        coupled, draw = yield from clock.follow(turn, f"{count}-rectified flow", cost)
        yield coupled


def _paths(app: Application, wish: FlowLab, lab: Laboratory, draw: Draw) -> Events[Drawing]:
    clock = Clock(len(PATHS))
    for name, path in PATHS.items():
        turn = app.small_work.take(
            lambda report, name=name, path=path: lab.side(name, path, draw, EULER_STEPS, report), app.line
        )
        yield from (yield from clock.follow(turn, name))


def _distil(app: Application, wish: FlowLab, lab: Laboratory, draw: Draw) -> Events[Drawing]:
    clock = Clock(FIRST + 2 * ENDS)
    turn = app.small_work.take(lambda report: lab.flow(draw, report), app.line)
    drawing, rectified = yield from clock.follow(turn, "Rectified flow", FIRST)
    yield drawing
    for title, each in (
        (f"{COUPLINGS[wish.coupling]} distilled", draw),
        ("Rectified pairs distilled", rectified),
    ):
        turn = app.small_work.take(
            lambda report, title=title, each=each: lab.distilled(title, each, report), app.line
        )
        yield (yield from clock.follow(turn, title, ENDS))


EXPERIMENT = {"reflow": _reflow, "paths": _paths, "distil": _distil}


def _sampler(name: str, points: Points) -> Any:
    return cloud(points) if points else TOYS[name]


def _coupling(name: str, lab: Laboratory) -> Draw:
    ends = lab.source, lab.target, lab.generator
    draw = independent(*ends)
    if name == "independent":
        return draw
    x0, x1 = draw(PAIRS if name == "minibatch" else OPTIMAL)
    return fixed(x0, matched(x0, x1, BATCH if name == "minibatch" else None), lab.generator)


def _plane(wish: FlowLab) -> bool | None:
    """Whether both lie in the plane; None where only one does."""
    flat = [
        bool(points) or name not in IN_SPACE
        for name, points in ((wish.source, wish.source_points), (wish.target, wish.target_points))
    ]
    return flat[0] if flat[0] == flat[1] else None


def _check_name(name: str, value: str, known: Sequence[str]) -> None:
    if value not in known:
        raise UserError(f"{name} is {value!r:.40}; it must be one of {', '.join(known)}.")


def _times(count: int) -> str:
    return "one rectification" if count == 1 else ("two", "three")[count - 2]


def _square(coupled: Coupled) -> float:
    return coupled.costs["|x|²"]
