"""The Batch tab: pictures of many prompts."""

from rf_app.ui.batch.tab import build as build
