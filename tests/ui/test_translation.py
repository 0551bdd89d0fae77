"""The page in German: a word for everything it is laid out with, and what a German browser shows."""

import ast
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from playwright.sync_api import expect

import rf_app
from rf_app.actions import flow_lab
from rf_app.actions.batch import Batch, PictureDone, plan
from rf_app.actions.examples import FOLDER
from rf_app.actions.flow_experiments import Drawing
from rf_app.actions.generate import Generate, generate
from rf_app.actions.grid_plan import axis
from rf_app.actions.measure import Measured
from rf_app.actions.presets import PromptPreset, delete, save
from rf_app.actions.run import results
from rf_app.actions.trajectory import TrajectorySettings, trajectory
from rf_app.errors import UserError
from rf_app.flow.affine_path import PATHS
from rf_app.jobs import training
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish
from rf_app.jobs.progress import Curve, Progress
from rf_app.jobs.stage import TRAINING, Stage
from rf_app.metrics.fidelity import Fidelity
from rf_app.pipeline import history
from rf_app.settings.bundled import ASSETS
from rf_app.settings.from_nothing import World
from rf_app.settings.picture import PictureSettings
from rf_app.settings.prompts import Text
from rf_app.settings.recipes import recipes
from rf_app.settings.translated import TRANSLATED
from rf_app.settings.world import Pace, sized
from rf_app.ui.batch.tab import LEFT
from rf_app.ui.batch.view import gallery
from rf_app.ui.compare.quality import _result
from rf_app.ui.flow_lab import tab as flow_lab_tab
from rf_app.ui.flow_lab import view as flow_lab_view
from rf_app.ui.generate.stage import message_stage
from rf_app.ui.page import TITLE, build
from rf_app.ui.parts.progress_bar import note
from rf_app.ui.parts.restoring import restored_picture
from rf_app.ui.train import form as train_form
from rf_app.ui.train import view
from rf_app.ui.translation import tables
from tests.browser import visiting
from tests.settled import settled
from tests.trainers.test_world import drawn
from trainers.common.likeness import REAL, in_words
from trainers.data.looking import look
from trainers.world import estimate

SAME = {TITLE, "FID", "LoRA", "ControlNet", "MP4", "python -m trainers.controlnet", "controlnets/"}
EXAMPLES = {"trajectory-prompt", "train-prompts"}
TELLING = {"UserError", "HeldBack", "gr.Info", "gr.Warning", "gr.Error"}


class Texts(HTMLParser):
    """What a piece of HTML says, but for what goes into an English prompt."""

    def __init__(self, html):
        super().__init__()
        self.found, self._left = [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        left = bool({"data-add", "translate"} & set(dict(attributes)))
        names = ("placeholder", "title", "aria-label", "alt", "data-tip")
        self.found += [value for name, value in attributes if name in names and not left]
        self._left = left and tag != "img"  # in which there is no text

    def handle_data(self, data):
        if not self._left:
            self.found += data.split("·")
        self._left = False


def said(component):
    """The texts of a part of the page."""
    kind, props = component["type"], component["props"]
    if kind in ("api", "state", "timer"):
        return
    yield from (props.get(name) for name in ("label", "info") if name in props)
    if props.get("elem_id") not in EXAMPLES:
        yield props.get("placeholder")
    if "button" in kind:
        yield props.get("value")
    if kind == "radio":
        yield from (title for title, _ in props["choices"])
    if kind == "html":
        for name in ("value", "html_template"):
            yield from Texts(props[name]).found if isinstance(props.get(name), str) else ()


def shape(english):
    """What a key of the table stands for, as words.js reads it."""
    return re.escape(english).replace(r"\{\#\}", r"[\d.,]+").replace(r"\{\}", ".+")


def message(node):
    """The English of a text in the source: a value in it is 7, which may stand for a number or anything."""
    if isinstance(node, ast.BinOp):
        return message(node.left) + message(node.right)
    if isinstance(node, ast.JoinedStr):
        return "".join(map(message, node.values))
    return str(node.value) if isinstance(node, ast.Constant) else "7"


def messages(folder):
    """What the modules of a folder complain of and tell."""
    for path in sorted((Path(rf_app.__file__).parent / folder).rglob("[!_]*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and ast.unparse(node.func) in TELLING:
                yield " ".join(message(node.args[0]).split())


def test_every_text_that_the_page_is_laid_out_with_has_its_german(app):
    table = json.loads(tables()["de"])
    known = re.compile("|".join(map(shape, table)))
    components = build(app, FOLDER).get_config_file()["components"]
    texts = {" ".join(str(text).split()) for each in components for text in said(each) if text}
    titles = {title for title, _ in app.models()}
    missing = {
        text
        for text in texts - SAME - titles
        if re.search("[a-z]{2}", text) and text != "${value}" and not known.fullmatch(text)
    }
    assert not missing
    for recipe in recipes().values():  # of which the first is laid out
        texts = [
            recipe.title,
            *(each.title for each in recipe.steps),
            *Texts(train_form.purpose(recipe)).found,
        ]
        texts += [text for each in recipe.shown for text in (each.title, each.about)]
        assert not [text for text in texts if text.strip() and not known.fullmatch(text)]
    in_style = set(re.findall(r"var\((--words-[\w-]+)", (ASSETS / "style.css").read_text()))
    assert in_style == {name for name in table if name.startswith("--words-")}
    for english, german in table.items():
        assert len(re.findall(r"\{#?\}", english)) == german.count("{}"), english


def test_what_a_world_says_of_pictures_and_what_is_wrong_with_them_has_its_german(app, tmp_path):
    folder = drawn(tmp_path / "in", 12)
    (folder / "broken.png").write_bytes(b"no picture")
    (folder / "more").mkdir()
    one = drawn(tmp_path / "one", 1)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/metadata.csv").write_text("file_name,text\na.png,a kite\n")
    there = app.first_model()

    def wish(output="x", images="", **own):
        settings = {f"world.{name}": value for name, value in own.items()}
        return Wish("world", "", output, images=str(images), settings=settings)

    wrongs = [
        *(lambda made=made: training.check(app.jobs, made, app.registry)
          for made in (wish(), wish(images="none"), wish(there, folder), wish("Ä", folder),
                       wish("x", folder, hours=0.001))),
        *(lambda own=own: World(images=folder, output="x", **own) for own in ({"size": 33}, {"hours": 0})),
        *(lambda made=made: look(made, 32) for made in (one, tmp_path, tmp_path / "bad")),
    ]  # fmt: skip
    texts = []
    for wrong in wrongs:
        with pytest.raises(UserError) as told:
            wrong()
        texts.append(str(told.value))
    few = sized(12, 32, 36, Pace(1.0, 1.0))
    said = "\n".join([look(folder, 32).in_words(), estimate(few.seconds, few.settings, 0.01)])
    said += look(folder, 32, from_nothing=False).in_words()
    texts += [" ".join(text.split()) for text in Texts(view.report(said)).found]
    table = json.loads(tables()["de"])
    known = re.compile("|".join(map(shape, table)))
    assert not [text for text in texts if not known.fullmatch(text)]
    assert len(texts) > 25


def test_what_is_said_of_pictures_and_of_wishes_that_cannot_be_has_its_german(app, tmp_path):
    lake = PictureSettings("a lake", app.first_model(), seed=7)
    bad = ({"prompt": " "}, {"prompt": "x" * 9999}, {"seed": None}, {"seed": -1}, {"steps": 0})
    bad += ({"guidance": 99}, {"width": 97}, {"negative_prompt": "x" * 9999})
    lists = ("", "prompt,colour\na,b", "x" * 9999)
    wrongs = [
        *(lambda own=own: results(generate(app, Generate(replace(lake, **own)))) for own in bad),
        lambda: results(generate(app, Generate(lake, 99))),
        *(lambda text=text: plan(app, Batch(Text(text), out=tmp_path)) for text in lists),
        *(lambda text=text: axis("steps", text) for text in ("", "few")),
        lambda: results(trajectory(app, TrajectorySettings("a lake", ()))),
        lambda: save(app, PromptPreset("")),
        lambda: delete(app, "none"),
        lambda: history.History(tmp_path).picture("none"),
        lambda: restored_picture(
            app, json.dumps({TRANSLATED: {"translation": "x", "image": "", "steps": 1}})
        ),
    ]
    texts = []
    for wrong in wrongs:
        with pytest.raises(UserError) as told:
            wrong()
        texts.append(str(told.value))
    measured = Measured("x", "K", 4, 1.0, 64, Fidelity(0.9, {"sky": 0.9}), 12.0, 8.0, 2.0)
    attempts = [PictureDone(i, app.check(lake), tmp_path / "x.png") for i in range(2)]
    parts = [_result(measured), gallery(attempts, 3), note(LEFT), message_stage("Press Generate.")]
    texts += [" ".join(text.split()) for part in parts for text in Texts(part).found]
    table = json.loads(tables()["de"])
    known = re.compile("|".join(map(shape, table)))
    assert not [text for text in texts if re.search("[a-z]{2}", text) and not known.fullmatch(text)]


def test_what_is_said_of_jobs_and_of_a_finished_world_has_its_german():
    names = [name.split() for name in view.FIGURES]
    stage = Stage("Reflow straightens the paths", "trainers.reflow", (), "x", ())
    curves = [
        Curve(replace(stage, module="".join(of)), stage.title, name, 90, ((0, 1.0), (50, 2.0)))
        for *of, name in names
    ]
    way = Progress(0.45, 4e5, f"{stage.title} (1 of 2), 10 of 90", 12.0, tuple(curves), ())
    own = {"kind": TRAINING, "lane": TRAINING, "output": "x", "title": "Good night", "stages": (stage,)}
    jobs = [
        Job(1, **own, wish=Wish(recipe, teacher and "tiny-sd", "x"), state=state, seconds=900.0, busy=9e3)
        for recipe, teacher in ((each.name, each.teachers) for each in recipes().values())
        for state in ("queued", "running", "done", "stopped", "interrupted", "failed")
    ]
    parts = [view.job_list([(job, way) for job in jobs], 1), *view.job_charts(way)]
    for job in jobs[:6]:
        parts += [view.job_head(job, way, "a picture takes 2 s meanwhile, 1.5 × as long")]
        parts += [view.job_actions(job, 5e6, "")]
    real = {"far": 1.0, "sharpness": 1.0, "new": 1.0, "words": 0.9}
    bad = {"far": 3.0, "sharpness": 0.5, "new": 0.0, "words": 0.1}
    rows = {REAL: real, "x": bad, "y": bad | {"far": 9.0, "sharpness": 2.0}, "z": real}
    parts += [in_words(rows, name, 9) for name in "xyz"]
    texts = {" ".join(text.split()) for part in parts for text in Texts(part).found}
    table = json.loads(tables()["de"])
    known = re.compile("|".join(map(shape, table)))
    assert not [text for text in texts if re.search("[a-z]{2}", text) and not known.fullmatch(text)]
    assert len(texts) > 60
    first = next(name for name in table if re.fullmatch(shape(name), "45%, 4.6 days left"))
    assert table[first] == "{} %, noch {}"  # not "noch 45%, …"


@pytest.mark.parametrize("folder", ["actions", "jobs", "pipeline", "ui"])
def test_what_a_visitor_is_told_has_its_german(folder):
    known = re.compile("|".join(map(shape, json.loads(tables()["de"]))))
    texts = {text for text in messages(folder) if re.search("[a-z]{2}", text)} - {"ZeroGPU: 7"}
    missing = {text for text in texts if not known.fullmatch(text)}
    assert not [text for text in missing if not known.fullmatch(text.partition(": ")[2])]  # said of a file
    assert len(texts) > 10


def test_no_pattern_takes_the_texts_of_another():
    patterns = [name for name in json.loads(tables()["de"]) if "{" in name]
    for name in patterns:
        text = name.replace("{}", "abc").replace("{#}", "42")
        assert next(each for each in patterns if re.fullmatch(shape(each), text)) == name


def test_what_the_flow_lab_finds_has_its_german():
    _, *coupled = flow_lab_tab.kept()
    drawings = [
        Drawing(group, title, 3, 0.1, [(0.0, 0.0)], [[(0.0, 0.0), (1.0, 1.0)]])
        for group, title in (*((name, "N = 1") for name in PATHS), ("", "The flow itself"))
    ]
    drawings += [
        replace(drawings[-1], title=f"{title} distilled")
        for title in (*flow_lab.COUPLINGS.values(), "Rectified pairs")
    ]
    parts = [flow_lab_view.found(7, coupled[:count], []) for count in range(1, len(coupled) + 1)]
    parts += [flow_lab_view.found(7, [], shown) for shown in (drawings[: len(PATHS)], drawings[len(PATHS) :])]
    texts = {" ".join(text.split()) for part in parts for text in Texts(part).found}
    known = re.compile("|".join(map(shape, json.loads(tables()["de"]))))
    missing = {text for text in texts if re.search("[a-z]{2}", text) and not known.fullmatch(text)}
    assert missing == {*flow_lab_view.COLOURS, "sub-VP"}  # which are names
    assert len(texts) > 40


def test_a_german_browser_shows_german_and_leaves_what_people_write(browser, url):
    with visiting(browser, url, locale="de-DE") as page:
        expect(page.get_by_role("tab").first).to_have_text("Zeichnen")
        expect(page.locator("#stage .made p")).to_contain_text("1 Schritt · 96×96 · Startwert 11")
        page.fill("#prompt textarea", "Stop")
        settled(page)
        expect(page.locator("#prompt textarea")).to_have_value("Stop")
        expect(page.locator("#stage img")).to_have_attribute("alt", "Stop")
        expect(page.locator("#prompt textarea")).to_have_attribute("placeholder", "Beschreibe ein Bild …")
        expect(page.locator("#reading p").first).to_contain_text("von 30 Wortteilen")
        expect(page.locator("#stop")).to_have_text("Anhalten")
        page.click("#edit-tab-button")
        settled(page)
        page.click("#easel .clear")
        page.click("#edit-go")
        expect(page.locator(".toast-body")).to_contain_text("Die Tafel ist leer")
        page.click("#generate-tab-button")
        page.evaluate("document.documentElement.lang = 'en'")  # as Gradio's settings do it
        expect(page.locator("#stop")).to_have_text("Stop")
        expect(page.get_by_role("tab").first).to_have_text("Generate")
