"""Where the user's own things lie, however $INSTAFLOW_HOME is written."""

from pathlib import Path

import pytest

from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.registry.loras import Loras
from rf_app.registry.models import Registry
from rf_app.settings.home import existing, home
from trainers.common.runs import default_run


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ".instaflow"),
        ("", ".instaflow"),
        (" ", ".instaflow"),
        ("~/flow", "flow"),
        ("$HOME/flow", "flow"),
        ("flow", None),
    ],
)
def test_all_ask_in_one_place(given, expected, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    monkeypatch.chdir(tmp_path)
    if given is None:
        monkeypatch.delenv("INSTAFLOW_HOME")
    else:
        monkeypatch.setenv("INSTAFLOW_HOME", given)
    wanted = tmp_path / "person" / expected if expected else tmp_path / "flow"
    assert home() == wanted
    assert Registry.default().folders[-1] == wanted / "models"
    assert Loras.default(Path("here")).folders[1:] == (wanted / "loras", Path("here"))
    assert default_run("a/b") == wanted / "runs" / "a" / "b"
    assert Database().folder == wanted / "jobs"


@pytest.mark.parametrize(
    "written",
    ["{}", " {}\n", '"{}"', "'{}'", "file://{}", "file://localhost{}", "\u202a{}", '\ufeff\u202a"{}"\u202c'],
)
def test_a_path_is_found_however_it_was_copied(written, tmp_path, monkeypatch):
    folder = tmp_path / "Bob's models"
    folder.mkdir()
    assert existing(written.format(folder)) == folder
    assert existing("file://" + str(folder).replace(" ", "%20")) == folder
    assert existing(written.format(folder / "nothing")) is None
    assert existing(written.format("")) is None  # not the folder that the program runs in
    monkeypatch.setenv("HOME", str(tmp_path))
    assert existing("~/Bob's models") == folder


@pytest.mark.parametrize("text", ["~nobody/models", "a\0b", "file:///a%00b", "x" * 100_000, "/dev/zero"])
def test_what_is_no_path_is_none(text):
    assert existing(text) is None


def test_a_user_without_a_home_hears_what_to_do(monkeypatch, tmp_path):
    def nobody(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    monkeypatch.delenv("INSTAFLOW_HOME")
    with pytest.raises(UserError, match=r"\$INSTAFLOW_HOME"):
        home()
