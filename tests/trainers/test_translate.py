"""Translation: its two kinds of pictures, and short real runs with kill and resume."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import LCMScheduler
from PIL import Image
from safetensors.torch import load_file

from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.metrics.sample import Sample
from rf_app.registry.models import Registry
from rf_app.registry.translations import Translations
from tests.trainers.commands import UNET, Command
from trainers import translate
from trainers.common import checkpoints
from trainers.common.models import load_frozen
from trainers.common.translated import HeldOutDrawings
from trainers.data.domains import domains, drawn
from trainers.pocket.first_edition.editions import world_of
from trainers.pocket.world import HELD_OUT

KINDS = Judge.load(BUNDLED).kinds
WORLD = world_of(KINDS)
SMALL = {"base": "tiny-sd", "drawings": 20, "measured": 2, "batch": 4, "checkpoint-every": 2, "steps": 8}
SMALL |= {"source": "day", "target": "night"}


def options(output: str, **more: object) -> list[object]:
    given = SMALL | {"output": output} | more
    return [part for name, value in given.items() for part in (f"--{name}", value)]


def test_no_scene_is_in_both_kinds_and_each_shows_its_own() -> None:
    day, night = domains("day", "night", WORLD, KINDS, 96, 30)
    assert {WORLD.describe(seed)[0].time for seed in day.seeds} == {"day"}
    assert {WORLD.describe(seed)[0].time for seed in night.seeds} == {"night"}
    plain, woodcut = domains("plain", "woodcut", WORLD, KINDS, 96, 30)
    assert not {*plain.seeds} & {*woodcut.seeds}
    assert np.array_equal(plain.pixels([3])[0], WORLD.picture(plain.seeds[3], 96))
    assert not np.array_equal(woodcut.pixels([3])[0], WORLD.picture(woodcut.seeds[3], 96))


@pytest.mark.parametrize("names", [("day", "night"), ("plain", "woodcut")])
def test_the_judge_tells_the_target_from_the_source(names: tuple[str, str]) -> None:
    """Drawings as they are have nothing changed and all kept; the target's own have what should change."""
    judge = Judge.load(BUNDLED)
    attribute = None if "plain" in names else "time"
    size = Sample.load().size
    source, target = (drawn(name, attribute, WORLD, size, 12, HELD_OUT) for name in names)
    held = HeldOutDrawings(judge, source, target)
    same = held.shares(held.drawings)
    assert (same.changed, same.kept, same.both) == (0, 1, 0)
    others = torch.from_numpy(target.pixels(range(12))).permute(0, 3, 1, 2) / 127.5 - 1
    assert held.shares(others).changed > 0.9
    assert all(names[1] in caption for caption in held.captions())


def test_a_killed_translation_resumes_to_the_same_weights(at_home: Path, survives: Callable) -> None:
    said = survives(translate, options, "translations", UNET, "2-rectified")
    assert all(f"| {name} | " in said for name in ("1-rectified", "2-rectified", "distilled"))
    start = load_frozen(Registry.default(), "tiny-sd").unet.half()
    folders = [at_home / "translations" / name for name in ("killed", "whole")]
    for part in (UNET, UNET.replace("unet", "flow")):
        killed, whole = (load_file(folder / part) for folder in folders)
        assert all(torch.equal(killed[name], whole[name]) for name in whole)
        assert not torch.equal(whole["conv_in.weight"], start.conv_in.weight)
    card = Translations.default().card("whole")
    assert (card.source, card.target, card.base_model) == ("day", "night", "tiny-sd")
    assert card.measured["distilled, 1 step"].keys() == {"cost", "changed", "kept", "both"}
    assert card.measured["2-rectified, 16 steps"]["straightness"] > 0


def test_folders_of_pictures_are_translated_unseen_by_the_judge_and_longer(
    at_home: Path, tmp_path: Path, works: Command, capsys: pytest.CaptureFixture
) -> None:
    for kind, level in (("dark", 40), ("bright", 200)):
        (tmp_path / kind).mkdir()
        for i in range(20):
            Image.new("RGB", (96, 96), (level, level, 5 * i)).save(tmp_path / kind / f"{kind} {i}.png")
    folders = {"source": tmp_path / "dark", "target": tmp_path / "bright"}
    works(translate, *options("brighter", **folders, steps=2))
    card = Translations.default().card("brighter")
    assert (card.title, card.source, card.target) == ("Dark to bright", "dark", "bright")
    assert card.measured["distilled, 1 step"].keys() == {"cost"}
    assert str(tmp_path) not in str(card)

    run = at_home / "runs" / "translate" / "brighter"
    works(translate, *options("brighter", **folders, steps=3), "--overwrite")  # and it goes on
    assert [checkpoints.steps_done(run / stage) for stage in translate.STAGES] == [3, 3, 3]
    assert capsys.readouterr().out.count("resuming") == 1  # what stands on the first flow begins anew
    assert [len(list((run / stage).glob("ends-*"))) for stage in translate.STAGES] == [0, 1, 1]


def test_a_base_without_a_path_is_translated_without_sdedit_beside_it(
    at_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was refused after all three trainings, and nothing was published."""
    pipeline = load_frozen(Registry.default(), "tiny-sd")
    pipeline.scheduler = LCMScheduler()
    monkeypatch.setattr(translate, "load_frozen", lambda *_: pipeline)
    way = SimpleNamespace(config=SimpleNamespace(models=None), base=Registry.default().card("tiny-sd"))
    source, target = (drawn(name, "time", WORLD, 96, 2, HELD_OUT) for name in ("day", "night"))
    assert translate.beside(way, HeldOutDrawings(Judge.load(BUNDLED), source, target)) == []


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"target": "winter"}, "two values of one attribute"),
        ({"target": "tent"}, "two values of one attribute"),
        ({"target": "day"}, "they must differ"),
        ({"drawings": 3}, "--drawings must be at least 20"),
        ({"base": "nobody"}, "no model 'nobody'"),
    ],
)
def test_bad_input_is_named(at_home: Path, refused: Command, more: dict, said: str) -> None:
    refused(said, translate, *options("x", **more))
