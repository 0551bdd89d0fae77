"""The world that the bundled models of 96 pixels learned from, as it was.

They, their judge, styles and edges are measured on it. It goes, with `world_of`, when the weights of the
second edition are bundled.
"""
