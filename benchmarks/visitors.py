"""Visitors of a page in a process of its own, for benchmarks of hours: programs that ask its HTTP API, and a
browser that looks into every tab.
"""

import base64
import hashlib
import json
import secrets
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING, Any

import httpx
from PIL import Image

from rf_app.pipeline.png import KEY
from tests.browser import visiting
from tests.settled import settled

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PATIENCE = 240  # seconds for an answer
Wish = tuple[str, str]
"""An endpoint's name, and its arguments as JSON."""


class Refused(Exception):
    """The page answered that it will not, or cannot; the text is its reason."""


class Program:
    """Asks the API as a program does, with no more than HTTP; every question is a session of its own."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/gradio_api/", timeout=PATIENCE, trust_env=False)
        described = self._http.get("info").raise_for_status().json()["named_endpoints"]
        self._defaults = {
            name.strip("/"): {
                each["parameter_name"]: each["parameter_default"] for each in about["parameters"]
            }
            for name, about in described.items()
        }

    def begin(self, wish: Wish) -> str:
        """Ask; the address of the answer. Raises `Refused`."""
        name, arguments = wish
        data = list((self._defaults[name] | json.loads(arguments)).values())
        asked = self._http.post(f"call/{name}", json={"data": data, "session_hash": secrets.token_hex(8)})
        if asked.status_code == httpx.codes.SERVICE_UNAVAILABLE:
            raise Refused(asked.json()["detail"])
        return f"call/{name}/{asked.raise_for_status().json()['event_id']}"

    def hang_up(self, wish: Wish) -> None:
        """Ask, hear the first word of the answer, and leave."""
        with self._http.stream("GET", self.begin(wish)) as answer:
            next(answer.iter_lines())

    def pictures(self, wish: Wish) -> list[str]:
        """The digests of the answer's pictures, fetched as files. Raises `Refused`."""
        kind, data = "", "null"
        with self._http.stream("GET", self.begin(wish)) as answer:
            for line in answer.iter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    data = line.removeprefix("data: ")
        if kind != "complete":
            raise Refused(json.loads(data)["error"])
        return [
            pixels(self._http.get(file["url"]).raise_for_status().content)
            for file in _files(json.loads(data))
            if file["orig_name"].endswith(".png")
        ]


def _files(answer: Any) -> Iterator[dict[str, Any]]:
    """What of an answer is a file."""
    if isinstance(answer, dict) and "orig_name" in answer:
        yield answer
    elif isinstance(answer, list):
        for each in answer:
            yield from _files(each)


def pixels(png: bytes) -> str:
    """A digest of what a PNG shows, whatever is written beside it."""
    with Image.open(BytesIO(png)) as image:
        return hashlib.sha256(f"{image.size}".encode() + image.convert("RGB").tobytes()).hexdigest()


def look_around(browser: "Browser", url: str, prompt: str) -> tuple[Wish, list[str]]:
    """One visit: draw a picture of the prompt, then look into every tab. Returns the picture as a wish of the
    API would give it, with its digest.
    """
    with visiting(browser, url, 1000 * PATIENCE) as page:
        page.fill("#prompt textarea", prompt)
        page.press("#prompt textarea", "Enter")
        settled(page, 1000 * PATIENCE)
        picture = base64.b64decode(page.locator("#stage img").first.get_attribute("src").partition(",")[2])
        for tab in ("Compare", "Interpolate", "Train", "Models"):
            page.get_by_role("tab", name=tab, exact=True).click()
            settled(page, 1000 * PATIENCE)
    with Image.open(BytesIO(picture)) as image:
        settings = json.loads(image.info[KEY])
    return ("generate", json.dumps(settings, sort_keys=True)), [pixels(picture)]
