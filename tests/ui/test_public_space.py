"""What strangers may do on a public Space: look and generate. Endpoints refuse the rest, or are not there."""

from pathlib import Path

import pytest

from rf_app.registry.permission import Permission
from rf_app.ui.page import build
from rf_app.workflows.generate import Studio

OWNERS = {
    "ask": ("tiny-2rf",),
    "delete": ("tiny-2rf",),
    "rename": ("tiny-2rf", "Mine"),
    "push": ("tiny-2rf", "a/b"),
}


def test_endpoints_refuse_strangers(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    found = {each.fn.__name__: each.fn for each in build(studio, tmp_path).fns.values() if each.fn}
    before = studio.registry.cards()
    for name, given in OWNERS.items():
        with pytest.warns(UserWarning, match="is off on this public page"):
            found[name](*given)
    with pytest.warns(UserWarning, match="Keeping a LoRA is off"):
        found["keep"]([], None, None)
    assert studio.registry.cards() == before
    assert not {"merge", "start", "do"} & found.keys()


def test_the_owner_may(studio: Studio, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    page = build(studio, tmp_path, Permission(allowed=True))
    found = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    assert {"merge", "start", "do"} <= found.keys()
    assert found["rename"]("tiny-2rf", studio.registry.card("tiny-2rf").title)
