"""The browser of the page's tests and benchmarks: where it is, how it gets here, its pages and visitors.

`make test` calls `python -m tests.browser`, which installs one when there is none: on Debian its Chromium
without a window, which opens a page in two thirds of the time; elsewhere Playwright's own.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.settled import PATIENCE, settled, watch

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from rf_app.actions.application import Application

SHELL = "chromium-headless-shell"
COMMANDS = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC_CHROME = "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"


def executable() -> str | None:
    """The path of a Chromium here: one on PATH, macOS's Chrome or Playwright's own; None without one.

    Call it before starting Playwright: its synchronous interface cannot be started twice.
    """
    from playwright.sync_api import sync_playwright

    for command in (*COMMANDS, MAC_CHROME):
        if found := shutil.which(command):
            return found
    with sync_playwright() as playwright:
        own = playwright.chromium.executable_path
    return own if Path(own).exists() else None


def on_debian() -> bool:
    """Whether this is Debian itself."""
    return bool(shutil.which("apt-get")) and "ID=debian" in Path("/etc/os-release").read_text().splitlines()


def install() -> bool:
    """Install a browser, as root or through sudo on Debian; True if one is here afterwards."""
    if on_debian():
        as_root = [] if os.geteuid() == 0 else ["sudo"]
        patience = ["-o", "Acquire::Retries=0", "-o", "Acquire::http::Timeout=20"]
        apt_get = [*as_root, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-q", *patience]
        commands = [[*apt_get, "update"], [*apt_get, "install", "-y", "--no-install-recommends", SHELL]]
    else:
        commands = [[sys.executable, "-m", "playwright", "install", "chromium"]]
    for command in commands:
        print(" ".join(command), flush=True)
        if not shutil.which(command[0]) or subprocess.run(command, check=False).returncode:
            return False
    return executable() is not None


@contextmanager
def chromium() -> Iterator["Browser"]:
    """A headless Chromium; only one at a time, as Playwright's synchronous interface starts only once."""
    from playwright.sync_api import sync_playwright

    path = executable()
    if path is None:
        raise SystemExit("No Chromium was found: run `python -m tests.browser` first.")
    flags = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=flags)
        yield browser
        browser.close()


@contextmanager
def served(app: "Application", examples: Path | None = None, **options: Any) -> Iterator[str]:
    """The address of the page on `app`, as `app.py` would serve it.

    examples: a folder of pictures to begin with, if not the bundled ones. options: for the launch.
    """
    from rf_app.actions.examples import FOLDER
    from rf_app.ui.page import build, launch_options

    page = build(app, examples or FOLDER)
    _, address, _ = page.launch(prevent_thread_lock=True, quiet=True, **launch_options(), **options)
    yield address
    page.close(verbose=False)


@contextmanager
def visiting(
    browser: "Browser", address: str, patience: float = PATIENCE, **options: Any
) -> Iterator["Page"]:
    """A fresh visitor of the page at `address`, who has the first picture in front of them.

    patience: milliseconds. options: for the browser's context, a colour scheme say.
    """
    from playwright.sync_api import expect

    window = {"viewport": {"width": 1440, "height": 900}, "accept_downloads": True}
    context = browser.new_context(**window | options)
    watch(context)
    context.set_default_timeout(patience)
    expect.set_options(timeout=patience)
    visitor = context.new_page()
    visitor.goto(address)
    arrived(visitor, patience)
    yield visitor
    context.close()


def arrived(page: "Page", patience: float = PATIENCE) -> None:
    """Wait for the first picture of a page that was just opened, and for all that comes with it."""
    # It may be on another tab. `expect` would draw up the page's whole text at every look.
    page.locator("#stage .total").wait_for(state="attached")
    settled(page, patience)


if __name__ == "__main__":
    # Where root's tests run on Debian, in a container, the quicker one is worth a package.
    enough = executable() and (shutil.which(SHELL) or not on_debian() or os.geteuid())
    if not enough and not install():
        sys.exit(
            "The tests of the page need Chromium, and it could not be installed. Do this, then try again.\n"
            f"Debian: sudo apt-get install {SHELL}\n"
            "Ubuntu: .venv/bin/playwright install --with-deps chromium\n"
            "macOS:  brew install --cask google-chrome"
        )
