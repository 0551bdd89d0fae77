"""The Flow lab tab."""

from rf_app.ui.flow_lab.tab import build as build
