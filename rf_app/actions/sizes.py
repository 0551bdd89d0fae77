"""The sizes of pictures that a model draws, and those that are one click away."""

from dataclasses import dataclass

from rf_app.registry.card import SIDE_STEP, ModelCard

LONGER = 1.5  # times the shorter side
SQUARE, PORTRAIT, LANDSCAPE = SHAPES = ("Square", "Portrait", "Landscape")


@dataclass(frozen=True)
class Sizes:
    """What a model draws, in pixels: its own side, and the smallest and largest that it can."""

    own: int
    smallest: int
    largest: int
    most_pixels: int

    @classmethod
    def of(cls, card: ModelCard) -> "Sizes":
        """Those of a model."""
        return cls(card.resolution, *card.sides, card.most_pixels)

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Width and height by name, of SHAPES."""
        long = min(int(LONGER * self.own), self.largest) // SIDE_STEP * SIDE_STEP
        return {SQUARE: (self.own, self.own), PORTRAIT: (self.own, long), LANDSCAPE: (long, self.own)}

    def like(self, width: int, height: int) -> tuple[int, int]:
        """The size that takes the place of another model's: the same where it can be drawn and is no square,
        else of the same shape.
        """
        sides = sorted((width, height))
        able = self.smallest <= sides[0] and sides[1] <= self.largest and width * height <= self.most_pixels
        if able and width != height:
            return width, height
        return self.shapes[SQUARE if width == height else PORTRAIT if width < height else LANDSCAPE]
