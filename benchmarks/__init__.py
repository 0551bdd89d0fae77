"""Measurements a person runs by hand: python -m benchmarks.NAME."""
