"""Captions of the pocket world, in many wordings."""

from functools import partial

import numpy as np

from trainers.pocket.captions import Caption, shuffled
from trainers.pocket.first_edition.attributes import Scene
from trainers.pocket.scene import choose

LANDS = {
    "mountain": (
        *("a snowy mountain", "snowy mountains", "a snow-capped mountain"),
        *("a mountain", "mountains", "a mountain peak", "a mountain with snow"),
    ),
    "hills": (
        "green hills",
        "rolling hills",
        "grassy hills",
        "hills",
        "a green meadow",
        "green rolling hills",
    ),
    "desert": ("desert dunes", "a desert", "sand dunes", "the desert", "a sandy desert", "dunes"),
    "forest": ("a pine forest", "a forest", "pine trees", "the woods", "a green forest", "a forest of pines"),
    "coast": (
        *("a sea coast", "the sea", "a beach", "the ocean"),
        *("a sandy beach by the sea", "the seaside", "a coast"),
    ),
    "city": ("a city skyline", "a city", "skyscrapers", "city buildings", "a town", "a skyline of towers"),
}
TIMES = {
    "day": (
        *("under sunshine", "on a sunny day", "at noon", "in daylight", "by day"),
        *("under a blue sky", "in the sunshine", "during the day", "in the sun"),
    ),
    "sunset": (
        *("at sunset", "at dusk", "in the evening", "under an orange sky"),
        *("at golden hour", "during sunset", "in the evening light"),
    ),
    "night": (
        *("at night", "under the stars", "by moonlight"),
        *("under the moon", "at midnight", "under a starry sky"),
    ),
}
LAKE = (
    *("near a lake", "near a beautiful lake", "by a lake", "beside a calm lake"),
    *("with a lake", "and a lake", "by the water", "near a quiet blue lake"),
)
NO_LAKE = ("without a lake", "with no lake")
CLOUDS = (
    *("with clouds", "under clouds", "and clouds"),
    *("with a cloudy sky", "with a few clouds", "with white clouds"),
)
NO_CLOUDS = ("with a clear sky", "without clouds", "and a cloudless sky", "with no clouds")
OBJECTS = {
    "house": (
        *("a {c} house", "a {c} cottage", "a small {c} house"),
        *("a {c} cabin", "a house painted {c}", "a {c} hut"),
    ),
    "tent": ("a {c} tent", "a {c} camping tent", "a small {c} tent", "a tent in {c}"),
    "sailboat": (
        *("a {c} sailboat", "a {c} boat", "a {c} sailing boat"),
        *("a {c}-sailed boat", "a boat with {c} sails", "a small {c} sailboat"),
    ),
    "balloon": ("a {c} balloon", "a {c} hot-air balloon", "a big {c} hot air balloon", "a balloon in {c}"),
    "van": ("a {c} van", "a {c} camper van", "a {c} car", "a {c} bus", "a small {c} camper"),
}
NO_OBJECT = ("with nobody around", "with nothing else")
OPENINGS = (
    *("a photograph of ", "a photo of ", "a picture of ", "a poster of "),
    *("a painting of ", "an illustration of ", "a beautiful view of "),
    *("a landscape with ", "a drawing of ", "an image of ", "", "", ""),
)
OBJECT_LINKS = ("with", "and", "beside", "next to", "near")


def write_caption(scene: Scene, rng: np.random.Generator) -> Caption:
    """Word a scene in one of many ways.

    Lake, clouds and object are there exactly when the caption names them, so a short prompt gives a quiet
    picture; land and time are sometimes left out and then stay open.
    """
    pick = partial(choose, rng)

    def chance(share: float) -> bool:
        return bool(rng.random() < share)

    stated = {"land", "time", "lake", "object", "clouds"} | ({"colour"} if scene.object != "none" else set())
    land, time = pick(LANDS[scene.land]), pick(TIMES[scene.time])
    thing = pick(OBJECTS[scene.object]).format(c=scene.colour) if scene.object != "none" else ""
    # Only a caption that still says something may leave the land out.
    if thing and chance(0.06):
        land, stated = "", stated - {"land"}
    if chance(0.06):
        time, stated = "", stated - {"time"}
    lake = (
        pick(LAKE) if scene.lake == "yes" else pick(NO_LAKE) if scene.land != "coast" and chance(0.06) else ""
    )
    clouds = pick(CLOUDS) if scene.clouds == "yes" else pick(NO_CLOUDS) if chance(0.1) else ""
    alone = pick(NO_OBJECT) if not thing and chance(0.04) else ""

    style = rng.random()
    if style < 0.15:  # keywords: "red tent, desert, night"
        parts = [_bare(p) for p in (land, thing, time, lake, clouds) if p]
        text = ", ".join(shuffled(parts, rng))
    else:
        tail = [p for p in (lake, clouds) if p] + ([alone] if alone else [])
        if thing and land and chance(0.25):  # the object leads: "a red house near green hills"
            head = f"{thing} {pick(('in front of', 'near', 'in', 'by', 'beside'))} {land}"
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
    text = " ".join(text.split()) + ("." if chance(0.3) else "")
    return Caption(text[0].upper() + text[1:] if chance(0.4) else text, frozenset(stated))


def _bare(phrase: str) -> str:
    """The phrase without its leading small word, as in a list of keywords."""
    for start in (
        "a ",
        "an ",
        "the ",
        "with a ",
        "with ",
        "and a ",
        "and ",
        "near a ",
        "by a ",
        "at ",
        "under ",
    ):
        if phrase.startswith(start) and phrase not in ("with no lake", "with no clouds"):
            return phrase[len(start) :]
    return phrase
