"""The README's example of the API, as it stands there."""

import re
from pathlib import Path

import pytest

from rf_app.actions.application import Application
from rf_app.registry.models import Registry
from tests.browser import served

ROOT = Path(__file__).parents[1]


def test_the_example_of_the_api_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (example,) = [each for each in re.findall(r"```python\n(.*?)```", text, re.S) if "gradio_client" in each]
    app = Application.on(Registry.default(), "cpu")
    with served(app) as address:
        found: dict[str, object] = {}
        exec(example.replace("http://127.0.0.1:7860", address), found)
    app.worker.close()
    assert [each["settings"]["prompt"] for each in found["told"]["pictures"]][:2] == [
        "a red boat",
        "a blue boat",
    ]
    assert found["details"]["loras"][0]["strength"] == 0.6
