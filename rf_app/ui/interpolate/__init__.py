"""The Interpolate tab."""

from rf_app.ui.interpolate.tab import build as build
