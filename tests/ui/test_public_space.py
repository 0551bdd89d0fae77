"""What strangers may do on a public Space or an open page of a network: look and generate.

The rest is refused by endpoints, or not there.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import expect

from rf_app.actions.application import Application
from rf_app.registry.card import write_card
from rf_app.registry.models import Registry
from rf_app.registry.permission import Permission
from rf_app.ui.page import build
from tests.browser import served, visiting
from tests.tiny import save_tiny_safety_checker
from tests.ui.generate_tab import choose

OWNERS = {
    "ask": ("tiny-2rf",),
    "deleted": ("tiny-2rf",),
    "renamed": ("tiny-2rf", "Mine"),
    "pushed": ("tiny-2rf", "a/b"),
    "spaced": ("tiny-2rf", "a/b"),
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


def test_the_safety_checker_speaks_in_place_of_the_picture(
    browser, tiny_registry: Registry, tmp_path: Path
) -> None:
    folder = tiny_registry.folders[-1] / "tiny-checked"
    shutil.copytree(tiny_registry.folder("tiny-sd"), folder)
    save_tiny_safety_checker(folder / "safety_checker", -1)
    write_card(folder, replace(tiny_registry.card("tiny-checked"), title="Tiny Checked"))
    app = Application.on(tiny_registry, "cpu", safety_checker=True)
    with served(app, tmp_path / "no-examples") as address, visiting(browser, address) as page:
        choose(page, "Tiny Checked")
        page.fill("#prompt textarea", "a tent")
        page.click("#go")
        said = "The model's own safety checker holds this picture back"
        expect(page.locator(".stage .empty")).to_contain_text(said)
        expect(page.locator(".stage img")).to_have_count(0)
    app.worker.close()


def test_the_owner_may(own_app: Application, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    permission = Permission(allowed=True, open_to_strangers=True)
    page = build(replace(own_app, permission=permission), tmp_path)
    found = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    assert found.keys() >= CLOSED
    assert found["renamed"]("tiny-2rf", "Mine") == "Mine"
