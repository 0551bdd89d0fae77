"""The trainers' settings: what is refused, and one by one as the page has them."""

import importlib
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import pytest

from rf_app.errors import UserError
from rf_app.settings.options import TRAINERS, command_line, options
from rf_app.settings.training import Distill, Lora, Merge, Pairs, Reflow


@pytest.mark.parametrize("trainer", TRAINERS)
def test_every_option_says_what_it_is(trainer: str) -> None:
    """And it is what the command takes."""
    settings = TRAINERS[trainer]
    assert get_type_hints(importlib.import_module(f"trainers.{trainer}").main)["config"] is settings
    found = options(trainer)
    for field in fields(settings):
        option = found[field.name]
        assert option.about.endswith((".", ")"))
        assert option.default == (None if field.default is MISSING else field.default)
        assert option.type or field.name == "layers"


def test_an_option_has_its_own_help_or_that_of_the_training_it_is_a_kind_of() -> None:
    assert options("reflow")["steps"].about == "Optimizer steps."
    assert "InstaFlow took" in options("reflow")["learning_rate"].about
    assert options("pairs")["seed"].about == "Seed of the first pair."
    assert options("reflow")["density"].choices == ("uniform", "u-shaped")
    assert options("distill")["precision"].choices == ("auto", "no", "bf16", "fp16")
    assert (options("distill")["judge"].type, options("pairs")["steps"].type) == ("Path", "int")


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ((Reflow, {"steps": 0}), "--steps must be at least 1, not 0"),
        ((Reflow, {"accumulate": 0}), "--accumulate must be at least 1, not 0"),
        ((Reflow, {"learning_rate": -1.0}), "--learning-rate must lie between 0 and 1, not -1.0"),
        ((Reflow, {"ema": 1.0}), "--ema must be at least 0 and under 1, not 1.0"),
        ((Reflow, {"seed": -1}), "--seed must not be negative, not -1"),
        ((Distill, {"lpips_batch": 0}), "--lpips-batch must be at least 1, not 0"),
        ((Distill, {"l2_steps": 0, "lpips_steps": 0}), "one must be more than 0"),
        ((Distill, {"match_steps": -1}), "--match-steps -1: none may be negative"),
        ((Distill, {"match_every": 0}), "--match-every must be at least 1, not 0"),
        ((Distill, {"match_guidance": 21.0}), "--match-guidance must be 0 to 20, not 21.0"),
        ((Distill, {"match_anchor": -1.0}), "--match-anchor must not be negative, not -1.0"),
        ((Lora, {"layers": ()}), "--layers must name at least one of"),
        ((Lora, {"checkpoint_every": 0}), "--checkpoint-every must be at least 1"),
        ((Merge, {"lora": "x", "strength": 3.0}), "--strength must be -2 to 2, not 3.0"),
        ((Pairs, {"shard": 0}), "--shard must be at least 1, not 0"),
    ],
)
def test_bad_values_are_named(settings: tuple[type, dict[str, Any]], said: str) -> None:
    made, bad = settings
    needed = {f.name: "x" for f in fields(made) if f.default is MISSING and f.default_factory is MISSING}
    with pytest.raises(UserError, match=said):
        made(**needed | bad)


def test_values_become_a_command_line() -> None:
    values = {
        "l2_steps": 3,
        "title": "",
        "run": None,
        "overwrite": True,
        "write_card": False,
        "guidance": -1.5,
    }
    assert command_line(values) == ["--l2-steps", "3", "--overwrite", "--no-write-card", "--guidance=-1.5"]
