"""`python -m rf_app`: the actions on the command line."""

import io
import json
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from diffusers import UNet2DConditionModel
from PIL import Image
from torch.nn.modules.module import register_module_forward_pre_hook

from rf_app.__main__ import actions, main
from rf_app.jobs import events
from rf_app.pipeline.png import read_png_settings
from rf_app.pipeline.turns import Turns
from rf_app.plugins.picture import decode_map
from tests.full_disk import full_disk
from tests.test_architecture import ROOT


@pytest.fixture(autouse=True)
def tiny_home(tiny_models, tmp_path, monkeypatch):
    """A home with the tiny models and ControlNets, beside those that come with the project."""
    (tmp_path / "home").mkdir()
    for folder in (tiny_models, tiny_models.parent / "controlnets"):
        (tmp_path / "home" / folder.name).symlink_to(folder)
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path / "home"))


def test_pictures_become_files_whose_names_are_printed(tmp_path, capsys):
    out = tmp_path / "made" / "here"
    wish = ["generate", "a lake", "--model", "tiny-2rf", "--steps", "2", "--seed", "5", "--count", "2"]
    code = main([*wish, "--out", str(out)])
    said = capsys.readouterr()
    assert code == 0
    paths = [Path(line) for line in said.out.splitlines()]
    assert [path.name for path in paths] == ["instaflow-a-lake-5.png", "instaflow-a-lake-6.png"]
    settings = [read_png_settings(path) for path in paths]
    assert [(each["model"], each["steps"], each["seed"]) for each in settings] == [
        ("tiny-2rf", 2, 5),
        ("tiny-2rf", 2, 6),
    ]


def test_json_is_all_that_is_printed(tmp_path, capsys):
    code = main(["generate", "a zebra", "--model", "tiny-instaflow", "--json", "--out", str(tmp_path)])
    found = json.loads(capsys.readouterr().out)
    assert code == 0
    assert (found["model"], found["seeds"], found["unknown_words"]) == ("tiny-instaflow", [0], ["zebra"])
    assert (tmp_path / "instaflow-a-zebra-0.png").exists()


def test_a_terminal_that_knows_few_letters_stops_nothing(tmp_path, monkeypatch):
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "latin-1", write_through=True))
    out = tmp_path / "湖"
    assert main(["generate", "café 湖", "--model", "tiny-instaflow", "--json", "--out", str(out)]) == 0
    assert json.loads(written.getvalue())["prompt"] == "café 湖"
    written.truncate(0)
    assert main(["generate", "café 湖", "--model", "tiny-instaflow", "--out", str(out)]) == 0
    assert rb"\u6e56" in written.getvalue()


def test_a_picture_is_followed(tmp_path, capsys):
    Image.new("RGB", (50, 40), "white").save(tmp_path / "drawing.png")
    wish = ["generate", "a lake", "--model", "tiny-instaflow", "--out", str(tmp_path)]
    assert main([*wish, "--control", f"tiny-canny={tmp_path / 'drawing.png'}"]) == 0
    (carried,) = read_png_settings(tmp_path / "instaflow-a-lake-0.png")["control"]
    assert decode_map(carried["image"]).size == (96, 96)


def test_a_user_without_a_home_hears_what_to_do(monkeypatch, capsys):
    monkeypatch.setenv("INSTAFLOW_HOME", "~no-such-user/flow")
    assert main(["generate", "a lake"]) == 2
    assert "error: This user has no home folder" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["generate", " ", "--model", "tiny-sd"], "error: The prompt is empty"),
        (["generate", "a", "--model", "no-such"], "error: There is no model 'no-such'"),
        (["generate", "a", "--steps", "0"], "error: steps is 0"),
        (["generate", "a", "--loras", "gone"], "error: There is no LoRA 'gone'"),
        (
            ["generate", "a", "--loras", "ink=much"],
            "error: LoRA ink: strength is 'much'; it must be a number",
        ),
        (["generate", "a", "--control", "tiny-canny"], "cannot be read"),
        (
            ["generate", "a", "--control", "tiny-canny=no/such.png"],
            "'no/such.png' cannot be read (No such file",
        ),
    ],
)
def test_a_bad_wish_ends_with_its_message_and_2_and_leaves_no_file(words, message, tmp_path, capsys):
    assert main([*words, "--out", str(tmp_path / "made")]) == 2
    said = capsys.readouterr()
    assert message in said.err
    assert said.out == ""
    assert not (tmp_path / "made").exists()


def test_what_is_no_folder_is_named_before_anything_is_drawn(tmp_path, capsys, monkeypatch):
    file = tmp_path / "file"
    file.write_text("")
    monkeypatch.setattr(Turns, "take", lambda *_: pytest.fail("drawn"))
    for option, message in (
        (f"--out={file}", f"{file}: cannot be written to"),
        (f"--out={file / 'within'}", f"{file / 'within'}: cannot be written to"),
        (f"--registry={file}", f"{file} is not a folder: give one of models"),
    ):
        assert main(["generate", "a lake", "--model", "tiny-2rf", option]) == 2
        assert message in capsys.readouterr().err


@pytest.mark.parametrize("words", [["draw"], ["generate-picture", "a lake"], ["--version"]])
def test_an_unknown_action_is_answered_with_those_there_are(words, capsys):
    assert main(words) == 2
    assert re.search(f"no action '{words[0]}'; there are .*generate", capsys.readouterr().err)


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_help_names_the_actions(words, capsys):
    assert main(words) == 0
    assert "generate" in capsys.readouterr().out.rpartition("Actions:")[2]


def test_an_action_says_what_it_takes(capsys):
    with pytest.raises(SystemExit) as end:
        main(["generate", "--help"])
    assert end.value.code == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "--negative-prompt" in said
    assert "Number of pictures, 1 to 16" in said
    with pytest.raises(SystemExit) as end:
        main(["generate", "a lake", "--no-such-option"])
    assert end.value.code == 2


@pytest.mark.parametrize("name", actions())
def test_every_action_says_what_it_takes(name):
    """None of its arguments has the name of an option that all have."""
    with pytest.raises(SystemExit) as end:
        main([name, "--help"])
    assert end.value.code == 0


def test_models_are_compared(tmp_path, capsys):
    wish = ["compare", "a lake", "--models", "tiny-2rf", "tiny-instaflow", "--json", "--out", str(tmp_path)]
    assert main(wish) == 0
    found = json.loads(capsys.readouterr().out)
    assert [each["model"] for each in found["results"]] == ["tiny-2rf", "tiny-instaflow"]
    assert found["speed_up"]["factor"] >= 1
    assert [path.name for path in sorted(tmp_path.glob("*.png"))] == [
        "1-tiny-2rf-instaflow-a-lake-0.png",
        "2-tiny-instaflow-instaflow-a-lake-0.png",
    ]


def test_a_terminal_shows_nothing_of_the_progress_beside_what_comes_after(tmp_path, monkeypatch):
    monkeypatch.setattr("rf_app.actions.run.PULSE", 0.0)  # nothing is too quick to be told
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    wish = ["generate", "a lake", "--model", "tiny-2rf", "--steps", "2", "--json", "--out", str(tmp_path)]
    assert main(wish) == 0
    first, *_, last = terminal.getvalue().rpartition("%")[2].split("\r")
    assert first.endswith("\x1b[K")
    assert last.startswith(f"\x1b[K{tmp_path}")


def test_what_is_listed_is_printed(capsys):
    assert main(["presets"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["name"]
    assert main(["history", "--words", "lake"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_full_disk_is_named_and_no_half_of_a_file_stays(tmp_path, capsys):
    out = tmp_path / "made"
    with full_disk(1000):
        assert main(["generate", "a lake", "--model", "tiny-instaflow", "--out", str(out)]) == 2
    said = f"error: The disk is full: cannot write {out / 'instaflow-a-lake-0.png'} ("
    assert capsys.readouterr().err.splitlines()[-1].startswith(said)
    assert list(out.iterdir()) == []


def test_a_side_that_fails_says_why_and_where_all_do_nothing_is_done(tmp_path, capsys):
    assert main(["compare", "a lake", "--models", "tiny-2rf", "gone", "--out", str(tmp_path)]) == 0
    assert re.search("error: gone: There is no model 'gone'", capsys.readouterr().err)
    assert main(["compare", "a lake", "--models", "gone", "lost", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert [line.partition(":")[0] for line in said.err.splitlines()] == ["error", "error"]
    assert "There is no model 'lost'" in said.err
    axes = ["--rows", "steps", "--row-values", "1, 900"]
    assert main(["grid", "a lake", *axes, "--model", "tiny-2rf", "--out", str(tmp_path)]) == 0
    assert "error: tiny-2rf: steps is 900" in capsys.readouterr().err


def test_ctrl_c_ends_it_within_a_step(tmp_path, capsys):
    steps, person = [], threading.main_thread().ident

    def step(module, _):
        if isinstance(module, UNet2DConditionModel):
            steps.append(module)
            if len(steps) == 3:
                signal.pthread_kill(person, signal.SIGINT)
            if len(steps) >= 3:
                time.sleep(0.1)  # a step of a larger model

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a worker of the tests ignores it
    hook = register_module_forward_pre_hook(step)
    wish = ["generate", "a lake", "--model", "tiny-sd", "--steps", "100", "--guidance", "1", "--count", "16"]
    try:
        code = main([*wish, "--out", str(tmp_path / "made")])
    finally:
        hook.remove()
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert "Stopped." in capsys.readouterr().err
    assert 3 <= len(steps) < 50
    assert not (tmp_path / "made").exists()


def test_app_py_is_the_command_line_too():
    """As `instaflow-studio ACTION`, the command of the package, is."""
    done = subprocess.run([sys.executable, "app.py", "no-such"], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 2
    assert "there is no action 'no-such'" in done.stderr


def test_the_command_line_is_the_owner_s_on_a_public_space_too(tmp_path, capsys, monkeypatch):
    """Jobs that the owner starts on the page are run by it."""
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    assert main(["delete", "no-such"]) == 2
    assert "no-such" in capsys.readouterr().err


def test_one_thing_of_a_folder_is_brought_in_merged_exported_renamed_and_deleted(
    tiny_models, tmp_path, capsys
):
    own = tmp_path / "own" / "models"

    def run(*words):
        code = main([*map(str, words), "--registry", str(own)])
        return code, capsys.readouterr()

    code, said = run("import-model", tiny_models / "tiny-sd", "--id", "mine", "--title=-Mine")
    assert (code, json.loads(said.out)) == (0, {"id": "mine", "what": "model", "path": str(own / "mine")})
    assert run("merge", "mine", "merged", "--fine-tuned", "mine", "--base", "tiny-sd")[0] == 0
    again = "--lora=", "--fine-tuned=mine", "--base=mine", "--overwrite"
    assert run("merge", "mine", "merged", *again)[0] == 0
    assert run("export", "merged", "--to", tmp_path / "out", "--archive")[0] == 0
    assert (tmp_path / "out" / "merged.zip").is_file()
    assert json.loads(run("rename", "merged", "Another title")[1].out) == {"title": "Another title"}
    code, said = run("delete", "mine")
    assert code == 2
    assert "merged takes pieces from it" in said.err
    assert json.loads(run("delete", "merged")[1].out) == {"deleted": "merged"}
    assert run("delete", "mine")[0] == 0
    assert [path for path in own.iterdir() if path.name[0] != "."] == []


def test_what_is_compared_are_models_too(tmp_path, capsys):
    wish = ["compare", "a lake", "--models", "tiny-2rf", "tiny-instaflow", "--json", "--out", str(tmp_path)]
    assert main(wish) == 0
    assert {path.name for path in tmp_path.glob("*.png")} == {
        "1-tiny-2rf-instaflow-a-lake-0.png",
        "2-tiny-instaflow-instaflow-a-lake-0.png",
    }


def test_a_job_finds_progress_and_answer_in_its_folder(tiny_models, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("rf_app.actions.run.PULSE", 0.0)  # nothing is too quick to be told
    (tmp_path / "job").mkdir()
    wish = ["import-model", str(tiny_models / "tiny-sd"), "--id=mine", f"--registry={tmp_path / 'models'}"]
    assert main([*wish, f"--events={tmp_path / 'job'}"]) == 0
    answer = json.loads((tmp_path / "job" / "answer.json").read_text())
    assert answer == {"id": "mine", "what": "model", "path": str(tmp_path / "models" / "mine")}
    assert events.read(tmp_path / "job")[-1]["of"] > 0
