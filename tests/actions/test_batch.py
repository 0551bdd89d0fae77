"""Many prompts: each picture equals the single one, is on the disk at once, and is not drawn twice."""

import csv
import io
import zipfile
from dataclasses import replace

import pytest
from PIL import Image

from rf_app.actions.batch import Batch, PictureDone, answer, batch
from rf_app.actions.contact_sheet import files
from rf_app.actions.generate import Generate, generate
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.png import read_png_settings
from rf_app.pipeline.worker import Worker
from rf_app.registry.permission import Permission
from rf_app.settings.picture import PictureSettings

LIST = "a {red|blue} boat\na lake"


def draw(app, text, **named):
    return results(batch(app, Batch(text, **named)))[1:]


def test_each_picture_is_the_single_one_of_its_seed_and_says_what_it_shows(app, tmp_path):
    found = draw(app, LIST, model="tiny-2rf", count=2, seed=6, out=tmp_path)
    assert [each.settings.prompt for each in found] == ["a red boat", "a blue boat", "a lake", "a lake"]
    assert [each.settings.seed for each in found] == [6, 7, 8, 9]
    assert [each.file.name for each in found][::3] == [
        "0001-instaflow-a-red-boat-6.png",
        "0004-instaflow-a-lake-9.png",
    ]
    for each in found:
        settings = PictureSettings(**read_png_settings(each.file))
        assert results(generate(app, Generate(settings)))[0].png == each.file.read_bytes()


def test_the_same_again_draws_only_what_is_missing(app, tmp_path):
    first = draw(app, LIST, count=2, out=tmp_path)
    content = first[1].file.read_bytes()
    first[1].file.unlink()
    first[2].file.write_bytes(first[3].file.read_bytes())  # of another seed
    again = draw(app, LIST, count=2, out=tmp_path)
    assert [each.new for each in again] == [False, True, True, False]
    assert again[1].file.read_bytes() == content
    assert all(each.new for each in draw(app, LIST, count=2, steps=2, out=tmp_path))


def test_what_another_engine_has_drawn_is_drawn_again(app, tmp_path):
    other = replace(app, worker=Worker(app.registry, "cpu", engine="bfloat16"))
    assert [each.new for each in draw(app, LIST, out=tmp_path)] == [True, True]
    assert [each.new for each in draw(other, LIST, out=tmp_path)] == [True, True]
    assert [each.new for each in draw(other, LIST, out=tmp_path)] == [False, False]
    other.worker.close()


def test_what_was_drawn_before_a_stop_stays(app, tmp_path):
    events = batch(app, Batch(LIST, count=2, out=tmp_path))
    next(event for event in events if isinstance(event, PictureDone))
    events.close()
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"prompts": "# nothing\n"}, "no prompt in the list"),
        ({"prompts": "a lake\na tent", "count": 101}, r"Line 1: count is 101; it must be .* 1\.\.100"),
        ({"prompts": "prompt,model\na lake,\na tent,nobody"}, "Line 3: .*nobody"),
        ({"prompts": f"a lake\n{'a' * 3000}"}, "Line 2: The prompt has 3,000 characters"),
        ({"prompts": "a lake\n" * 11, "count": 100}, "Line 11: .*more than 1,000 pictures"),
        ({"prompts": "a lake\n__nolist__"}, "Line 2: There is no list __nolist__"),
        ({"prompts": 7}, "prompts must be a text"),
        ({"prompts": "a lake", "seed": -1}, "seed is -1"),
    ],
)
def test_what_cannot_be_drawn_is_named_before_anything_is(app, tmp_path, wish, message):
    with pytest.raises(UserError, match=message):
        results(batch(app, Batch(**wish, out=tmp_path / "new")))
    assert not (tmp_path / "new").exists()


def test_a_sheet_and_a_zip_that_makes_all_of_it_again(app, tmp_path):
    found = draw(app, LIST, count=2, out=tmp_path)
    sheet, archive = files(found, tmp_path)
    with Image.open(io.BytesIO(sheet.content)) as image:
        assert image.width > 2 * 192
    with zipfile.ZipFile(archive.content) as zip:
        assert len(zip.namelist()) == 6
        table = zip.read("prompts.csv").decode()
        assert zip.read(found[0].file.name) == found[0].file.read_bytes()
    assert [row["prompt"] for row in csv.DictReader(io.StringIO(table))][:2] == ["a red boat", "a blue boat"]
    again = draw(app, table, out=tmp_path / "again")
    assert [each.file.read_bytes() for each in again] == [each.file.read_bytes() for each in found]


def test_a_table_has_sizes(app, tmp_path):
    found = draw(app, "prompt;width;height\na lake;64;\na tent;;120\na boat;;", height=144, out=tmp_path)
    sizes = [(each.settings.width, each.settings.height) for each in found]
    assert sizes == [(64, 144), (96, 120), (96, 144)]
    _, archive = files(found, tmp_path)
    with zipfile.ZipFile(archive.content) as zip:
        table = zip.read("prompts.csv").decode()
    again = draw(app, table, out=tmp_path / "again")
    assert [each.file.read_bytes() for each in again] == [each.file.read_bytes() for each in found]


def test_a_program_gets_files_and_settings(app, tmp_path):
    given, told = answer(app, results(batch(app, Batch("a lake", count=2))))
    assert [file.content.read_bytes()[:4] for file in given] == [b"\x89PNG"] * 2
    assert [each["settings"]["seed"] for each in told["pictures"]] == [0, 1]


def test_strangers_have_fewer_pictures(app, tmp_path):
    stranger = replace(app, permission=Permission(open_to_strangers=True))
    with pytest.raises(UserError, match="Line 3: with this one it is more than 200 pictures"):
        draw(stranger, "a lake\n" * 3, count=100, out=tmp_path)
