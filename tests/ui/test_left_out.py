"""What lies in a store's folder and is in no list is said without the way there."""

from pathlib import Path
from types import SimpleNamespace

from rf_app.ui.parts.left_out import left_out


def test_the_way_to_no_folder_is_told():
    root = Path("/home/ann/my models/loras")
    why = f"{root}/x: what it was made for is not whole. /srv/models/base/unet/config.json: no JSON"
    store = SimpleNamespace(FOLDER="loras", folders=[root], problems=lambda: {"x": why})
    assert "<li>x: what it was made for is not whole. config.json: no JSON</li>" in left_out(store).value
