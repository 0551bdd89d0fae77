"""What strangers may, and what they are told."""

import pytest

from rf_app.errors import UserError
from rf_app.registry.permission import Permission

STRANGERS = Permission(open_to_strangers=True)


def test_strangers_may_on_a_network_only_what_the_owner_says(monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    assert Permission()
    assert not STRANGERS
    assert Permission(allowed=True, open_to_strangers=True)
    with pytest.raises(UserError, match="Importing is off on this public page"):
        STRANGERS.check("Importing")


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ("cannot write /srv/shown/ab12/a.png (3 MiB free).", "cannot write a.png (3 MiB free)."),
        ("/home/ann/.instaflow/models/x/unet/config.json: not valid", "config.json: not valid"),
        ("'/srv/models/x' is a file", "'x' is a file"),
        ("see https://huggingface.co/a/b or OWNER/NAME, 1/2 of it", None),
        ("guidance is 99; it must be a number in 0..20.", None),
    ],
)
def test_strangers_do_not_hear_where_things_lie(message, told):
    assert Permission().told(UserError(message)) == message
    assert STRANGERS.told(UserError(message)) == (told or message)
