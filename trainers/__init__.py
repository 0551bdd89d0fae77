"""Trainers: one command a file (`python -m trainers.reflow --help`); they publish into the registry."""
