"""Models of every kind: what may be done with each, and what is refused since it was not made for it."""

import pytest
from PIL import Image

from rf_app.actions.compare import Compare, SideDone, compare
from rf_app.actions.edit import Edit, edit
from rf_app.actions.run import results
from rf_app.actions.trajectory import TrajectorySettings, trajectory
from rf_app.errors import UserError
from rf_app.plugins.picture import encode_map
from rf_app.registry.card import KINDS
from rf_app.registry.recognition import RECOMMENDED
from rf_app.schedulers.solvers import FOLLOWED, own_class
from rf_app.settings.picture import PictureSettings
from rf_app.settings.start import Start
from tests.tiny import tiny_card, tiny_unet


@pytest.fixture
def jumping(own_app):
    """An application, and a model of each kind that has no path to follow."""

    def build(target, kind):
        tiny_unet(4).save_pretrained(target / "unet")
        own_class(kind)().save_pretrained(target / "scheduler")

    kinds = [kind for kind in KINDS if kind not in FOLLOWED]
    for kind in kinds:
        card = tiny_card(kind, kind, *RECOMMENDED[kind], "tiny-sd")
        own_app.registry.publish(kind, lambda target, kind=kind: build(target, kind), card)
    return own_app, kinds


def test_each_stands_in_a_comparison_and_none_is_drawn_by_another_sampler(jumping):
    app, kinds = jumping
    found = results(compare(app, Compare("a lake", ("tiny-instaflow", *kinds))))
    assert [each.attempt.error for each in found if isinstance(each, SideDone)] == [""] * (len(kinds) + 1)
    for each in results(trajectory(app, TrajectorySettings("a lake", tuple(kinds), 2))):
        assert "was made for steps of its own: it has no straight path" in each.attempt.error
    start = Start(encode_map(Image.new("RGB", (96, 96), "red")))
    for kind in kinds:
        with pytest.raises(UserError, match="cannot begin from a picture: it has no straight path"):
            results(edit(app, Edit(PictureSettings("a lake", kind), start)))
