"""What strangers may do on a public Space: look and generate. Endpoints refuse the rest, or are not there."""

from dataclasses import replace
from pathlib import Path

import pytest

from rf_app.actions.application import Application
from rf_app.registry.permission import Permission
from rf_app.ui.page import build

OWNERS = {
    "ask": ("tiny-2rf",),
    "deleted": ("tiny-2rf",),
    "renamed": ("tiny-2rf", "Mine"),
    "pushed": ("tiny-2rf", "a/b"),
}


def test_endpoints_refuse_strangers(
    app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    found = {each.fn.__name__: each.fn for each in build(app, tmp_path).fns.values() if each.fn}
    before = app.registry.cards()
    for name, given in OWNERS.items():
        with pytest.warns(UserWarning, match="is off on this public page"):
            found[name](*given)
    assert app.registry.cards() == before
    assert not {"merged", "begun", "started", "acted", "done"} & found.keys()


def test_the_owner_may(app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    page = build(replace(app, permission=Permission(allowed=True)), tmp_path)
    found = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    assert {"merged", "begun", "started", "acted", "done"} <= found.keys()
    assert found["renamed"]("tiny-2rf", app.registry.card("tiny-2rf").title)
