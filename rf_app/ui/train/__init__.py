"""The Train tab."""

from rf_app.ui.train.tab import build as build
