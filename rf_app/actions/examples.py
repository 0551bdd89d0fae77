"""Example prompts as pictures: PNG files whose own settings say how to make them again.

The folder is the list: each file in assets/examples is one example, its name the caption; those in its folder
drawings/ are lines for a ControlNet to follow. Draw them anew with

    python -m rf_app.actions.examples
"""

from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from rf_app.pipeline.png import as_png, read_png_settings
from rf_app.settings.bundled import ASSETS

FOLDER = ASSETS / "examples"
DRAWINGS = FOLDER / "drawings"

# File name (what comes before the dash only orders them), prompt, seed.
EXAMPLES = (
    ("1-mountain-lake", "A photograph of a snowy mountain near a beautiful lake under sunshine.", 7),
    ("2-red-sailboat", "a red sailboat on the sea at sunset", 20),
    ("3-balloon-over-dunes", "desert dunes with a blue balloon on a sunny day", 63),
    ("4-forest-camp", "a yellow tent in a pine forest at night", 56),
    ("5-city-lights", "a city skyline near a lake at night", 3),
    ("6-white-house", "a white house on green hills with clouds at dusk", 42),
    ("7-road-trip", "a red van in the desert at sunset", 7),
    ("8-green-valley", "green hills under sunshine with clouds", 6),
)

# File name, prompt, seed; in a square of side 100 corners of lines, and ovals as (left, top, right, bottom).
LINES = (
    (
        "1-two-peaks",
        "a snowy mountain under sunshine",
        7,
        [[(0, 66), (14, 54), (32, 22), (50, 56), (66, 32), (86, 60), (100, 50)]],
        [],
    ),
    (
        "2-one-high-peak",
        "a snowy mountain near a lake at sunset",
        5,
        [[(0, 62), (26, 56), (40, 34), (52, 10), (66, 38), (78, 58), (100, 62)], [(0, 66), (100, 66)]],
        [],
    ),
    (
        "3-hills-and-sun",
        "green hills under sunshine",
        6,
        [[(0, 60), (10, 54), (22, 51), (34, 53), (46, 60), (58, 56), (72, 46), (86, 43), (100, 47)]],
        [(60, 12, 76, 28)],
    ),
    (
        "4-balloon",
        "desert dunes with a red balloon on a sunny day",
        63,
        [
            [(0, 70), (24, 60), (48, 70), (74, 58), (100, 68)],
            [(31, 42), (35, 49), (41, 49), (45, 42)],
            [(35, 53), (41, 53), (41, 58), (35, 58), (35, 53)],
        ],
        [(23, 10, 53, 44)],
    ),
)
SIDE = 512  # pixels of a drawing


@dataclass(frozen=True)
class Example:
    """A picture to click on, and what it takes to make it again."""

    path: Path
    title: str
    prompt: str
    seed: int


def examples(folder: Path = FOLDER) -> list[Example]:
    """The examples of a folder, in the order of their file names, without pictures that are not ours."""
    found = []
    for path in sorted(folder.glob("*.png")):
        settings = read_png_settings(path)
        if settings:
            title = path.stem.split("-", 1)[-1].replace("-", " ").capitalize()
            found.append(Example(path, title, settings["prompt"], settings["seed"]))
    return found


def draw_lines(folder: Path = DRAWINGS) -> None:
    """Draw LINES, white on black."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, prompt, seed, lines, ovals in LINES:
        image = Image.new("RGB", (SIDE, SIDE))
        pen = ImageDraw.Draw(image)
        for line in lines:
            pen.line([(x * SIDE / 100, y * SIDE / 100) for x, y in line], "white", 6, joint="curve")
        for oval in ovals:
            pen.ellipse([at * SIDE / 100 for at in oval], outline="white", width=6)
        (folder / f"{name}.png").write_bytes(as_png(image, {"prompt": prompt, "seed": seed}))


def main() -> None:
    """Draw the lines, and every other example with the model the page opens with."""
    from rf_app.actions.application import Application
    from rf_app.actions.generate import Generate, generate
    from rf_app.actions.run import results
    from rf_app.registry.models import Registry
    from rf_app.settings.picture import PictureSettings

    draw_lines()
    app = Application.on(Registry.default())
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, prompt, seed in EXAMPLES:
        (picture,) = results(generate(app, Generate(PictureSettings(prompt, seed=seed))))
        (FOLDER / f"{name}.png").write_bytes(picture.png)
        print(f"{name}.png  seed {seed}  {prompt}")


if __name__ == "__main__":
    main()
