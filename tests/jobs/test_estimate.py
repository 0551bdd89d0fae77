"""What a job takes: the size of a model, read from its config."""

import json

import pytest

from rf_app.jobs.estimate import size_of
from rf_app.registry.checking import WEIGHTS


@pytest.mark.parametrize(
    ("size", "latent", "side"), [(12, 8 * 144, 12), ([12, 12], 8 * 144, 12), ([8, 18], 8 * 144, 12)]
)
def test_the_size_of_a_model_square_or_not(tmp_path, size, latent, side):
    (tmp_path / "config.json").write_text(json.dumps({"sample_size": size, "in_channels": 8}))
    (tmp_path / WEIGHTS["unet"]).write_bytes(b"x" * 100)
    found = size_of(tmp_path)
    assert (found.weights, found.latent, found.side) == (100, latent, side)
