"""What strangers may do on a public Space or an open page of a network: look and generate.

The rest is refused by endpoints, or not there.
"""

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
CLOSED = {"merged", "begun", "done", "started", "acted"}  # of merging, importing and training


@pytest.mark.parametrize("place", ["Space", "network"])
def test_endpoints_refuse_strangers(own_app: Application, tmp_path: Path, monkeypatch, place: str) -> None:
    if place == "Space":
        monkeypatch.setenv("SPACE_ID", "somebody/studio")
    else:
        own_app = replace(own_app, permission=Permission(open_to_strangers=True))
    found = {each.fn.__name__: each.fn for each in build(own_app, tmp_path).fns.values() if each.fn}
    before = own_app.registry.cards()
    for name, given in OWNERS.items():
        with pytest.warns(UserWarning, match="is off on this public page"):
            found[name](*given)
    assert own_app.registry.cards() == before
    assert own_app.jobs.jobs() == []
    assert not CLOSED & found.keys()


def test_the_owner_may(own_app: Application, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    permission = Permission(allowed=True, open_to_strangers=True)
    page = build(replace(own_app, permission=permission), tmp_path)
    found = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    assert found.keys() >= CLOSED
    assert found["renamed"]("tiny-2rf", "Mine") == "Mine"
