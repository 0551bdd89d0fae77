"""How the page listens to events of its own, which are no endpoints: by `**QUIET` and the like."""

from rf_app.ui.waiting import LONG_WORK

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
LATEST = {"trigger_mode": "always_last", **QUIET}  # else the second of two quick choices is dropped
RUN = {"trigger_mode": "multiple", **LONG_WORK, **QUIET}  # a run: it ends the one before
PAGE_ONLY = {"fn": None, "trigger_mode": "multiple", "api_visibility": "private"}  # the browser does it alone
