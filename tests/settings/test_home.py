"""Where the user's own things lie, however $INSTAFLOW_HOME is written."""

from pathlib import Path

import pytest

from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.registry.loras import Loras
from rf_app.registry.models import Registry
from rf_app.settings.home import home
from trainers.common.runs import default_run


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (None, ".instaflow"),
        ("", ".instaflow"),
        ("~/flow", "flow"),
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


def test_a_user_without_a_home_hears_what_to_do(monkeypatch, tmp_path):
    def nobody(self: Path) -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "expanduser", nobody)
    monkeypatch.delenv("INSTAFLOW_HOME")
    with pytest.raises(UserError, match=r"\$INSTAFLOW_HOME"):
        home()
