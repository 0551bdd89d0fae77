"""A world of one's own: from a folder of pictures to one step, and measures that no mush passes."""

import json
from importlib import import_module
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image, ImageDraw

from rf_app.errors import UserError
from rf_app.metrics.judge import Judge
from rf_app.registry.models import Registry
from rf_app.settings import world as sizes
from rf_app.settings.from_nothing import Contrastive as ContrastiveSettings
from rf_app.settings.world import Pace, sized
from tests.trainers.commands import in_process
from trainers import contrastive, world
from trainers.common import chain
from trainers.common.contrastive import Contrastive
from trainers.common.likeness import REAL, Measures, in_words
from trainers.common.likeness import mush as mush_of
from trainers.common.models import load_frozen
from trainers.common.pixels import to_tensor
from trainers.data.images import ImageFolder
from trainers.data.looking import look
from trainers.data.source import of_folder
from trainers.data.table import as_folder

COLOURS, SHAPES = ("red", "green", "blue", "black"), ("circle", "square", "stripe")


def drawn(folder: Path, count: int, size: int = 32) -> Path:
    """Shapes in colours, named by what they show."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        colour, shape = COLOURS[rng.integers(4)], SHAPES[rng.integers(3)]
        image = Image.new("RGB", (size, size), (255, 255, 135 + i % 120))
        x, y, side = (int(rng.integers(size // 8, size // 3)) for _ in range(3))
        box = (x, y, x + side + size // 3, y + side + size // 3)
        draw = ImageDraw.Draw(image)
        if shape == "circle":
            draw.ellipse(box, colour)
        else:
            draw.rectangle(box if shape == "square" else (0, y, size, y + 5), colour)
        image.save(folder / f"{colour}-{shape}_{i:03d}.png")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return drawn(tmp_path_factory.mktemp("shapes") / "in", 120)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """So many that what is held out has more than ten captions."""
    return drawn(tmp_path_factory.mktemp("shapes") / "many", 400)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The stages that ran, in this process and in the fewest steps."""
    made: list[str] = []

    def child(arguments: list[str]) -> int:
        made.append(" ".join(arguments[2:]))
        return in_process(import_module(arguments[2]), arguments[3:], monkeypatch)

    monkeypatch.setattr(chain, "run_child", child)
    monkeypatch.setattr(sizes, "LEAST", 2)
    monkeypatch.setattr(world, "measured_pace", lambda size: Pace(1.0, 1.0))
    monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", "no")  # one process has one arithmetic
    return made


def test_from_a_folder_to_one_step(
    pictures: Path,
    ran: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    def run(**more: object) -> int:
        options = {"images": pictures, "output": "shapes", "size": 32, "hours": 0.01} | more
        options |= {"run": tmp_path / "run", "models": tmp_path / "models"}
        words = [word for name, value in options.items() for word in (f"--{name}", value)]
        return in_process(world, words, monkeypatch)

    assert run() == 0
    assert "108 pictures to learn from and 12 held out" in capsys.readouterr().out
    assert [each.split()[0].split(".")[1] for each in ran] == [
        *("autoencoder", "teacher", "pairs", "reflow", "pairs", "distill", "contrastive", "evaluate_world")
    ]
    registry = Registry([tmp_path / "models"])
    kinds = {card.id: (card.kind, card.resolution) for card in registry.cards()}
    assert kinds == {
        "shapes": ("one-step", 32),
        "shapes-2rf": ("rectified-flow", 32),
        "shapes-teacher": ("diffusion", 32),
    }
    assert registry.card("shapes").measured["1 step"]["sharpness"] > 0
    pipeline = load_frozen(registry, "shapes")
    assert pipeline.vae.config.latent_channels == 16
    assert len(pipeline.tokenizer("a red circle").input_ids) == 5  # a word, a token
    figures = json.loads((tmp_path / "run/figures.json").read_text())
    assert {"shapes-teacher 25 steps", "shapes 1 step", "grey"} <= figures["rows"].keys()
    assert [each.split(":")[0] for each in figures["said"]] == ["shapes-teacher 25 steps", "shapes 1 step"]
    with Image.open(tmp_path / "run/sheet.png") as sheet:
        assert sheet.size == (8 * 32, 5 * 32)
    for stage in ("autoencoder", "teacher", "reflow", "distill/l2", "distill/lpips"):
        assert list((tmp_path / "run" / stage / "samples").glob("*.png"))

    ran.clear()
    assert run(hours=0.005) == 0  # there is nothing left to do
    assert ran == []
    monkeypatch.setattr(chain, "run_child", lambda arguments: ran.append(arguments[2]) or 1)
    assert run(hours=1.0) == 1
    assert ran == ["trainers.autoencoder"]  # goes on, and what its pairs were made of does not hold any more
    assert not (tmp_path / "run/pairs").exists()
    assert run(output="longer") == 2
    assert "holds a world with output shapes, not longer" in capsys.readouterr().err
    assert run(hours=2.0, output="longer") == 1  # as another one it goes on, too
    assert json.loads((tmp_path / "run/world.json").read_text())["output"] == "longer"
    assert run(size=64) == 2
    assert "holds a world with size 32, not 64" in capsys.readouterr().err


def test_a_dry_run_leaves_nothing(
    pictures: Path,
    ran: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
) -> None:
    where = ["--run", tmp_path / "run", "--models", tmp_path / "models"]
    options = ["--images", pictures, "--output", "shapes", "--size", 32, "--dry-run", *where]
    assert in_process(world, options, monkeypatch) == 0
    said = capsys.readouterr().out
    assert "12 different ones" in said
    assert "teacher: about" in said
    assert ran == []
    assert not list(tmp_path.iterdir())


def test_what_is_used_and_what_is_left_out(tmp_path: Path) -> None:
    folder = drawn(tmp_path / "odd", 9)
    (folder / ".DS_Store").write_bytes(b"x")
    Image.new("RGB", (8, 8)).save(folder / "._hidden.png")
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    (folder / "notes.pdf").write_bytes(b"x")
    (folder / "more").mkdir()
    copy = sorted(folder.glob("*_00*.png"))[0]
    (folder / "zz copy.png").write_bytes(copy.read_bytes())
    Image.new("RGBA", (48, 48), (0, 0, 255, 0)).save(folder / "glass.png")
    half = Image.new("RGB", (20, 40), "red")
    half.paste("blue", (0, 20, 20, 40))
    half.getexif()[0x0112] = 6  # to be turned a quarter, clockwise
    half.save(folder / "turned.png", exif=half.getexif())
    Image.new("L", (32, 32), 90).save(folder / "0001.png")

    found = look(folder, 32)
    assert len(found.pictures) == 12
    assert found.about == {"cut": 1, "enlarged": 1, "on white": 1, "turned": 1}
    assert found.left_out == {
        "cannot be read": ["broken.png"],
        "the same as another": ["zz copy.png"],
        "hidden": [".DS_Store", "._hidden.png"],
        "folders within": ["more"],
        "without a caption, or no picture": ["notes.pdf"],
    }
    said = found.in_words()
    assert "10 pictures to learn from and 2 held out" in said
    assert "left out, cannot be read: 1 (broken.png)" in said
    found.save(tmp_path / "kept")
    kept = ImageFolder(tmp_path / "kept", 32)
    by_caption = dict(zip(kept.captions, kept.pixels(range(12)), strict=True))
    assert (by_caption["glass"] == 255).all()
    assert by_caption["turned"][16, 2].tolist() == [0, 0, 255]
    assert "a picture" in by_caption  # a name without a word


def test_a_folder_within_whose_pictures_a_list_names_is_not_left_out(tmp_path: Path) -> None:
    pictures = sorted(drawn(tmp_path / "images", 9).iterdir())
    (tmp_path / "more").mkdir()
    lines = [json.dumps({"file_name": f"images/{path.name}", "text": "a shape"}) for path in pictures]
    (tmp_path / "metadata.jsonl").write_text("\n".join(lines))
    assert look(tmp_path, 32).left_out == {"folders within": ["more"]}


def test_parquet_files_are_a_folder_of_pictures(pictures: Path, tmp_path: Path) -> None:
    files = sorted(pictures.iterdir())[:12]
    rows = [{"bytes": file.read_bytes(), "path": "/etc/passwd"} for file in files]
    rows.append({"bytes": None, "path": str(files[0])})  # a path alone is anybody's
    table = pa.table({"image": rows, "caption": [f"a shape {i}" for i in range(13)]})
    (tmp_path / "data").mkdir()
    pq.write_table(table, tmp_path / "data/train-00000.parquet")
    with as_folder(tmp_path, 100) as folder:
        found = look(folder, 32)
    assert len(found.pictures) == 12
    assert found.pictures[3][1] == "a shape 3"
    assert len(found.left_out["cannot be read"]) == 1
    assert not folder.exists()
    several = table.set_column(1, "caption", [[[f"a shape {i}", "it"] for i in range(13)]])
    pq.write_table(several, tmp_path / "data/train-00000.parquet")
    with as_folder(tmp_path, 100) as folder:
        assert ImageFolder(folder, 32).captions[3] == "a shape 3"
    with as_folder(pictures, 100) as folder:
        assert folder == pictures
    pq.write_table(pa.table({"name": ["a"], "size": [1]}), tmp_path / "data/train-00000.parquet")
    with pytest.raises(UserError, match="has the columns name, size"), as_folder(tmp_path, 100):
        pass


def test_a_picture_that_goes_before_it_is_copied_is_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    folder = drawn(tmp_path / "in", 12)
    found = look(folder, 32)
    found.pictures[3][0].unlink()
    found.pictures[5][0].write_bytes(b"half written")
    found.save(tmp_path / "kept")
    assert len(ImageFolder(tmp_path / "kept", 32)) == 10
    assert capsys.readouterr().out.count("left out: The picture") == 2


def test_captions_in_two_languages_are_words_of_one_world(tmp_path: Path) -> None:
    folder = drawn(tmp_path / "in", 12)
    for i, file in enumerate(sorted(folder.iterdir())):
        file.with_suffix(".txt").write_text(("a red kite", "ein roter Drachen", "красный змей")[i % 3])
    found = look(folder, 32)
    assert "3 different ones, 8 words" in found.in_words()
    found.save(tmp_path / "kept")
    assert "змей" in ImageFolder(tmp_path / "kept", 32).vocabulary()["words"]


def test_a_folder_with_too_few_says_why(tmp_path: Path) -> None:
    folder = drawn(tmp_path / "one", 1)
    for name in ("a", "b"):
        (folder / f"{name}.png").write_bytes(b"no picture")
    with pytest.raises(
        UserError, match=r"holds 1 pictures to use, 8 are needed: .*cannot be read: 2 \(a.png"
    ):
        look(folder, 32)


def test_sizes_follow_from_the_pictures_and_the_time() -> None:
    pace = Pace(0.05, 0.003)
    short, long = (sized(2000, 96, hours * 3600, pace) for hours in (0.5, 2))
    assert 0.9 * 7200 < sum(long.seconds.values()) <= 7200
    assert all(long.seconds[name] > 3 * short.seconds[name] for name in short.seconds)
    few = sized(40, 96, 7200, pace)
    assert few.settings["teacher.steps"] * few.settings["teacher.batch"] <= 40 * 1000
    assert few.settings["autoencoder.steps"] < long.settings["autoencoder.steps"]


@pytest.fixture(scope="module")
def measures(many: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Measures, torch.Tensor]:
    """Measures by a network that learned the shapes, and held-out pictures."""
    folder = tmp_path_factory.mktemp("eyes")
    own = {"steps": 80, "batch": 32, "ema": 0.9, "learning_rate": 2e-3, "size": 32}
    contrastive.main(ContrastiveSettings(images=many, output=folder / "network", run=folder / "run", **own))
    learned, held_out = (
        (to_tensor(each.pixels(range(len(each)))), each.captions) for each in of_folder(many, 32)
    )
    return Measures(Contrastive.load(folder / "network"), Judge.load(), learned, held_out), held_out[0]


def test_pictures_with_the_same_words_are_no_rivals() -> None:
    """Of many pictures and words, too, of which each is told from itself by not one bit."""
    torch.manual_seed(0)
    bags = torch.nn.functional.normalize(torch.rand(64, 1700), p=1, dim=1)
    bags[1] = bags[0]
    right = torch.eye(64) * 50
    right[0, 1] = right[1, 0] = 50
    assert contrastive.contrastive_loss(right, bags).item() == pytest.approx(2 * np.log(2) / 64, rel=1e-3)


def test_nobody_calls_mush_good(measures: tuple[Measures, torch.Tensor]) -> None:
    """Of each kind: it is far from the pictures, and the sentence says so."""
    found, held_out = measures
    real = found.of(held_out, range(len(held_out)))
    assert real["sharpness"] == pytest.approx(1)
    assert (real["far"], real["new"]) == pytest.approx((1, 1))
    assert real["words"] > 0.6
    numbers = [i % len(held_out) for i in range(96)]
    mush = {name: found.of(each, numbers) for name, each in mush_of(held_out, 96).items()}
    mush["half noise"] = found.of(
        torch.cat([held_out, torch.randn(held_out.shape).clamp(-1, 1)]), [*range(len(held_out))] * 2
    )
    blurred = torch.nn.functional.avg_pool2d(held_out, 5, stride=1, padding=2)
    mush["blurred"] = found.of(blurred, range(len(held_out)))
    rows = {REAL: real} | mush
    for name, figures in mush.items():
        assert figures["far"] > 2.5, name
        assert "nothing bad" not in in_words(rows, name, 40)
    for name in ("noise", "grey", "one picture"):
        assert mush[name]["words"] == pytest.approx(0.1, abs=0.1)  # by chance
        assert in_words(rows, name, 40).startswith(f"{name}: mush")
    assert "nothing bad" in in_words(rows, REAL, 40)
    assert mush["noise"]["sharpness"] > 2
    assert mush["grey"]["sharpness"] == 0


def test_learned_by_heart_is_told(many: Path, measures: tuple[Measures, torch.Tensor]) -> None:
    learned, _ = of_folder(many, 32)
    again = to_tensor(learned.pixels(range(6)))
    assert measures[0].of(again, range(6))["new"] < 0.05
    assert measures[0].nearest(again) == list(range(6))
