"""Lerp and slerp as mathematics: ends, norms, angles, and the two cases with no arc of their own."""

import math
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rf_app.flow.interpolation import lerp, over_square, slerp, through


def noise(seed: int, batch: int = 3, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(batch, 8, 12, 12, generator=torch.Generator().manual_seed(seed)).to(dtype)


def norms(x):
    return x.double().flatten(1).norm(dim=1)


def angles(x, y):
    cosine = torch.nn.functional.cosine_similarity(x.double().flatten(1), y.double().flatten(1), dim=1)
    return torch.acos(cosine.clamp(-1, 1))


@pytest.mark.parametrize("mix", [lerp, slerp])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
@settings(max_examples=30)
@given(seeds=st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1)))
def test_both_ends_are_exact(mix, dtype, seeds):
    x0, x1 = noise(seeds[0], dtype=dtype), noise(seeds[1], dtype=dtype)
    assert torch.equal(mix(x0, x1, 0.0), x0)
    assert torch.equal(mix(x0, x1, 1.0), x1)
    assert mix(x0, x1, 0.3).dtype == dtype


@settings(max_examples=30)
@given(t=st.floats(0, 1), scale=st.floats(0.1, 10))
def test_the_norm_goes_evenly_from_one_to_the_other(t, scale):
    x0, x1 = noise(1), scale * noise(2)
    torch.testing.assert_close(norms(slerp(x0, x1, t)), lerp(norms(x0), norms(x1), t), rtol=1e-6, atol=0)


@settings(max_examples=30)
@given(t=st.floats(0.01, 1))
def test_the_direction_turns_evenly_and_stays_in_the_plane(t):
    x0, x1 = noise(1), 3 * noise(2)
    x = slerp(x0, x1, t)
    torch.testing.assert_close(angles(x0, x), t * angles(x0, x1), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(angles(x, x1), (1 - t) * angles(x0, x1), rtol=1e-5, atol=1e-6)


def test_each_sample_is_a_vector_of_its_own():
    x0, x1 = noise(1), noise(2)
    one_by_one = [slerp(x0[i : i + 1], x1[i : i + 1], 0.3) for i in range(len(x0))]
    assert torch.equal(slerp(x0, x1, 0.3), torch.cat(one_by_one))


def test_a_quarter_circle():
    x0, x1 = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    half = math.sqrt(0.5)
    torch.testing.assert_close(slerp(x0, x1, 0.5), torch.tensor([[half, half]]))
    torch.testing.assert_close(lerp(x0, x1, 0.5), torch.tensor([[0.5, 0.5]]))


@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("nudge", [0.0, 1e-9])
def test_parallel_noise_is_lerped(scale, nudge):
    x0 = noise(1).double()
    x1 = scale * x0 + nudge * noise(2).double()
    torch.testing.assert_close(slerp(x0, x1, 0.25), lerp(x0, x1, 0.25))


@pytest.mark.parametrize("scale", [1.0, 2.5])
@pytest.mark.parametrize("nudge", [0.0, 1e-9, 1e-3])
def test_opposite_noise_turns_through_noise(scale, nudge):
    x0 = noise(1).double()
    x1 = -scale * x0 + nudge * noise(2).double()
    assert torch.equal(slerp(x0, x1, 0.0), x0)
    assert torch.equal(slerp(x0, x1, 1.0), x1)
    way = [slerp(x0, x1, i / 64) for i in range(65)]
    for i, x in enumerate(way):
        torch.testing.assert_close(norms(x), lerp(norms(x0), norms(x1), i / 64), rtol=1e-6, atol=0)
    for before, after in pairwise(way):  # no jump: every stretch turns by the same angle
        torch.testing.assert_close(
            angles(before, after), torch.full((3,), math.pi / 64).double(), rtol=2e-2, atol=0
        )


def test_opposite_noise_goes_by_way_of_the_pairs_turned():
    x0 = torch.tensor([[1.0, 2.0, 3.0, 4.0]])
    torch.testing.assert_close(slerp(x0, -x0, 0.5), torch.tensor([[-2.0, 1.0, -4.0, 3.0]]))


def test_one_opposite_sample_leaves_its_neighbours_alone():
    x0, x1 = noise(1), noise(2)
    mixed = torch.cat([x1[:2], -x0[2:]])
    assert torch.equal(slerp(x0, mixed, 0.3)[:2], slerp(x0, x1, 0.3)[:2])


def test_a_way_through_points_stops_at_each():
    points = [noise(seed) for seed in range(4)]
    for i, point in enumerate(points):
        assert torch.equal(through(slerp, points, i / 3), point)
    assert torch.equal(through(slerp, points, 0.5), slerp(points[1], points[2], 0.5))


def test_a_square_has_its_corners_and_its_edges_are_ways():
    corners = [noise(seed) for seed in range(4)]
    for i, corner in enumerate(corners):
        assert torch.equal(over_square(slerp, corners, float(i % 2), float(i // 2)), corner)
    assert torch.equal(over_square(slerp, corners, 0.3, 0.0), slerp(corners[0], corners[1], 0.3))
    assert torch.equal(over_square(slerp, corners, 1.0, 0.3), slerp(corners[1], corners[3], 0.3))
    shell = torch.stack([norms(corner) for corner in corners])
    middle = norms(over_square(slerp, corners, 0.5, 0.5))
    assert (middle > shell.amin(0) * 0.999).all()
    assert (middle < shell.amax(0) * 1.001).all()
