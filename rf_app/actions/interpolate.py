"""Frames between key frames: one of them, or a video of the whole way.

python -m rf_app interpolate "a lake" "a lake at night" --frames 48 --out videos
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import gettempdir

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.picture import WAY, Picture
from rf_app.actions.progress import Clock, Events
from rf_app.actions.video import FORMATS, video_at
from rf_app.errors import UserError
from rf_app.pipeline.checking import check_way, check_whole
from rf_app.pipeline.drawn import Drawn
from rf_app.pipeline.turns import Turn
from rf_app.registry.disk import disk_full_named
from rf_app.settings.alternatives import expanded
from rf_app.settings.picture import Control, Lora, PictureSettings
from rf_app.settings.way import KeyFrame, Way

MIN_FRAMES, MAX_FRAMES = 2, 600
NAME = "instaflow-interpolation"  # of the files


@dataclass(frozen=True)
class Video:
    """A wish for a video of a way: along a row, or round the edges of a square to its start."""

    frames: int = 72
    form: str = "mp4"
    """One of FORMATS."""
    there_and_back: bool = False
    """Go there and back in these frames, so that a row can be repeated without a jump."""

    def positions(self, closed: bool) -> Iterator[float]:
        """The place of each frame on the way, in 0..1; a closed way does not show its first again."""
        for i in range(self.frames):
            if self.there_and_back:
                yield 1 - abs(1 - 2 * i / self.frames)
            else:
                yield i / (self.frames if closed else self.frames - 1)


@dataclass(frozen=True)
class Interpolate:
    """A way, as one picture or as a video. Where prompts have alternatives, each key frame's seed chooses."""

    way: Way
    video: Video | None = None
    """None for the one picture at the position of the way, which else only tells a row from a square."""


def ask(
    prompts: list[str],
    seeds: int | list[int] | None = None,
    frames: int = 72,
    form: str = "mp4",
    model: str = "",
    steps: int | None = None,
    guidance: float | None = None,
    noise: str = "slerp",
    text: str = "lerp",
    there_and_back: bool = False,
    negative_prompt: str = "",
    solver: str | None = None,
    square: bool = False,
    position: float | list[float] | None = None,
    loras: tuple[Lora, ...] = (),
    control: tuple[Control, ...] = (),
    width: int | None = None,
    height: int | None = None,
    decoder: str | None = None,
) -> Interpolate:
    """The wish of a program.

    Args:
        prompts: What the pictures show, in order; 2 to 16 texts. Repeat one to change the seed only.
        seeds: One whole number for each prompt, or one for all (default 0). Equal seeds keep the scene.
        frames: Length of the video, 2 to 600 frames at 24 a second.
        form: "mp4", or "webp" for an animated picture that repeats.
        model: Id of the model (default: the quick one-step model).
        steps: Steps of the model (default: what the model recommends).
        guidance: Strength of guidance (default: what the model recommends).
        noise: "slerp" mixes the noise on an arc, "lerp" on a straight line.
        text: "lerp" blends the descriptions, "first" keeps the first one throughout.
        there_and_back: Return to the first picture, so that the video repeats without a jump.
        negative_prompt: What to keep out of the pictures; it acts with guidance above 1.
        solver: dpm++, ddim or euler of diffusion models, euler or heun of others (default: the first).
        square: Make the video go round a square whose corners are the 4 prompts, in reading order.
        position: Instead of a video make the one picture there, a PNG: 0 to 1 on the way from the first
            prompt to the last, or [right, down] between the 4 corners of a square.
        loras: Up to 8 objects of "id", as upload_lora gives it, and "strength" (-2 to 2, default 1).
        control: Up to 2 pictures that all frames follow, as in generate.
        width: Pixels, as in generate.
        height: Likewise.
        decoder: As in generate.
    """
    if not isinstance(prompts, list):
        raise UserError("prompts must be a list of 2 to 16 texts.")
    seeds = seeds if isinstance(seeds, list) else [0 if seeds is None else seeds] * len(prompts)
    if len(seeds) != len(prompts):
        raise UserError(
            f"There are {len(seeds)} seeds for {len(prompts)} prompts; give one for each, or one number."
        )
    place = ([0, 0] if square else 0) if position is None else position
    way = Way(
        tuple(KeyFrame(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True)),
        tuple(place) if isinstance(place, list) else (place,),
        PictureSettings(
            "", model, steps, guidance, 0, negative_prompt, solver, control, loras, width, height, decoder
        ),
        noise,
        text,
    )
    return Interpolate(way, Video(frames, form, there_and_back) if position is None else None)


def interpolate(app: Application, wish: Interpolate) -> Events[Picture | File]:
    """Make a video that changes smoothly from one picture to the next, or a picture in between."""
    way = replace(wish.way, picture=app.prepared(wish.way.picture))
    way = _expanded(check_way(way, app.card(way.picture)))
    if wish.video:
        yield from _film(app, way, wish.video)
    else:
        yield Picture((yield from Clock(1).follow(_frame(app, way), "Drawing")))


def _expanded(way: Way) -> Way:
    """The way with what the seeds have chosen of alternatives; drawing checks it once more."""
    keys = tuple(replace(key, prompt=expanded(key.prompt, key.seed)) for key in way.key_frames)
    negative = expanded(way.picture.negative_prompt, way.picture.seed)
    return replace(way, key_frames=keys, picture=replace(way.picture, negative_prompt=negative))


def answer(app: Application, results: list[Picture | File]) -> File:
    """The file."""
    found = results[0]
    return File(f"{NAME}.png", found.png) if isinstance(found, Picture) else found


def _film(app: Application, way: Way, wish: Video) -> Events[File]:
    """The video, in a file of its own that whoever takes it moves away; its memory does not grow with its
    frames.
    """
    frames, form = check_whole("frames", wish.frames, MIN_FRAMES, MAX_FRAMES), wish.form
    if form not in tuple(FORMATS):  # a program may send what no dict can look up
        raise UserError(f"The format is {form!r:.40}; it must be one of {', '.join(FORMATS)}.")
    settings = {WAY: way.as_json(), "frames": frames, "there_and_back": bool(wish.there_and_back)}
    path = Path(gettempdir()) / f"{NAME}-{secrets.token_hex(16)}.{form}"
    row, clock = way.row(), Clock(frames)
    try:
        comment = json.dumps(settings, ensure_ascii=False)
        with disk_full_named(path, f"{NAME}.{form}"), video_at(path, form, comment) as add:
            for i, u in enumerate(replace(wish, frames=frames).positions(way.square), 1):
                turn = _frame(app, replace(row, position=(u,)))
                add((yield from clock.follow(turn, f"Frame {i} of {frames}")).image)
        yield File(f"{NAME}.{form}", path)
    except GeneratorExit:  # nobody took it
        path.unlink(missing_ok=True)
        raise


def _frame(app: Application, way: Way) -> Turn[Drawn]:
    return app.draw(way.picture, between=way)
