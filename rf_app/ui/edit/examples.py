"""What one click shows: a picture of the examples, and what shall become of it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Example:
    """One click: a picture of the examples, what it shows, and what the new one shall show."""

    picture: str
    shows: str | None
    prompt: str
    strength: float


EXAMPLES = {
    "Make it night": Example(
        "2-red-sailboat", "a red sailboat on the sea at sunset", "a red sailboat on the sea at night", 0.8
    ),
    "Paint the balloon red": Example(
        "3-balloon-over-dunes",
        "desert dunes with a blue balloon on a sunny day",
        "desert dunes with a red balloon on a sunny day",
        0.8,
    ),
    "Another place": Example("6-white-house", None, "a white house on a sea coast under sunshine", 0.75),
}
