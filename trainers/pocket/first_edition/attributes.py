"""The attributes of a pocket-world picture: what its captions say and what its judge recognises."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "land": ("mountain", "hills", "desert", "forest", "coast", "city"),
    "time": ("day", "sunset", "night"),
    "lake": ("no", "yes"),
    "object": ("none", "house", "tent", "sailboat", "balloon", "van"),
    "colour": ("none", "red", "yellow", "green", "blue", "white"),
    "clouds": ("no", "yes"),
}
