"""Captions of the pocket world, in many wordings; how they are read; the words a model knows from them."""

import re
from dataclasses import dataclass
from functools import partial

import numpy as np

from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.registry.vocabulary import split_words
from trainers.pocket.scene import Scene, choose
from trainers.pocket.wordings import (
    COLOURED,
    COLOURED_OF,
    COLOURS,
    OBJECT_BEFORE,
    OBJECT_LINKS,
    OPENINGS,
    PARTS_OF_THE_DAY,
    PHRASES,
    UNCOLOURED,
    UNSAID,
    WORDS_BEFORE,
)


@dataclass(frozen=True)
class Caption:
    """A caption and the attributes it states; what it leaves open any picture may show."""

    text: str
    stated: frozenset[str]


def write_caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """Word a scene in one of many ways.

    Season, weather, water and object are as in `UNSAID` wherever the caption does not name them. Land, time
    and the object's colour are sometimes left out and then stay open.
    """
    pick = partial(choose, rng)

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
        text = ", ".join(shuffled(parts, rng))
    else:
        tail = [p for p in (water, weather, season, alone) if p]
        if thing and land and chance(0.3):  # the object leads: "a red house near green hills"
            head = f"{thing} {pick(OBJECT_BEFORE)} {land}"
        elif thing and land:
            head, tail = land, [*tail, f"{pick(OBJECT_LINKS)} {thing}"]
        else:
            head = land or thing
        tail = shuffled(tail, rng)
        opening = pick(OPENINGS)
        if style < 0.3 and time:  # the time leads: "at dusk, a photograph of …"
            text = f"{time}, {opening}{head} {' '.join(tail)}"
        elif time and chance(0.5):
            text = f"{opening}{head} {time} {' '.join(tail)}"
        else:
            text = f"{opening}{head} {' '.join(tail)} {time}"
    text = " ".join(_plain(text).split()) + ("." if chance(0.3) else "")
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
    """What a pocket model knows, for the page: topics with example phrases, all wordings of each, and every
    single word.
    """

    def first(name: str, values: tuple[str, ...]) -> list[str]:
        return [_plain(PHRASES[name][value][0]) for value in values]

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
    wordings = {
        name: sorted(
            {
                _plain(text)
                for options in values.values()
                for option in options
                for text in (option, option.split("|")[1])
            }
        )
        for name, values in PHRASES.items()
    }
    return {
        "topics": topics,
        "wordings": wordings | {"colour": list(COLOURS)},
        "words": sorted({word for phrase in phrases for word in split_words(phrase)}),
    }


def _plain(phrase: str) -> str:
    """A phrase without marks, and "an" where that must be."""
    return re.sub(r"\ba (?=[aeiou])", "an ", phrase.replace("|", "").replace("*", ""))


def shuffled(parts: list[str], rng: np.random.Generator) -> list[str]:
    """The same in another order, alike on every machine."""
    return [parts[i] for i in np.argsort(rng.random(len(parts)), kind="stable")]
