"""This studio as a Space: its files, its card, and what the Hub is asked for."""

import ast
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from huggingface_hub import HfApi, SpaceCard

from rf_app.actions import space as module
from rf_app.actions.run import results
from rf_app.actions.space import FETCHED, Space, space
from rf_app.errors import UserError
from rf_app.registry.models import Registry
from tests.test_architecture import ROOT


def prepared(app, wish: Space) -> Path:
    (address,) = results(space(app, wish))
    assert address == str(wish.to)
    return wish.to


def test_a_model_of_one_s_own_goes_along_and_is_opened_with(own_app, tmp_path):
    folder = prepared(own_app, Space("me/boats", "tiny-2rf", to=tmp_path / "boats"))
    assert not [*folder.rglob("__pycache__"), *folder.rglob(".index.json")]
    models = Registry([folder / "assets" / "models"])
    assert models.problems() == {}
    assert models.card("tiny-2rf").kind == "rectified-flow"
    card = SpaceCard.load(folder / "README.md")
    assert card.data.sdk == "gradio"
    assert (folder / "requirements.txt").read_bytes() == (ROOT / "requirements.txt").read_bytes()
    assert re.search(r"- `tiny-2rf`: \S", card.text)
    start = (folder / card.data.app_file).read_text()
    assert 'os.environ.setdefault("INSTAFLOW_MODEL", "tiny-2rf")' in start
    assert "spaces" not in {each.name for node in imports(start) for each in node.names}


def test_on_zero_gpu_it_has_the_original_and_the_libraries_that_go_there(own_app, tmp_path):
    folder = prepared(own_app, Space("me/boats", zero_gpu=True, to=tmp_path / "boats"))
    data = SpaceCard.load(folder / "README.md").data
    assert (data.python_version, data["suggested_hardware"]) == ("3.12.12", "zero-a10g")
    assert data.models == [each.split()[0] for each in data["preload_from_hub"]] == list(FETCHED)
    start = (folder / data.app_file).read_text()
    assert [each.names[0].name for each in imports(start)][3] == "spaces"  # before all that has PyTorch
    assert 'setdefault("INSTAFLOW_MODEL", "instaflow-0.9b")' in start
    assert "torch==2.11.0\n" in (folder / "requirements.txt").read_text()
    with pytest.raises(UserError, match="exists already"):
        prepared(own_app, Space("me/boats", to=folder))


def imports(source: str) -> list[ast.Import | ast.ImportFrom]:
    return [node for node in ast.parse(source).body if isinstance(node, (ast.Import, ast.ImportFrom))]


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Space("boats"), "'boats' is no name on the Hub: expected OWNER/NAME"),
        (Space("me/boats", "no-such"), "There is no model 'no-such'"),
        (Space("me/boats", "controlnet/tiny-canny"), "controlnet/tiny-canny is no model"),
        (Space("me/boats", "tiny-sd"), "tiny-sd takes .*, and the files of a Space may take 1 kB"),
    ],
)
def test_what_makes_no_space(own_app, monkeypatch, wish, said):
    monkeypatch.setattr(module, "MOST", 1000)
    with pytest.raises(UserError, match=said):
        results(space(own_app, wish))


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as an upload needs: it keeps small files, and says that it has the large ones."""

    asked: dict[str, bytes]

    def do_GET(self):
        old = [{"type": "file", "path": "rf_app/gone.py", "oid": "a" * 40, "size": 1}]
        self.answer(old if "/tree/" in self.path else {})

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.asked[self.path] = self.asked.get(self.path, b"") + body
        if self.path.endswith("/preupload/main"):
            files = json.loads(body)["files"]
            self.answer(
                {
                    "files": [
                        {"path": each["path"], "uploadMode": "regular", "shouldIgnore": each["size"] > 10**5}
                        for each in files
                    ]
                }
            )
        else:
            url = f"http://{self.headers['Host']}/spaces/me/boats"
            self.answer({"url": url, "commitUrl": f"{url}/commit/{'b' * 40}", "commitOid": "b" * 40})

    def answer(self, found):
        content = json.dumps(found).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


def test_the_hub_is_asked_for_a_space_and_gets_the_files(own_app, monkeypatch):
    Hub.asked = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    hub = HfApi(f"http://127.0.0.1:{server.server_port}", token="hf_of_a_test")
    monkeypatch.setattr(module, "create_repo", hub.create_repo)
    monkeypatch.setattr(module, "upload_folder", hub.upload_folder)
    assert results(space(own_app, Space("me/boats", zero_gpu=True))) == [f"{hub.endpoint}/spaces/me/boats"]
    server.shutdown()
    made = json.loads(Hub.asked["/api/repos/create"])
    assert (made["type"], made["sdk"], made["hardware"]) == ("space", "gradio", "zero-a10g")
    lines = [json.loads(line) for line in Hub.asked["/api/spaces/me/boats/commit/main"].splitlines()]
    changes = {each["value"]["path"]: each["key"] for each in lines if "path" in each["value"]}
    assert changes["rf_app/gone.py"] == "deletedFile"
    assert {changes[name] for name in ("space.py", "README.md", "rf_app/ui/page.py")} == {"file"}
