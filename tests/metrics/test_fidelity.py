"""Prompt fidelity counts what captions state and nothing else."""

import pytest
import torch

from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.metrics.fidelity import fidelity


def logits_of(*pictures: dict[str, str]) -> dict[str, torch.Tensor]:
    """What a judge without doubts says of pictures; the first kind of what a picture leaves out."""
    return {
        name: torch.stack([torch.eye(len(kinds))[kinds.index(p.get(name, kinds[0]))] for p in pictures])
        for name, kinds in ATTRIBUTES.items()
    }


def test_shares() -> None:
    seen = logits_of({"land": "city", "time": "night"}, {"land": "desert", "object": "tent", "colour": "red"})
    stated = [{"land": "city", "time": "day"}, {"land": "desert", "object": "tent", "colour": "blue"}]
    result = fidelity(seen, stated, ATTRIBUTES)
    assert result.attributes == {"land": 1.0, "time": 0.0, "object": 1.0, "colour": 0.0}
    assert result.mean == pytest.approx(3 / 5)


def test_open_attributes_do_not_count() -> None:
    seen = logits_of({"land": "city"}, {"land": "hills"})
    assert fidelity(seen, [{"land": "city"}, {"time": "sunrise"}], ATTRIBUTES).mean == 1.0
    assert fidelity(seen, [{"land": "city"}, {"time": "night"}], ATTRIBUTES).mean == 0.5
