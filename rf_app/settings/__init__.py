"""Torch-free settings: of a picture, of the trainers, and where the user's own things lie."""
