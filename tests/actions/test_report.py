"""The report on a folder of pictures, before anything is trained."""

from dataclasses import replace
from pathlib import Path

import pytest

from rf_app.actions.application import Application
from rf_app.actions.report import report
from rf_app.actions.run import run
from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.jobs.plan import Wish
from rf_app.registry.permission import Permission
from tests.trainers.test_world import drawn


def test_what_will_be_used_and_what_the_time_goes_into(app: Application, tmp_path: Path) -> None:
    app = replace(app, jobs=Database(tmp_path / "jobs"))
    folder = drawn(tmp_path / "in", 12)
    (folder / "broken.png").write_bytes(b"no picture")
    own = {"world.size": 32, "world.hours": 0.5}
    wish = Wish("world", "", "shapes", preset="medium", images=str(folder), settings=own)
    *_, said = run(report(app, wish))
    assert f"{folder}: 10 pictures to learn from and 2 held out" in said
    assert "left out, cannot be read: 1 (broken.png)" in said
    assert "autoencoder: about" in said
    assert app.jobs.jobs() == []
    *_, said = run(report(app, Wish("lora", "tiny-sd", "style", images=str(folder)), "in.zip"))
    assert said.startswith("in.zip: 12 pictures to learn from, of ")
    with pytest.raises(UserError, match="needs captioned pictures"):
        list(run(report(app, Wish("controlnet", "tiny-sd", "lines"))))
    with pytest.raises(UserError, match="no such folder"):
        list(run(report(app, replace(wish, images=str(tmp_path / "none")))))
    with pytest.raises(UserError, match="off on this public page"):
        list(run(report(replace(app, permission=Permission(open_to_strangers=True)), wish)))
