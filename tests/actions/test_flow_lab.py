"""The flow lab: what it finds, in which order, and what it says to a bad wish."""

import json
import math
import time
from dataclasses import asdict

import pytest

from rf_app.actions import flow_experiments, flow_lab
from rf_app.actions.asking import asking
from rf_app.actions.flow_experiments import Coupled, Drawing
from rf_app.actions.flow_lab import FlowLab, answer, checked
from rf_app.actions.progress import Progress
from rf_app.actions.run import results
from rf_app.errors import UserError

HEART = tuple((math.sin(t / 10) ** 3, math.cos(t / 10) - 0.4 * math.cos(t / 5)) for t in range(63))


@pytest.fixture
def tiny(monkeypatch):
    """Too few steps to learn well, enough to see all that happens."""
    for name, steps in (("FIRST", 120), ("LATER", 60), ("ENDS", 60), ("PAIRS", 2048)):
        monkeypatch.setattr(flow_experiments, name, steps)


def run(app, **wish):
    return results(flow_lab.flow_lab(app, FlowLab(**wish)))


def test_the_sequence_of_the_talk_with_a_seed_of_its_own(app):
    """Half of all random pairs cross, under 1 % after one rectification, under 0.2 % after two."""
    heard = list(flow_lab.flow_lab(app, FlowLab(rectified=2, seed=11)))
    assert any(isinstance(each, Progress) and each.seconds_left for each in heard)
    pairs, one, two = (each for each in heard if isinstance(each, Coupled))
    assert pairs.crossings == pytest.approx(0.475, abs=0.02)
    assert two.crossings < 0.002 < one.crossings + 0.002 < 0.012
    assert all(one.costs[name] < cost for name, cost in pairs.costs.items())
    assert two.straightness < one.straightness / 100
    assert two.one_step_error < 0.05 < 0.5 < one.one_step_error
    assert max(abs(each.distance) for each in (pairs, one, two)) < 0.01  # the marginals are preserved
    errors = {(each.solver, each.evaluations): each.error for each in one.solvers}
    assert errors["Heun", 32] < errors["Euler", 64] < errors["Euler", 8]


@pytest.mark.usefixtures("tiny")
def test_the_same_seed_is_the_same_experiment_and_another_is_not(app):
    wish = {"source_points": HEART, "target": "letter", "rectified": 1}
    first, again, other = (answer(app, run(app, **wish, seed=seed)) for seed in (3, 3, 4))
    assert first == again != other
    assert json.loads(json.dumps(first)) == first | {"wish": json.loads(json.dumps(first["wish"]))}
    sent = asking(flow_lab).wish(json.loads(json.dumps(first["wish"])))
    assert asdict(checked(sent)) == first["wish"]


@pytest.mark.usefixtures("tiny")
@pytest.mark.parametrize(
    "wish",
    [
        {"source_points": ((0, 1), (1, 0), (-1, 0))},
        {"source": "gaussian", "target": "gaussian", "apart": 0},
        {"target_points": tuple((x / 100, 0.5) for x in range(-100, 100))},  # all on one line
        {"target_points": ((0.5, 0.5),)},
        {"coupling": "minibatch"},
        {"coupling": "exact"},
        {"source": "sphere", "target": "torus"},
    ],
    ids=lambda wish: str(wish)[:40],
)
def test_odd_distributions_and_all_couplings(app, wish):
    pairs, flow = run(app, **wish, rectified=1)[1:]
    assert (pairs.crossings is None) == ("sphere" in wish.values())
    assert [len(path) for path in (pairs.paths[0], flow.paths[0])] == [2, 21]
    assert all(math.isfinite(value) for path in flow.paths for point in path for value in point)


@pytest.mark.usefixtures("tiny")
def test_four_paths_in_four_counts_of_steps(app):
    drawn = run(app, experiment="paths", source="gaussian", target="rings")[1:]
    assert [(each.group, each.evaluations) for each in drawn] == [
        (name, steps) for name in flow_lab.PATHS for steps in (1, 2, 5, 100)
    ]
    assert all(isinstance(each, Drawing) and math.isfinite(each.distance) for each in drawn)


@pytest.mark.usefixtures("tiny")
def test_one_step_of_random_pairs_is_their_mean(app):
    flow, random, rectified = run(app, experiment="distil")[1:]
    assert [flow.evaluations, random.evaluations, rectified.evaluations] == [80, 1, 1]
    assert random.distance > 3 * rectified.distance


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"source": "heart"}, "source is 'heart'; it must be one of gaussian,"),
        ({"target": ["a"]}, r"target is \['a'\]"),
        ({"experiment": "train"}, "experiment is 'train'"),
        ({"coupling": ""}, "coupling is ''"),
        ({"apart": float("nan")}, "apart is nan; it must be in 0..8"),
        ({"rectified": 4}, "rectified is 4"),
        ({"seed": -1}, "seed is -1"),
        ({"source": "sphere"}, "one lies in space and one in the plane"),
        ({"source": "sphere", "target": "torus", "experiment": "paths"}, "paths draws in the plane"),
        ({"source_points": [[0, 1e9]]}, "source_points is 1000000000"),
        ({"source_points": [[0, float("inf")]]}, "source_points is inf"),
        ({"target_points": ["0,nan"]}, "target_points is nan"),
        ({"source_points": [[0, 0]] * 10**6}, "There are 1,000,000 points; at most 2,000"),
        ({"source_points": [[0, 0, 0]]}, "is no point"),
        ({"source_points": [[0, None]]}, "is no point"),
        ({"source_points": {"x": 1}}, "must be a list"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bad_wish_is_named(app, wish, message):
    with pytest.raises(UserError, match=message):
        results(flow_lab.flow_lab(app, asking(flow_lab).wish(wish)))


def test_stop_ends_it_within_a_step_and_nobody_waits_for_it(app):
    work = flow_lab.flow_lab(app, FlowLab())
    while not isinstance(last := next(work), Progress) or not last.seconds_left:
        pass
    work.close()
    began = time.monotonic()
    app.small_work.wait_for(lambda: None)  # the thread is free again
    assert time.monotonic() - began < last.seconds_left
