"""What runs here, for a report of a fault."""

import platform

import torch

from rf_app.actions.about import About, about, answer
from rf_app.actions.run import results


def test_it_tells_versions_machine_and_what_is_at_hand_and_no_folder(app):
    found = answer(app, results(about(app, About())))
    assert found["Python"] == platform.python_version()
    assert found["torch"] == torch.__version__
    assert found["InstaFlow Studio"][0].isdigit()
    assert found["Device"] == "cpu"
    assert found["Threads"].startswith(f"{torch.get_num_threads()} of ")
    assert "tiny-instaflow" in found["Models"].split(", ")
    assert "/" not in "".join(found.values())
