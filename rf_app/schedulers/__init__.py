"""Rectified flow as diffusers schedulers."""
