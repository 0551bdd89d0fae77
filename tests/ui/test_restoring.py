"""Settings come from uploaded pictures: the path of any other file is only a text that somebody sends."""

from pathlib import Path

import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from rf_app.actions.application import Application
from rf_app.errors import UserError
from rf_app.pipeline.png import as_png
from rf_app.ui.parts.restoring import restored


def test_a_file_that_was_not_uploaded_is_not_read(app: Application, tmp_path: Path) -> None:
    uploaded = Path(get_upload_folder()) / "here" / "mine.png"
    uploaded.parent.mkdir(parents=True)
    for path in (uploaded, tmp_path / "secret.png"):
        path.write_bytes(as_png(Image.new("RGB", (9, 9)), {"prompt": "a lake", "seed": 7}))
    assert restored(app, str(uploaded)).settings.prompt == "a lake"
    for source in (str(tmp_path / "secret.png"), "no-such", "\0", "x" * 5000, "\ud800", None, 7, ["{"]):
        with pytest.raises(UserError, match="file is missing"):
            restored(app, source)
