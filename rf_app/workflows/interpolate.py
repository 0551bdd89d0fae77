"""What the Interpolate tab and its API do, without a browser: frames between key frames, videos, restoring.

interpolator = Interpolator(registry, worker)
way = FrameRequest((KeyFrame("a lake", 1), KeyFrame("a lake at night", 1)), (0.5,), "pocket-instaflow")
interpolator.frame(way).png
interpolator.export(VideoRequest(way, frames=72), Path("way.mp4"))
"""

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from PIL import Image

from rf_app.errors import UserError
from rf_app.pipeline.interpolation import FrameRequest, FrameResult, KeyFrame
from rf_app.pipeline.png import parse_settings, pick_settings, read_json, save_png
from rf_app.pipeline.requests import GenerateRequest
from rf_app.pipeline.worker import Progress, Worker
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from rf_app.workflows.background import IsCancelled
from rf_app.workflows.control import control_settings, read_control
from rf_app.workflows.loras import lora_settings, read_loras
from rf_app.workflows.video import FORMATS, FRAMES_PER_SECOND, write_video

MIN_FRAMES, MAX_FRAMES = 2, 600
KEY = "interpolation"  # in a picture's settings
OPTIONS = ("steps", "guidance", "noise", "text", "negative_prompt", "solver")


NIGHTFALL = "A photograph of a snowy mountain near a beautiful lake"
EXAMPLES: dict[str, tuple[bool, tuple[KeyFrame, ...]]] = {  # name: (a square?, key frames)
    "Day to night": (
        False,
        (
            KeyFrame(f"{NIGHTFALL} under sunshine.", 7),
            KeyFrame(f"{NIGHTFALL} at sunset.", 7),
            KeyFrame(f"{NIGHTFALL} at night.", 7),
        ),
    ),
    "Red boat, blue boat": (
        False,
        (
            KeyFrame("a red sailboat on a lake by green hills", 3),
            KeyFrame("a blue sailboat on a lake by green hills", 3),
        ),
    ),
    "A walk through seeds": (
        False,
        tuple(KeyFrame("a yellow tent in a pine forest", i) for i in (1, 2, 3, 4)),
    ),
    "Four lands": (
        True,
        (
            KeyFrame("a snowy mountain", 5),
            KeyFrame("green hills", 5),
            KeyFrame("desert dunes", 5),
            KeyFrame("a sea coast", 5),
        ),
    ),
}
"""Ways to begin with, in words that the pocket models know."""


@dataclass(frozen=True)
class Frame:
    """One finished frame."""

    result: FrameResult

    @property
    def same(self) -> dict[str, Any] | None:
        """At a key frame: the settings with which the Generate tab makes the very same picture."""
        found = self.result.request.at_key_frame()
        if found is None:
            return None
        names = ("prompt", "negative_prompt", "model", "steps", "guidance", "solver", "seed")
        loras = {"loras": lora_settings(found.loras)} if found.loras else {}
        control = {"control": control_settings(found.control)} if found.control else {}
        return {name: getattr(found, name) for name in names} | loras | control

    @property
    def png(self) -> bytes:
        """The PNG file with the settings of the interpolation, and at a key frame those of Generate, too."""
        buffer = io.BytesIO()
        save_png(self.result.image, buffer, (self.same or {}) | {KEY: self.result.request.settings})
        return buffer.getvalue()


@dataclass(frozen=True)
class VideoRequest:
    """A wish for a video of the whole way: along a row, or round the edges of a square to its start."""

    way: FrameRequest  # its position only tells a row from a square
    frames: int = 72
    form: str = "mp4"  # one of FORMATS
    back: bool = False  # go there and back in these frames, so that a row can be repeated without a jump

    def checked(self, card: ModelCard) -> "VideoRequest":
        """The same with the card's defaults filled in; raises UserError naming the value out of range."""
        count = self.frames
        if isinstance(count, float) and count.is_integer():  # a number field of the page
            count = int(count)
        if isinstance(count, bool) or not isinstance(count, int) or not MIN_FRAMES <= count <= MAX_FRAMES:
            raise UserError(
                f"frames is {self.frames!r:.40}; a video has a whole number of frames in "
                f"{MIN_FRAMES}..{MAX_FRAMES} ({FRAMES_PER_SECOND} a second)."
            )
        if self.form not in tuple(FORMATS):
            raise UserError(f"The format is {self.form!r:.40}; it must be one of {', '.join(FORMATS)}.")
        return replace(self, way=self.way.checked(card), frames=count)

    def positions(self) -> Iterator[float]:
        """The place of each frame on the way, in 0..1; a closed way does not show its first again."""
        for i in range(self.frames):
            if self.back:
                yield 1 - abs(1 - 2 * i / self.frames)
            else:
                yield i / (self.frames if len(self.way.position) == 2 else self.frames - 1)

    def row(self) -> FrameRequest:
        """The way as a row: a square becomes the tour of its corners."""
        if len(self.way.position) == 1:
            return self.way
        top_left, top_right, bottom_left, bottom_right = self.way.key_frames
        return replace(self.way, key_frames=(top_left, top_right, bottom_right, bottom_left, top_left))


class Interpolator:
    """The Interpolate workflow on one registry and one worker."""

    def __init__(self, registry: Registry, worker: Worker):
        """Both may be shared with other workflows."""
        self.registry = registry
        self.worker = worker

    def frame(self, request: FrameRequest, cancelled: IsCancelled | None = None) -> Frame:
        """The frame at the request's position; raises UserError with a message for the person who asked.

        cancelled: as in `Worker.frame`.
        """
        return Frame(self.worker.frame(request, cancelled))

    def checked(self, request: VideoRequest) -> VideoRequest:
        """The request with everything filled in; raises UserError for what the person can put right."""
        return request.checked(self.registry.card(request.way.model))

    def export(
        self,
        request: VideoRequest,
        path: Path,
        progress: Progress | None = None,
        cancelled: IsCancelled | None = None,
    ) -> None:
        """Write the video to `path`, frame by frame: the memory it takes does not grow with their number.

        progress: called after each frame with (frames done, frames in all). cancelled: asked within every
        frame; True ends the export with `Cancelled`. Nothing but a whole video is ever at `path`. Raises
        UserError before anything is drawn for what the person who asked can put right.
        """
        request = self.checked(request)
        row = request.row()

        def images() -> Iterator[Image.Image]:
            for done, u in enumerate(request.positions(), 1):
                yield self.worker.frame(replace(row, position=(u,)), cancelled).image
                if progress:
                    progress(done, request.frames)

        settings = {KEY: request.way.settings, "frames": request.frames, "there_and_back": request.back}
        write_video(path, request.form, images(), json.dumps(settings, ensure_ascii=False))

    def restore(self, path: Path, session: str = "") -> FrameRequest | GenerateRequest:
        """What a saved picture was made of: a frame's way and position, or the picture's own settings.

        session: whose uploads may be among its LoRAs. Raises UserError for a file that carries neither, or
        whose settings cannot be used here.
        """
        found = read_json(path)
        if found is None:
            raise UserError("This picture carries no InstaFlow settings. Choose a PNG saved here, unchanged.")
        if KEY in found:
            request = read_request(found[KEY], session=session)
            return request.checked(self.registry.card(request.model))
        return self._picture(pick_settings(found, path.name), session)

    def receive(self, text: str, session: str = "") -> GenerateRequest:
        """The settings of a picture that another tab sent as JSON; raises UserError for any other text."""
        return self._picture(parse_settings(text), session)

    def _picture(self, found: dict[str, Any], session: str) -> GenerateRequest:
        request = GenerateRequest(
            found.get("prompt", ""),
            found.get("model", ""),
            found.get("steps"),
            found.get("guidance"),
            found.get("seed", 0),
            negative_prompt=found.get("negative_prompt", ""),
            solver=found.get("solver"),
            loras=read_loras(found.get("loras", [])),
            control=read_control(found.get("control", [])),
            session=session,
        )
        return request.checked(self.registry.card(request.model))


def read_request(found: Any, position: Any = None, session: str = "") -> FrameRequest:
    """The request in JSON that may come from anyone, as its `settings` are; `position` instead of its own.

    session: whose uploads may be among its LoRAs.
    Raises UserError where it has no such form. Values still have to pass `FrameRequest.checked`.
    """
    try:
        keys = tuple(KeyFrame(key["prompt"], key["seed"]) for key in found["key_frames"])
        place = tuple(found["position"] if position is None else position)
        options = {name: found[name] for name in OPTIONS if name in found}
        loras = read_loras(found.get("loras") or [])
        control = read_control(found.get("control") or [])
        return FrameRequest(
            keys, place, found["model"], **options, loras=loras, control=control, session=session
        )
    except (TypeError, KeyError, IndexError, AttributeError):
        raise UserError("The settings of this interpolation are not readable.") from None
