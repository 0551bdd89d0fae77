"""The Compare tab: one panel for each way to compare models."""

from rf_app.ui.compare.tab import build as build
