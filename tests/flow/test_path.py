"""The convention for time, which everything else stands on."""

import pytest
import torch

from rf_app.flow.path import interpolate, timestep, uniform_taus


def test_ends_and_middle_of_the_path():
    x0, x1 = torch.randn(4, 3, 2, 2), torch.randn(4, 3, 2, 2)
    assert torch.equal(interpolate(x0, x1, 0.0), x0)
    assert torch.equal(interpolate(x0, x1, 1.0), x1)
    torch.testing.assert_close(interpolate(x0, x1, 0.25), 0.75 * x0 + 0.25 * x1)


def test_one_tau_for_each_sample():
    x0, x1 = torch.randn(3, 2, 5), torch.randn(3, 2, 5)
    tau = torch.tensor([0.0, 0.3, 1.0])
    each = torch.stack([interpolate(a, b, float(t)) for a, b, t in zip(x0, x1, tau, strict=True)])
    torch.testing.assert_close(interpolate(x0, x1, tau), each)


def test_the_path_moves_with_the_velocity():
    x0, x1 = torch.randn(2, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    tau = torch.tensor([0.2, 0.7], dtype=torch.float64)
    _, velocity = torch.func.jvp(lambda t: interpolate(x0, x1, t), (tau,), (torch.ones_like(tau),))
    torch.testing.assert_close(velocity, x1 - x0)


def test_half_precision_stays_half_precision():
    x = torch.randn(2, 3).half()
    assert interpolate(x, x, torch.tensor([0.1, 0.2])).dtype == torch.float16


def test_noise_is_timestep_1000_and_data_is_0():
    assert timestep(0.0) == 1000
    assert timestep(1.0) == 0
    assert timestep(0.3) == pytest.approx(700)
    assert uniform_taus(4) == [0, 0.25, 0.5, 0.75, 1]
