"""The Generate tab."""

from rf_app.ui.generate.tab import build as build
