"""The world is the same everywhere and at every size, shows what its scene says, and words what it shows."""

import hashlib
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.registry.vocabulary import split_words
from trainers.pocket import world
from trainers.pocket.canvas import Canvas
from trainers.pocket.captions import read_caption, vocabulary, write_caption
from trainers.pocket.drawing import BENDS, SIZE, draw
from trainers.pocket.objects import PAINT
from trainers.pocket.pictures import Drawings, pictures
from trainers.pocket.scene import Scene, possible
from trainers.pocket.wordings import COLOURS, UNSAID
from trainers.pocket.world import SheetConfig, describe, details, main, picture, prompted

SHA256 = [
    "ca7387575fd41d4b",
    "f0baa43f3210534a",
    "8b20d2da0327bc24",
    "e0464340de04c727",
    "e94c643d4d3f1208",
    "6eeeda9253712871",
    "084640297c68f90c",
    "27a3fef8ad23605f",
]
BRIDGE = Scene("mountain", "day", "summer", "clear", "lake", "sailboat", "red")


def test_a_seed_gives_the_same_picture_on_every_machine():
    assert [hashlib.sha256(picture(seed).tobytes()).hexdigest()[:16] for seed in range(8)] == SHA256


def test_a_picture_has_the_side_of_the_family():
    drawn = picture(11)
    assert (drawn.shape, drawn.dtype) == ((192, 192, 3), np.uint8)


@pytest.mark.parametrize(("large", "small"), [(384, 192), (192, 96), (256, 128)])
def test_a_drawing_is_the_same_at_every_size(large: int, small: int):
    """Up to sampling: a thin line's share of a pixel is an estimate, and a reflection is interpolated."""
    for seed in range(16):
        half = picture(seed, large).reshape(small, 2, small, 2, 3).mean(axis=(1, 3))
        error = np.abs(half - picture(seed, small))
        assert error.mean() < 1.5, seed
        assert (error > 60).mean() < 0.01, seed


def mean_distance(drawn: list[np.ndarray]) -> float:
    """Mean absolute difference of pairs of pictures, seen at 24 pixels: of their composition."""
    seen = [np.asarray(Image.fromarray(each).resize((24, 24), Image.Resampling.BOX)) / 255 for each in drawn]
    return float(np.mean([np.abs(a - b).mean() for i, a in enumerate(seen) for b in seen[:i]]))


def test_sixteen_seeds_of_a_scene_are_sixteen_pictures():
    """In the first edition they were a few pixels apart."""
    from trainers.pocket.first_edition.attributes import Scene as FirstScene
    from trainers.pocket.first_edition.drawing import draw as draw_first

    gains = []
    for land in ("mountain", "hills", "desert", "forest", "coast", "city"):
        now = Scene(land, "day", "summer", "clear", "none", "house", "red")
        then = FirstScene(land, "day", "no", "house", "red", "no")
        distances = [
            mean_distance([draw_one(scene, details(seed)) for seed in range(16)])
            for draw_one, scene in ((draw, now), (draw_first, then))
        ]
        gains.append(distances[0] / distances[1])
        assert gains[-1] > 1.2, land
    assert np.mean(gains) > 1.35


def test_every_attribute_value_occurs():
    scenes = [describe(seed)[0] for seed in range(1200)]
    for name, kinds in ATTRIBUTES.items():
        seen = Counter(getattr(scene, name) for scene in scenes)
        assert set(seen) == set(kinds), name
        assert min(seen.values()) > 60, (name, seen)


def test_scenes_are_possible():
    for scene, _ in map(describe, range(2000)):
        assert scene == possible(scene)
        if scene.object == "sailboat":
            assert scene.water != "none" or scene.land in ("coast", "island")
        assert (scene.object == "none") == (scene.colour == "none")
        assert scene.weather != "snow" or scene.season == "winter"
        assert scene.weather != "rain" or scene.season != "winter"
        assert scene.land != "desert" or scene.season == "summer"


@pytest.mark.parametrize(
    "scene",
    [
        BRIDGE,
        Scene("hills", "sunset", "autumn", "rain", "river", "house", "white"),
        Scene("coast", "night", "winter", "snow", "none", "cat", "black"),
        Scene("island", "sunrise", "spring", "cloudy", "none", "tent", "orange"),
        Scene("city", "day", "winter", "cloudy", "none", "none", "none"),
        Scene("forest", "night", "summer", "clear", "none", "castle", "green"),
    ],
)
def test_every_value_of_an_attribute_changes_the_picture(scene: Scene):
    for name, kinds in ATTRIBUTES.items():
        shown = {}
        for kind in kinds:
            changed = replace(scene, **{name: kind})
            if changed.object != "none" and changed.colour == "none":
                continue
            if possible(changed) == changed:
                shown[kind] = draw(changed, details(3)).astype(float)
        for a in shown:
            for b in shown:
                apart = (np.abs(shown[a] - shown[b]).max(axis=2) > 24).mean()
                assert a == b or apart > 0.01, (name, a, b, apart)


@pytest.mark.parametrize("time", ATTRIBUTES["time"])
@pytest.mark.parametrize("thing", ATTRIBUTES["object"][1:])
def test_an_object_is_large_and_keeps_its_colour(thing: str, time: str):
    for i, colour in enumerate(COLOURS):
        scene = replace(BRIDGE, object=thing, colour=colour, time=time)
        image = draw(scene, details(i)).astype(float)
        changed = np.any(image != draw(scene, details(i), bare=True), axis=-1)
        columns = np.flatnonzero(changed.any(axis=0))
        assert columns[-1] - columns[0] >= SIZE / 7
        assert 0 < columns[0] < columns[-1] < SIZE - 1
        assert changed.mean() < 0.3
        pixels = image[changed]
        like_it = pixels[np.abs(pixels - PAINT[colour]).sum(axis=-1) < 90]
        apart = np.abs(like_it[:, None] - np.array(list(PAINT.values()))).sum(axis=-1)
        nearest = Counter(list(PAINT)[i] for i in apart.argmin(axis=-1))
        assert nearest[colour] > 120, (thing, colour, nearest)
        assert nearest.most_common(1)[0][0] == colour


def test_times_differ_in_light():
    skies = {time: draw(replace(BRIDGE, time=time), details(5))[:40].mean() for time in ATTRIBUTES["time"]}
    assert skies["day"] > skies["sunset"] + 20 > skies["night"] + 40
    assert skies["sunrise"] > skies["sunset"] + 20


def test_winter_is_white():
    for land in ("mountain", "hills", "forest", "city", "coast"):
        scene = Scene(land, "day", "winter", "clear", "none", "none", "none")
        ground = draw(scene, details(1))[-20:].astype(float)
        assert (ground.min(axis=2) > 180).mean() > 0.6, land


def test_captions_say_what_the_scene_shows():
    """What is read from a caption is what it states, and that is what the scene shows."""
    rng = np.random.default_rng(0)
    for seed in range(1500):
        scene = describe(seed)[0]
        caption = write_caption(scene, rng)
        assert read_caption(caption.text) == {name: getattr(scene, name) for name in caption.stated}, caption
        assert {*UNSAID} <= caption.stated
        assert "colour" not in caption.stated or scene.object != "none"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A photograph of a snowy mountain near a beautiful lake under sunshine.", "mountain day lake"),
        ("an orange cat in the autumn woods", "forest autumn orange cat"),
        ("a person in red on a rainy night, city", "city night rain person red"),
        ("snowing, castle", "winter snow castle"),
        ("winter", "winter"),
        ("a river at dawn with white clouds", "river sunrise cloudy"),
    ],
)
def test_captions_of_people_are_read(text: str, found: str):
    values = set(read_caption(text).values()) - {"none", "clear"}
    assert values | {"summer"} == set(found.split()) | {"summer"}


def test_captions_vary_and_leave_things_open():
    rng = np.random.default_rng(0)
    written = [write_caption(BRIDGE, rng) for _ in range(400)]
    assert len({caption.text for caption in written}) > 380
    for name in ("land", "time", "colour"):
        assert 0.03 < np.mean([name not in caption.stated for caption in written]) < 0.3


def test_the_vocabulary_holds_every_word_of_every_caption():
    words = {part for word in vocabulary()["words"] for part in split_words(word)}
    spoken = {word for seed in range(3000) for word in split_words(describe(seed)[1].text)}
    assert spoken <= words
    wanted = "A photograph of a snowy mountain near a beautiful lake under sunshine."
    asked = "cat car tree winter rain snowing autumn beach island castle moon person poster drawing"
    assert set(split_words(f"{wanted} {asked}")) <= words
    topics = vocabulary()["topics"]
    assert set(topics) == set(vocabulary()["wordings"])
    assert set(topics) == {"land", "time", "season", "weather", "water", "object", "colour"}
    assert all(set(split_words(phrase)) <= words for phrases in topics.values() for phrase in phrases)
    assert len(topics["object"]) == len(ATTRIBUTES["object"]) - 1


def test_a_prompt_is_drawn_on_a_sheet(tmp_path):
    main(SheetConfig(tmp_path / "sheet.png", columns=2, size=96, prompt="a cat in winter"))
    sheet = np.asarray(Image.open(tmp_path / "sheet.png"))
    assert sheet.shape == (192, 192, 3)
    assert np.array_equal(sheet[:96, 96:], prompted("a cat in winter", 1, 96))
    main(SheetConfig(tmp_path / "sheet.png", columns=2, seed=5, size=96))
    assert np.array_equal(np.asarray(Image.open(tmp_path / "sheet.png"))[96:, :96], picture(7, 96))


def test_many_pictures_come_from_the_cache_the_second_time(tmp_path):
    first = pictures(5, first_seed=2, cache=tmp_path, size=96)
    assert np.array_equal(first, np.stack([picture(seed, 96) for seed in range(2, 7)]))
    (file,) = tmp_path.glob("*.npy")
    before = file.stat().st_mtime_ns
    assert np.array_equal(pictures(5, first_seed=2, cache=tmp_path, size=96), first)
    assert file.stat().st_mtime_ns == before
    assert pictures(5, first_seed=2, cache=tmp_path, size=48).shape == (5, 48, 48, 3)


@pytest.mark.parametrize(
    ("height", "moved"), [(0.15, 0.07), (0.4, 0.28), (0.59, 0.47), (0.64, 0.58), (0.7, 0.7), (0.83, 0.83)]
)
def test_a_bend_moves_far_lines_and_no_near_ones(height: float, moved: float):
    plain, bent = Canvas(96), Canvas(96)
    bent.bend = lambda x: np.full_like(x, -0.12)
    line = np.full_like(plain.fine, height)
    assert np.allclose(bent.below(line), plain.below(line + np.float32(moved - height)), atol=1e-3)


def test_the_sea_stays_level():
    coast = Scene("coast", "day", "summer", "clear", "none", "none", "none")
    assert np.array_equal(draw(coast, details(7), bend=([0, 1], [-0.12, -0.12])), draw(coast, details(7)))


def test_most_bent_pictures_differ_and_the_others_are_the_worlds(tmp_path):
    bent = Drawings(60, tmp_path, 96, world, bent=True).drawn
    plain = pictures(60, cache=tmp_path, size=96)
    lands = [describe(seed)[0].land for seed in range(60)]
    same = np.array([np.array_equal(*pair) for pair in zip(bent, plain, strict=True)])
    bends = np.array([land in BENDS for land in lands])
    assert same[~bends].all()
    assert 0.2 < same[bends].mean() < 0.5
    assert np.array_equal(Drawings(60, tmp_path, 96, world, bent=True).drawn, bent)
    assert np.array_equal(Drawings(60, tmp_path, 96, world).drawn, plain)
