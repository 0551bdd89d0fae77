"""Example prompts as pictures: PNG files whose own settings say how to make them again.

The folder is the list: each file in assets/examples is one example, its name the caption. Draw them anew with

    python -m rf_app.workflows.examples
"""

from dataclasses import dataclass
from pathlib import Path

from rf_app.pipeline.png import read_settings

FOLDER = Path(__file__).parents[2] / "assets" / "examples"

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
        settings = read_settings(path)
        if settings:
            title = path.stem.split("-", 1)[-1].replace("-", " ").capitalize()
            found.append(Example(path, title, settings["prompt"], settings["seed"]))
    return found


def main() -> None:
    """Draw every example with the model the page opens with."""
    from rf_app.pipeline.requests import GenerateRequest
    from rf_app.pipeline.worker import Worker
    from rf_app.registry.folders import Registry
    from rf_app.workflows.generate import Studio

    registry = Registry.default()
    studio = Studio(registry, Worker(registry))
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, prompt, seed in EXAMPLES:
        shown = studio.generate(GenerateRequest(prompt, studio.first_model(), seed=seed))
        (FOLDER / f"{name}.png").write_bytes(shown.pictures[0].png)
        print(f"{name}.png  seed {seed}  {prompt}")


if __name__ == "__main__":
    main()
