"""Trainers: one command a file (`python -m trainers.reflow --help`); they publish into the registry."""

import sys

from rf_app import ctrl_c

if sys.argv[:1] == ["-m"]:  # a command that is being loaded, which takes seconds
    ctrl_c.ends_at_once()
