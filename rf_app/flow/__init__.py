"""The mathematics of rectified flow in pure torch: no diffusers, no files, no page."""
