"""Dry runs: every trainer says what it would take, by counting that is right, and leaves nothing."""

from contextlib import nullcontext
from pathlib import Path
from types import ModuleType

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from rf_app.registry.models import Registry
from rf_app.settings.training import Reflow
from tests.tiny import tiny_unet
from tests.trainers.commands import Command
from trainers import controlnet, distill, lora, pairs, perflow
from trainers.common.dry_run import Living, cost, parts

ALL = {
    distill: ("--teacher", "tiny-sd", "--pairs", "absent", "--match-steps", 5, "--l2-batch", 2),
    perflow: ("--teacher", "tiny-sd", "--guidance", 3, "--batch", 2),
    lora: ("--base", "tiny-sd", "--images", "absent", "--batch", 2),
    controlnet: ("--base", "tiny-sd", "--gradient-checkpointing", "--batch", 2),
    pairs: ("--teacher", "tiny-sd", "--batch", 2),
}


@pytest.mark.parametrize(("trainer", "options"), ALL.items(), ids=[each.__name__ for each in ALL])
def test_a_dry_run_says_what_it_would_take_and_makes_nothing(
    at_home: Path, capsys: pytest.CaptureFixture, works: Command, trainer: ModuleType, options: tuple
) -> None:
    before = {path for path in at_home.rglob("*") if "runs" in path.parts or "models" in path.parts}
    works(trainer, *options, "--output", at_home / "x", "--dry-run")
    said = capsys.readouterr().out
    assert all(f"{word}: about " in said for word in ("memory", "disk", "time"))
    assert "Nothing was trained." in said
    assert {path for path in at_home.rglob("*") if "runs" in path.parts or "models" in path.parts} == before


def test_operations_and_numbers_are_those_of_the_real_network(at_home: Path) -> None:
    config = Reflow(teacher="tiny-sd", output="x", pairs=Path("absent"), batch=3)
    (part,) = parts(config, 4, 3.0)
    found = cost(config, part, Registry.default().pieces("tiny-sd"), nullcontext)
    unet = tiny_unet(3)
    with torch.no_grad(), FlopCounterMode(display=False) as counted:
        unet(torch.randn(3, 8, 12, 12), 5, encoder_hidden_states=torch.randn(3, 32, 32))
    assert found.forward == counted.get_total_flops()
    assert 2.5 < found.whole / found.forward < 3.1
    assert found.trained == found.held == sum(each.numel() for each in unet.parameters())
    assert found.living > 4 * found.trained  # gradients, and what the way back needs


def test_bytes_are_counted_while_they_live() -> None:
    with Living() as living:
        for _ in range(3):
            kept = torch.ones(1000)  # 4,000 bytes, and as many while it is replaced
        more = torch.ones(500)
    assert living.most == 2 * kept.nbytes
    assert living.now == kept.nbytes + more.nbytes
