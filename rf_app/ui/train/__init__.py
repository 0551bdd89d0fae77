"""The Train tab."""

from rf_app.ui.train.tab import build

__all__ = ["build"]
