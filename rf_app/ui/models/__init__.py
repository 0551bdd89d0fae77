"""The Models tab."""

from rf_app.ui.models.tab import build as build
