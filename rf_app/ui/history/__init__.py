"""The History tab."""

from rf_app.ui.history.tab import build as build
