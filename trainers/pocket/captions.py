"""Captions of the pocket world, in many wordings; how they are read; the words a model knows from them."""

import re
from dataclasses import dataclass

import numpy as np

from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.registry.vocabulary import split_words
from trainers.pocket.scene import Scene


@dataclass(frozen=True)
class Caption:
    """A caption and the attributes it states; what it leaves open any picture may show."""

    text: str
    stated: frozenset[str]


# What stands before "|" is left out in a list of keywords; "*" marks wordings that rain and snow forbid.
# "a" becomes "an" where it must.
PHRASES: dict[str, dict[str, tuple[str, ...]]] = {
    "land": {
        "mountain": (
            "a |snowy mountain",
            "|snowy mountains",
            "a |snow-capped mountain",
            "a |mountain",
            "|mountains",
            "a |mountain peak",
            "a |mountain with snow",
            "the |alps",
        ),
        "hills": (
            "|green hills",
            "|rolling hills",
            "|grassy hills",
            "|hills",
            "a |green meadow",
            "a |meadow",
            "the |countryside",
            "|fields",
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
            "a |sea coast",
            "the |sea",
            "a |beach",
            "the |ocean",
            "a |sandy beach",
            "the |seaside",
            "a |coast",
        ),
        "island": ("a |island", "a |small island", "a |island in the sea", "a |lonely island"),
        "city": (
            "a |city skyline",
            "a |city",
            "|skyscrapers",
            "|city buildings",
            "a |town",
            "a |skyline of towers",
        ),
    },
    "time": {
        "sunrise": ("at |sunrise", "at |dawn", "in the |morning", "at |daybreak", "in the |morning light"),
        "day": (
            "*under |sunshine",
            "*on a |sunny day",
            "at |noon",
            "in |daylight",
            "by |day",
            "*under a |blue sky",
            "*in the |sunshine",
            "during the |day",
            "*in the |sun",
        ),
        "sunset": (
            "at |sunset",
            "at |dusk",
            "in the |evening",
            "*under a |orange sky",
            "*at |golden hour",
            "during |sunset",
            "in the |evening light",
        ),
        "night": (
            "at |night",
            "*under the |stars",
            "*by |moonlight",
            "*under the |moon",
            "*under a |full moon",
            "at |midnight",
            "*under a |starry sky",
        ),
    },
    "season": {
        "spring": ("in |spring", "in |springtime", "with |spring blossoms", "in |spring bloom"),
        "summer": ("in |summer", "in the |summer", "in |summertime"),
        "autumn": (
            "in |autumn",
            "in the |fall",
            "with |autumn leaves",
            "in |autumn colours",
            "with |fall foliage",
        ),
        "winter": (
            "in |winter",
            "in the |snow",
            "|covered in snow",
            "under |snow",
            "in the |winter",
            "in |wintertime",
        ),
    },
    "weather": {
        "clear": ("with a |clear sky", "|without clouds", "with a |cloudless sky", "|with no clouds"),
        "cloudy": (
            "with |clouds",
            "under |clouds",
            "and |clouds",
            "with a |cloudy sky",
            "with |a few clouds",
            "with |white clouds",
        ),
        "rain": (
            "in the |rain",
            "in |rain",
            "with |rain",
            "in |pouring rain",
            "while it is |raining",
            "with |raindrops",
        ),
        "snow": (
            "with |falling snow",
            "while it is |snowing",
            "with |snow falling",
            "in a |snowfall",
            "with |snowflakes",
            "in a |snowstorm",
        ),
    },
    "water": {
        "none": ("|without a lake", "|with no lake", "|without water"),
        "lake": (
            "near a |lake",
            "near a |beautiful lake",
            "by a |lake",
            "beside a |calm lake",
            "with a |lake",
            "and a |lake",
            "by the |water",
            "near a |quiet blue lake",
        ),
        "river": (
            "by a |river",
            "with a |river",
            "beside a |winding river",
            "and a |river",
            "near a |river",
            "with a |stream",
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
    "a photograph of ",
    "a photo of ",
    "a picture of ",
    "a poster of ",
    "a poster of ",
    "a travel poster of ",
    "a painting of ",
    "a illustration of ",
    "a illustration of ",
    "a beautiful view of ",
    "a landscape with ",
    "a drawing of ",
    "a drawing of ",
    "a image of ",
    "",
    "",
    "",
    "",
)
OBJECT_LINKS = ("with", "and", "beside", "next to", "near")
OBJECT_BEFORE = ("in front of", "near", "in", "by", "beside")


def write_caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """Word a scene in one of many ways.

    Season, weather, water and object are as in `UNSAID` wherever the caption does not name them. Land, time
    and the object's colour are sometimes left out and then stay open.
    """

    def pick(options: tuple[str, ...]) -> str:
        return options[int(rng.random() * len(options))]

    def chance(share: float) -> bool:
        return bool(rng.random() < share)

    wet = scene.weather in ("rain", "snow")

    def phrase(name: str) -> str:
        options = PHRASES[name][getattr(scene, name)]
        return pick(tuple(option for option in options if not (wet and option.startswith("*"))))

    def unless_unsaid(name: str, share: float) -> str:
        """A wording of the attribute; where it is as if unsaid, only for a share of the captions."""
        return phrase(name) if getattr(scene, name) != UNSAID[name] or chance(share) else ""

    stated = set(ATTRIBUTES) - {"colour"}
    land, time = phrase("land"), phrase("time")
    thing = ""
    if scene.object != "none":
        noun = phrase("object").strip("|")
        coloured = chance(0.8)
        patterns = COLOURED_OF.get(scene.object, COLOURED) if coloured else UNCOLOURED
        thing = pick(patterns).format(c=scene.colour, n=noun)
        stated |= {"colour"} if coloured else set()
    # Only a caption that still says something may leave the land out.
    if thing and chance(0.08):
        land, stated = "", stated - {"land"}
    if chance(0.08):
        time, stated = "", stated - {"time"}
    season = unless_unsaid("season", 0.2)
    if scene.weather == "snow" and chance(0.5):
        season = ""  # snow falls in winter
    weather = unless_unsaid("weather", 0.1)
    water = unless_unsaid("water", 0.06) if scene.land not in ("coast", "island") else ""
    alone = unless_unsaid("object", 0.04) if not thing else ""
    # Season or weather may be a word before the time or the land.
    for name in ("season", "weather") if chance(0.5) else ("weather", "season"):
        said = season if name == "season" else weather
        words = WORDS_BEFORE.get((name, getattr(scene, name)))
        if not said or not words or not chance(0.4):
            continue
        word = pick(words)
        if time and not time.startswith("*") and word not in ("wintry", "autumnal"):
            time = f"on a |{word} {PARTS_OF_THE_DAY[scene.time]}"
        elif name == "season" and land and (scene.land != "mountain" or word != "snowy"):
            article, bare = land.split("|")
            land = f"{article}|{word} {bare}"
        else:
            continue
        season, weather = ("", weather) if name == "season" else (season, "")
        break

    style = rng.random()
    if style < 0.15:  # keywords: "red tent, desert, night"
        parts = [p.split("|")[-1] for p in (land, time, season, weather, water) if p]
        parts += [thing.removeprefix("a ")] if thing else []
        text = ", ".join(_shuffled(parts, rng))
    else:
        tail = [p for p in (water, weather, season, alone) if p]
        if thing and land and chance(0.3):  # the object leads: "a red house near green hills"
            head = f"{thing} {pick(OBJECT_BEFORE)} {land}"
        elif thing and land:
            head, tail = land, [*tail, f"{pick(OBJECT_LINKS)} {thing}"]
        else:
            head = land or thing
        tail = _shuffled(tail, rng)
        opening = pick(OPENINGS)
        if style < 0.3 and time:  # the time leads: "at dusk, a photograph of …"
            text = f"{time}, {opening}{head} {' '.join(tail)}"
        elif time and chance(0.5):
            text = f"{opening}{head} {time} {' '.join(tail)}"
        else:
            text = f"{opening}{head} {' '.join(tail)} {time}"
    text = " ".join(text.replace("|", "").replace("*", "").split()) + ("." if chance(0.3) else "")
    text = re.sub(r"\ba (?=[aeiou])", "an ", text)
    return Caption(text[0].upper() + text[1:] if chance(0.4) else text, frozenset(stated))


def read_caption(text: str) -> dict[str, str]:
    """The attributes that a caption of this world states, whatever else it says.

    The longest wordings are found first, so "snowy mountain" is a mountain and "quiet blue lake" no colour.
    """
    known = [
        (split_words(phrase.split("|")[1]), name, value)
        for name, values in PHRASES.items()
        for value, phrases in values.items()
        for phrase in phrases
    ]
    known += [([word], name, value) for (name, value), words in WORDS_BEFORE.items() for word in words]
    known += [([word], "time", time) for time, word in PARTS_OF_THE_DAY.items()]
    known += [([colour], "colour", colour) for colour in COLOURS]
    clauses = (" ".join(split_words(clause)) for clause in re.split("[,.;]", text))
    found, left = {}, f" {' | '.join(clauses)} "
    for words, name, value in sorted(known, key=lambda each: (-len(each[0]), each[1] == "colour")):
        wording = f" {' '.join(words)} "
        if wording in left:
            left = left.replace(wording, " | ", 1)
            found.setdefault(name, value)
    if found.get("weather") == "snow":
        found.setdefault("season", "winter")
    return UNSAID | found


def vocabulary() -> dict[str, dict[str, list[str]] | list[str]]:
    """What a pocket model knows, for the page: topics with example phrases, and every single word."""

    def first(name: str, values: tuple[str, ...]) -> list[str]:
        return [PHRASES[name][value][0].replace("|", "").replace("*", "") for value in values]

    topics = {
        "land": first("land", ATTRIBUTES["land"]),
        "time": first("time", ATTRIBUTES["time"]),
        "season": first("season", ATTRIBUTES["season"]),
        "weather": first("weather", ("clear", "cloudy", "rain", "snow")),
        "water": first("water", ("lake", "river")),
        "object": [f"a red {noun}" for noun in first("object", ATTRIBUTES["object"][1:])],
        "colour": list(COLOURS),
    }
    topics["object"][-1] = "a person in red"
    phrases = [
        *(phrase for values in PHRASES.values() for options in values.values() for phrase in options),
        *(word for words in WORDS_BEFORE.values() for word in words),
        *PARTS_OF_THE_DAY.values(),
        *(
            pattern.format(c=" ", n=" ")
            for patterns in (COLOURED, *COLOURED_OF.values())
            for pattern in patterns
        ),
        *OPENINGS,
        *OBJECT_LINKS,
        *OBJECT_BEFORE,
        *COLOURS,
        "an on",
    ]
    return {"topics": topics, "words": sorted({word for phrase in phrases for word in split_words(phrase)})}


def _shuffled(parts: list[str], rng: np.random.Generator) -> list[str]:
    return [parts[i] for i in np.argsort(rng.random(len(parts)), kind="stable")]
