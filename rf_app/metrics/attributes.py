"""The attributes of a pocket-world picture: what its captions say and what its judge recognises."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "land": ("mountain", "hills", "desert", "forest", "coast", "island", "city"),
    "time": ("sunrise", "day", "sunset", "night"),
    "season": ("spring", "summer", "autumn", "winter"),
    "weather": ("clear", "cloudy", "rain", "snow"),
    "water": ("none", "lake", "river"),
    "object": (
        *("none", "house", "castle", "tent", "sailboat", "balloon"),
        *("van", "car", "cat", "tree", "person"),
    ),
    "colour": ("none", "red", "orange", "yellow", "green", "blue", "white", "black"),
}
