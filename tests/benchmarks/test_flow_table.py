"""The table of unconditional flows: the mathematics of its paths, and all of it in a small run."""

import json
import math
import re
from dataclasses import replace

import pytest
import torch
from torch.nn import functional

from benchmarks.charts import dots
from benchmarks.flow_table import experiment, network
from benchmarks.flow_table.__main__ import main
from benchmarks.flow_table.network import Flow
from benchmarks.flow_table.settings import FLOWS, FlowTable, costs
from benchmarks.flow_table.table import PAPER
from rf_app.errors import UserError
from rf_app.flow.affine_path import PATHS
from rf_app.flow.path import expand
from rf_app.flow.solvers import euler, rk45
from rf_app.metrics.judge import Judge

MEAN, DEVIATION = 0.7, 0.4
SHAPE = (1, 4, 4)


class OfGaussian(Flow):
    """What a flow to N(MEAN, DEVIATION^2) says, had it learned all there is to be learned."""

    def forward(self, x, tau):
        """By the regression of x0, and of x1, on X = alpha x1 + beta x0."""
        tau = torch.as_tensor(tau, dtype=x.dtype).expand(len(x))
        alpha, beta = (expand(of(tau), x) for of in (self.path.alpha, self.path.beta))
        away = (x - alpha * MEAN) / (alpha**2 * DEVIATION**2 + beta**2)
        x0, x1 = beta * away, MEAN + alpha * DEVIATION**2 * away
        return self.target(x0, x1)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(network, "WIDTHS", (32, 32))
    monkeypatch.setattr(experiment, "SHOWN", 1)


@pytest.mark.parametrize("name", ["Rectified flow", "VP", "sub-VP"])
def test_a_flow_that_has_learned_its_ends_takes_noise_to_the_data(name):
    """In one dimension a flow keeps the order of points, so the way between two Gaussians is linear."""
    flow, x0 = OfGaussian(SHAPE, PATHS[name]), torch.randn(6, *SHAPE)
    found = rk45(flow.velocity, x0, end=flow.end, rtol=1e-6, atol=1e-6)
    a, b = (float(of(torch.zeros(1))) for of in (flow.path.alpha, flow.path.beta))
    begin = (x0 - a * MEAN) / math.hypot(a * DEVIATION, b)
    torch.testing.assert_close(found.x, MEAN + DEVIATION * begin, atol=0.01, rtol=0)
    assert found.evaluations > 20


@pytest.mark.parametrize("name", ["Rectified flow", "VP", "sub-VP"])
def test_one_step_is_the_mean_of_the_data_before_anything_is_distilled(name):
    flow, x0 = OfGaussian(SHAPE, PATHS[name]), torch.randn(6, *SHAPE)
    promised = flow.one_step(x0, flow(x0, 0.0))
    torch.testing.assert_close(promised, torch.full_like(x0, MEAN), atol=0.02, rtol=0)
    if flow.straight:
        torch.testing.assert_close(promised, euler(flow.velocity, x0, [0.0, 1.0]).x)


def test_the_network_sees_each_place_once():
    """Patches go apart and together again: with a network that gives back what it gets, nothing moves."""
    flow, x = Flow((8, 24, 24), PATHS["VP"]), torch.randn(2, 8, 24, 24)
    flow.network.forward = lambda patches, times, return_dict: (torch.cat([patches, -patches], 1),)
    torch.testing.assert_close(flow(x, 0.5), torch.cat([x, -x], 1))
    assert functional.pixel_unshuffle(x, network.PATCH).shape[1] == flow.network.config.in_channels


def table(folder, **settings):
    few = {"drawings": 8, "steps": 2, "later_steps": 1, "batch": 2, "pairs": 5, "measured": 4}
    config = FlowTable(run=folder / "run", judge=folder / "judge", tolerance=0.5, precision="no", **few)
    return replace(config, **settings)


def test_all_rows_are_measured_and_a_second_run_takes_what_is_there(tmp_path, capsys):
    Judge().save(tmp_path / "judge")
    config = table(tmp_path)
    main(config)
    found = json.loads((config.run / "flow-table.json").read_text())
    rows = {(row["flow"], row["solver"]): row for row in found["rows"]}
    assert set(rows) == {(flow, solver) for flow, solvers in PAPER.items() for solver in solvers}
    assert all(row["fid"] > 0 and 0 <= row["recall"] <= 1 for row in rows.values())
    assert {row["evaluations"] > 1 for key, row in rows.items() if "45" in key[1]} == {True}
    assert found["seconds"].keys() == costs(config).keys()
    assert (config.run / "flow-table.md").read_text().count("\n") == 2 + 3 * len(FLOWS) + 1
    assert (config.run / "flow-table.svg").read_text().count("<circle") == 3 * len(FLOWS)
    assert "left" in capsys.readouterr().out

    sheet = (config.run / "flow-table.png").read_bytes()
    (config.run / "2-RF/figures.json").unlink()
    next((config.run / "2-RF/pairs").iterdir()).unlink()
    main(config)
    again = json.loads((config.run / "flow-table.json").read_text())
    assert again["rows"] == found["rows"]
    assert (config.run / "flow-table.png").read_bytes() == sheet
    with pytest.raises(UserError, match="holds a table with pairs 5, not 6"):
        main(replace(config, pairs=6))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"measured": 3}, "--measured must be at least 4, not 3"),
        ({"pairs": 4, "measured": 5}, "--pairs must be at least --measured 5, not 4"),
        ({"tolerance": 0.0}, "--tolerance must lie between 0 and 1"),
        ({"pictures": "cifar10"}, "--pictures cifar10 and --inception belong together"),
    ],
)
def test_what_cannot_be_measured_is_said_at_once(tmp_path, settings, said):
    with pytest.raises(UserError, match=said):
        table(tmp_path, **settings)


def test_a_chart_of_dots_has_a_power_of_ten_beyond_both_ends():
    drawn = dots("A & b", [("one", {"x": 12.0, "y": 100.0}), ("two", {"x": 0.5, "y": 451.0})])
    assert "A &amp; b" in drawn
    assert drawn.count("<circle") == 4
    assert [float(tick) for tick in re.findall(r">([\d.]+)</text>", drawn)] == [0.1, 1, 10, 100, 1000]
