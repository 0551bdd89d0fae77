"""The table of the stacked model, on tiny ones: a fair start, equal time, and what was done is kept."""

import json
from dataclasses import replace

import pytest
import torch

from benchmarks import stacked
from benchmarks.stacked import NETWORKS, Comparison, Options, deeper, main
from rf_app.errors import UserError
from rf_app.metrics.judge import Judge
from tests.tiny import build_tiny, tiny_unet
from trainers.common import loop


def test_a_deeper_u_net_begins_as_the_one_that_it_is_made_of():
    unet = tiny_unet(3)
    given = torch.randn(2, 8, 12, 12), torch.tensor([1000.0, 300.0]), torch.randn(2, 32, 32)
    with torch.no_grad():
        assert torch.allclose(deeper(unet, 3)(*given).sample, unet(*given).sample, atol=1e-6)


def test_the_table(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    monkeypatch.setattr(stacked, "PACE_STEPS", 30)
    monkeypatch.setattr(loop, "SHEETS", 1)  # they take most of the time of such short runs
    build_tiny(tmp_path / "models")
    Judge().save(tmp_path / "judge")
    options = Options(
        teacher="tiny-2rf",
        folder=tmp_path / "table",
        pairs=8,
        l2_steps=4,
        lpips_steps=0,
        l2_batch=2,
        seeds=(0,),
        prompts=2,
        judge=tmp_path / "judge",
    )
    main(options)
    said = capsys.readouterr().out
    found = Comparison(options).parameters
    assert 0.9 < found["deeper"] / found["stacked"] < 1.1
    steps = json.loads((tmp_path / "table" / "steps.json").read_text())
    assert steps["single"] == {"l2": 4, "lpips": 0}
    assert steps["stacked"]["l2"] >= 1
    rows = [line for line in said.splitlines() if line.startswith(tuple(f"| {name} |" for name in NETWORKS))]
    assert len(rows) == 3
    assert f"| stacked | {found['stacked'] / 1e6:.2f} M |" in rows[1]
    Comparison(options).train("stacked", "stacked-0", {})  # is there: without steps it could not be trained
    with pytest.raises(UserError, match="holds a table with l2_steps 4, not 5: give another --folder"):
        main(replace(options, l2_steps=5))
