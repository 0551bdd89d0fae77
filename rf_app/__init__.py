"""InstaFlow Studio: one-step text-to-image with rectified flow. Importing this package does nothing."""
