"""The notebook, from its first cell to its last; what needs a network, a GPU or ten minutes is skipped."""

import json

import numpy as np
import pytest

from tests.test_architecture import ROOT

NOTEBOOK = json.loads((ROOT / "notebooks/instaflow_studio.ipynb").read_text(encoding="utf-8"))


@pytest.mark.slow
def test_the_notebook_runs_from_top_to_bottom(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("INSTAFLOW_OFFLINE", "1")
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    names = {}
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
    names["app"].worker.close()
    said = capsys.readouterr().out.splitlines()
    assert [line.split(",")[0] for line in said[:2]] == ["pocket-sd: 25 steps", "pocket-instaflow: 1 steps"]
    for picture in (names["followed"].image, names["stock"]):
        assert np.asarray(picture).std() > 10  # something is there


def test_the_notebook_is_as_nobody_has_run_it():
    assert (NOTEBOOK["nbformat"], NOTEBOOK["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in NOTEBOOK["cells"]]
    assert len(ids) == len(set(ids))
    for cell in NOTEBOOK["cells"]:
        if cell["cell_type"] == "code":
            assert (cell["outputs"], cell["execution_count"]) == ([], None)
    first = next(cell for cell in NOTEBOOK["cells"] if cell["cell_type"] == "code")
    assert "REPOSITORY = " in "".join(first["source"])
