"""The Edit tab."""

from rf_app.ui.edit.tab import build as build
