"""What is read of a run's events."""

import gc

from rf_app.jobs import events


def test_of_a_run_that_goes_on_only_the_latest_version_is_kept(tmp_path):
    """A training of a night has ten thousand events, and pages read them every second."""
    for step in range(1, 21):
        events.append(tmp_path, {"step": step, "of": 20, "of_run": [str(tmp_path)]})
        assert [event["step"] for event in events.read(tmp_path)] == list(range(1, step + 1))
    assert events.read(tmp_path) is events.read(tmp_path)
    found = [each for each in gc.get_objects() if type(each) is dict]  # a list in it, or gc forgets it
    assert sum(each.get("of_run") == [str(tmp_path)] for each in found) == 20
