"""The wordings of the pocket world: how people say what a scene shows."""

from rf_app.metrics.attributes import ATTRIBUTES

# What stands before "|" is left out in a list of keywords; "*" marks wordings that rain and snow forbid.
# "a" becomes "an" where it must.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "land": {
        "mountain": (
            *("a |snowy mountain", "|snowy mountains", "a |snow-capped mountain", "a |mountain"),
            *("|mountains", "a |mountain peak", "a |mountain with snow", "the |alps"),
        ),
        "hills": (
            *("|green hills", "|rolling hills", "|grassy hills", "|hills"),
            *("a |green meadow", "a |meadow", "the |countryside", "|fields"),
        ),
        "desert": ("|desert dunes", "a |desert", "|sand dunes", "the |desert", "a |sandy desert", "|dunes"),
        "forest": (
            "a |pine forest",
            "a |forest",
            "|pine trees",
            "the |woods",
            "a |forest of pines",
            "|trees",
        ),
        "coast": (
            *("a |sea coast", "the |sea", "a |beach", "the |ocean"),
            *("a |sandy beach", "the |seaside", "a |coast"),
        ),
        "island": ("a |island", "a |small island", "a |island in the sea", "a |lonely island"),
        "city": (
            *("a |city skyline", "a |city", "|skyscrapers"),
            *("|city buildings", "a |town", "a |skyline of towers"),
        ),
    },
    "time": {
        "sunrise": ("at |sunrise", "at |dawn", "in the |morning", "at |daybreak", "in the |morning light"),
        "day": (
            *("*under |sunshine", "*on a |sunny day", "at |noon", "in |daylight", "by |day"),
            *("*under a |blue sky", "*in the |sunshine", "during the |day", "*in the |sun"),
        ),
        "sunset": (
            *("at |sunset", "at |dusk", "in the |evening", "*under a |orange sky"),
            *("*at |golden hour", "during |sunset", "in the |evening light"),
        ),
        "night": (
            *("at |night", "*under the |stars", "*by |moonlight", "*under the |moon"),
            *("*under a |full moon", "at |midnight", "*under a |starry sky"),
        ),
    },
    "season": {
        "spring": ("in |spring", "in |springtime", "with |spring blossoms", "in |spring bloom"),
        "summer": ("in |summer", "in the |summer", "in |summertime"),
        "autumn": (
            *("in |autumn", "in the |fall", "with |autumn leaves"),
            *("in |autumn colours", "with |fall foliage"),
        ),
        "winter": (
            *("in |winter", "in the |snow", "|covered in snow"),
            *("under |snow", "in the |winter", "in |wintertime"),
        ),
    },
    "weather": {
        "clear": ("with a |clear sky", "|without clouds", "with a |cloudless sky", "|with no clouds"),
        "cloudy": (
            *("with |clouds", "under |clouds", "and |clouds"),
            *("with a |cloudy sky", "with |a few clouds", "with |white clouds"),
        ),
        "rain": (
            *("in the |rain", "in |rain", "with |rain", "in |pouring rain"),
            *("while it is |raining", "with |raindrops"),
        ),
        "snow": (
            *("with |falling snow", "while it is |snowing", "with |snow falling"),
            *("in a |snowfall", "with |snowflakes", "in a |snowstorm"),
        ),
    },
    "water": {
        "none": ("|without a lake", "|with no lake", "|without water"),
        "lake": (
            *("near a |lake", "near a |beautiful lake", "by a |lake", "beside a |calm lake"),
            *("with a |lake", "and a |lake", "by the |water", "near a |quiet blue lake"),
        ),
        "river": (
            *("by a |river", "with a |river", "beside a |winding river"),
            *("and a |river", "near a |river", "with a |stream"),
        ),
    },
    "object": {
        "none": ("|with nobody around", "|with nothing else"),
        "house": ("|house", "|cottage", "|cabin", "|hut", "|home"),
        "castle": ("|castle", "|castle with towers", "|fortress"),
        "tent": ("|tent", "|camping tent"),
        "sailboat": ("|sailboat", "|boat", "|sailing boat", "|ship"),
        "balloon": ("|balloon", "|hot-air balloon", "|hot air balloon"),
        "van": ("|van", "|camper van", "|bus", "|camper"),
        "car": ("|car", "|automobile"),
        "cat": ("|cat", "|kitten", "|kitty"),
        "tree": ("|tree", "|round tree", "|oak"),
        "person": ("|person", "|man", "|woman", "|hiker", "|walker"),
    },
}
WORDS_BEFORE = {  # single words before a land or a time of day: "a wintry forest", "on a rainy night"
    ("season", "spring"): ("spring",),
    ("season", "summer"): ("summer",),
    ("season", "autumn"): ("autumn", "fall", "autumnal"),
    ("season", "winter"): ("winter", "wintry", "snowy"),
    ("weather", "clear"): ("clear",),
    ("weather", "cloudy"): ("cloudy",),
    ("weather", "rain"): ("rainy",),
}
PARTS_OF_THE_DAY = {"sunrise": "morning", "day": "day", "sunset": "evening", "night": "night"}
UNSAID = {"season": "summer", "weather": "clear", "water": "none", "object": "none"}
"""What a caption means that says nothing about it: a short prompt gives a quiet picture."""
COLOURS = ATTRIBUTES["colour"][1:]
COLOURED = ("a {c} {n}", "a {c} {n}", "a {c} {n}", "a small {c} {n}", "a big {c} {n}", "a {n} in {c}")
COLOURED_OF = {
    "house": (*COLOURED, "a {n} painted {c}"),
    "sailboat": (*COLOURED, "a {n} with {c} sails", "a {c}-sailed {n}"),
    "person": ("a {n} in {c}", "a {n} in a {c} jacket", "a {n} in a {c} coat", "a {n} wearing {c}"),
    "tree": (*COLOURED[:-1], "a {n} with {c} leaves"),
}
UNCOLOURED = ("a {n}", "a {n}", "a small {n}", "a big {n}")
OPENINGS = (
    *("a photograph of ", "a photo of ", "a picture of ", "a poster of "),
    *("a poster of ", "a travel poster of ", "a painting of ", "a illustration of "),
    *("a illustration of ", "a beautiful view of ", "a landscape with "),
    *("a drawing of ", "a drawing of ", "a image of ", "", "", "", ""),
)
OBJECT_LINKS = ("with", "and", "beside", "next to", "near")
OBJECT_BEFORE = ("in front of", "near", "in", "by", "beside")
