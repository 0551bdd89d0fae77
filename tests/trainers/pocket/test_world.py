"""The world is the same everywhere, shows what its scene says, and words what it shows."""

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.registry.vocabulary import split_words
from trainers.pocket.canvas import Canvas
from trainers.pocket.captions import LAKE, OBJECTS, vocabulary, write_caption
from trainers.pocket.drawing import BENDS, LIGHTS, PAINT, SIZE, draw
from trainers.pocket.pictures import bent_pictures, object_masks, pictures
from trainers.pocket.world import Scene, describe, details, picture, sample

SHA256 = [
    "0a7f7c794b797c8d",
    "fa4b4fdc5e7dfb51",
    "269fd63dbea2d64a",
    "e38f61da1e60a0bb",
    "9ad4dc16c659b5d8",
    "03f82089d74e78e6",
]
BRIDGE = Scene("mountain", "day", "yes", "sailboat", "red", "no")


def test_a_seed_gives_the_same_picture_on_every_machine():
    assert [hashlib.sha256(picture(seed).tobytes()).hexdigest()[:16] for seed in range(6)] == SHA256


def test_sample_is_its_parts():
    whole = sample(11)
    assert (whole.scene, whole.caption) == describe(11)
    assert np.array_equal(whole.picture, picture(11))
    assert whole.picture.shape == (96, 96, 3)
    assert whole.picture.dtype == np.uint8


def test_every_attribute_value_occurs():
    scenes = [describe(seed)[0] for seed in range(600)]
    for name, kinds in ATTRIBUTES.items():
        seen = Counter(getattr(scene, name) for scene in scenes)
        assert set(seen) == set(kinds), name
        assert min(seen.values()) > 30, (name, seen)


def test_a_boat_has_water_and_nothing_has_no_colour():
    for scene, _ in map(describe, range(2000)):
        if scene.object == "sailboat":
            assert scene.lake == "yes" or scene.land == "coast"
        assert (scene.object == "none") == (scene.colour == "none")
        assert not (scene.land == "coast" and scene.lake == "yes")


@pytest.mark.parametrize("time", ATTRIBUTES["time"])
@pytest.mark.parametrize("colour", ATTRIBUTES["colour"][1:])
@pytest.mark.parametrize("thing", ATTRIBUTES["object"][1:])
def test_an_object_is_large_and_keeps_its_colour(thing: str, colour: str, time: str):
    scene = replace(BRIDGE, object=thing, colour=colour, time=time)
    image = draw(scene, details(3)).astype(float)
    changed = np.any(image != draw(replace(scene, object="none", colour="none"), details(3)), axis=-1)
    columns = np.flatnonzero(changed.any(axis=0))
    assert columns[-1] - columns[0] >= 24
    nearest = Counter(
        min(PAINT, key=lambda name: np.abs(pixel - PAINT[name]).sum())
        for pixel in image[changed]
        if np.abs(pixel - PAINT[colour]).sum() < 90
    )
    assert nearest[colour] > 60
    assert nearest.most_common(1)[0][0] == colour


def test_times_differ_in_light():
    skies = {time: draw(replace(BRIDGE, time=time), details(5))[:20].mean() for time in LIGHTS}
    assert skies["day"] > skies["sunset"] + 20 > skies["night"] + 40


def test_captions_say_what_the_scene_shows():
    rng = np.random.default_rng(0)
    for seed in range(500):
        scene = describe(seed)[0]
        caption = write_caption(scene, rng)
        words = split_words(caption.text)
        assert ("colour" in caption.stated) == (scene.object != "none")
        for colour in ATTRIBUTES["colour"][1:]:
            if colour == scene.colour:
                assert colour in words, caption
        lake_words = {word for phrase in LAKE for word in split_words(phrase)} & {"lake", "water"}
        assert scene.lake == "no" or lake_words & set(words), caption
        assert {"lake", "object", "clouds"} <= caption.stated


def test_captions_vary():
    rng = np.random.default_rng(0)
    assert len({write_caption(BRIDGE, rng).text for _ in range(200)}) > 180


def test_the_vocabulary_holds_every_word_of_every_caption():
    words = {part for word in vocabulary()["words"] for part in split_words(word)}
    spoken = {word for seed in range(3000) for word in split_words(describe(seed)[1].text)}
    assert spoken <= words
    wanted = "A photograph of a snowy mountain near a beautiful lake under sunshine."
    assert set(split_words(wanted)) <= words
    assert set(vocabulary()["topics"]) == {"land", "time", "water", "sky", "object", "colour"}
    assert len(vocabulary()["topics"]["object"]) == len(OBJECTS)


def test_many_pictures_come_from_the_cache_the_second_time(tmp_path):
    first = pictures(5, first_seed=2, cache=tmp_path)
    assert np.array_equal(first, np.stack([picture(seed) for seed in range(2, 7)]))
    (file,) = tmp_path.glob("*.npy")
    before = file.stat().st_mtime_ns
    assert np.array_equal(pictures(5, first_seed=2, cache=tmp_path), first)
    assert file.stat().st_mtime_ns == before


def test_a_mask_covers_the_object_alone():
    masks = object_masks(40)
    for seed in range(40):
        assert masks[seed].any() == (describe(seed)[0].object != "none")
        assert masks[seed].mean() < 0.25


@pytest.mark.parametrize(("height", "moved"), [(19, 7), (40, 28), (56, 44), (61, 55), (66, 66), (80, 80)])
def test_a_bend_moves_far_lines_and_no_near_ones(height, moved):
    plain, bent = Canvas(SIZE), Canvas(SIZE)
    bent.bend = np.full(SIZE, -12, np.float32)
    line = np.full(SIZE, height, np.float32)
    assert np.array_equal(bent.below(line), plain.below(line + moved - height))


def test_the_sea_stays_level():
    coast = Scene("coast", "day", "no", "none", "none", "no")
    assert np.array_equal(draw(coast, details(7), np.full(SIZE, -12, np.float32)), draw(coast, details(7)))


def test_most_bent_pictures_differ_and_the_others_are_the_worlds(tmp_path):
    bent, plain = bent_pictures(60, tmp_path), pictures(60, cache=tmp_path)
    lands = [describe(seed)[0].land for seed in range(60)]
    same = np.array([np.array_equal(*pair) for pair in zip(bent, plain, strict=True)])
    bends = np.array([land in BENDS for land in lands])
    assert same[~bends].all()
    assert 0.2 < same[bends].mean() < 0.5
    assert np.array_equal(bent_pictures(60, tmp_path), bent)
