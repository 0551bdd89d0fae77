"""A picture between pictures: the request for one frame, and what the model is given for it.

Key frames are prompts with seeds. A row of them is a way with stops; four make a square with a corner each.
Noise and text embedding of a frame are mixed from those of the key frames around its position, and the model
draws them as any other picture: so a frame depends on its request alone, and at a key frame it is the picture
that `generate` gives.
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from PIL import Image
from torch import Tensor

from rf_app.errors import UserError
from rf_app.flow.interpolation import Mix, lerp, over_square, slerp, through
from rf_app.pipeline.requests import Control, GenerateRequest, Lora, Timings
from rf_app.registry.card import ModelCard

MAX_KEY_FRAMES = 16
NOISE: dict[str, Mix] = {"slerp": slerp, "lerp": lerp}
TEXT = ("lerp", "first")  # mixed, or the first key frame's throughout


@dataclass(frozen=True)
class KeyFrame:
    """A picture to go from or to."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class FrameRequest:
    """A wish for the picture at a position between key frames."""

    key_frames: tuple[KeyFrame, ...]  # 2..16 in a row, or the 4 corners of a square in reading order
    position: tuple[float, ...]  # (u,) in a row; (u, v) in a square, right and down; each in 0..1
    model: str  # an id of the registry
    steps: int | None = None  # None: the card's
    guidance: float | None = None  # None: the card's; up to 1 means none
    noise: str = "slerp"  # one of NOISE
    text: str = "lerp"  # one of TEXT
    negative_prompt: str = ""  # of use only with guidance above 1
    solver: str | None = None  # None: the model's own; see rf_app.schedulers.solvers
    loras: tuple[Lora, ...] = ()  # each once
    control: tuple[Control, ...] = ()  # at most two, the same for every frame
    session: str = ""  # whose uploads `loras` may name; a secret, so never part of `settings`

    @property
    def settings(self) -> dict[str, Any]:
        """The request as JSON, for a picture or the browser."""
        return {name: value for name, value in asdict(self).items() if name != "session"}

    def checked(self, card: ModelCard) -> "FrameRequest":
        """The same with the card's defaults filled in; raises UserError naming the value out of range."""
        count, square = len(self.key_frames), len(self.position) == 2
        if square and count != 4:
            raise UserError(f"A square has 4 key frames, one in each corner, not {count}.")
        if not 2 <= count <= MAX_KEY_FRAMES:
            raise UserError(f"The number of key frames is {count}; 2 to {MAX_KEY_FRAMES} are accepted.")
        if len(self.position) not in (1, 2) or not all(_is_share(value) for value in self.position):
            raise UserError(
                f"position is {self.position!r:.60}; it must be one number in 0..1, or two in a square."
            )
        if self.noise not in tuple(NOISE):
            raise UserError(f"noise is {self.noise!r:.40}; it must be one of {', '.join(NOISE)}.")
        if self.text not in TEXT:
            raise UserError(f"text is {self.text!r:.40}; it must be one of {', '.join(TEXT)}.")
        pictures = []
        for number, key in enumerate(self.key_frames, 1):
            try:
                pictures.append(self._picture(key.prompt, key.seed).checked(card))
            except UserError as error:
                raise UserError(f"Key frame {number}: {error}") from None
        return replace(
            self,
            key_frames=tuple(KeyFrame(picture.prompt, picture.seed) for picture in pictures),
            position=tuple(float(value) for value in self.position),
            steps=pictures[0].steps,
            guidance=pictures[0].guidance,
            negative_prompt=pictures[0].negative_prompt,
            solver=pictures[0].solver,
            loras=pictures[0].loras,
            control=pictures[0].control,
        )

    def at_key_frame(self) -> GenerateRequest | None:
        """The request for the very same picture, if the position is that of a key frame."""
        if len(self.position) == 2:
            u, v = self.position
            index = u + 2 * v if {u, v} <= {0, 1} else 0.5
        else:
            index = self.position[0] * (len(self.key_frames) - 1)
        if index != int(index):
            return None
        key = self.key_frames[int(index)]
        return self._picture(self.key_frames[0].prompt if self.text == "first" else key.prompt, key.seed)

    def place(self, mix: Mix, tensors: list[Tensor]) -> Tensor:
        """Mix what belongs to the key frames, each [1, ...], by the position."""
        if len(self.position) == 2:
            return over_square(mix, tensors, *self.position)
        return through(mix, tensors, *self.position)

    def embedding(self, texts: list[Tensor]) -> Tensor:
        """The text embedding [1, L, D] of the frame, from those of the key frames."""
        return texts[0] if self.text == "first" else self.place(lerp, texts)

    def noise_of(self, noises: list[Tensor]) -> Tensor:
        """The noise [1, C, h, w] of the frame, from that of the key frames' seeds."""
        return self.place(NOISE[self.noise], noises)

    def _picture(self, prompt: str, seed: int) -> GenerateRequest:
        return GenerateRequest(
            prompt,
            self.model,
            self.steps,
            self.guidance,
            seed,
            negative_prompt=self.negative_prompt,
            solver=self.solver,
            loras=self.loras,
            control=self.control,
            session=self.session,
        )


@dataclass(frozen=True)
class FrameResult:
    """request is the checked one."""

    image: Image.Image
    request: FrameRequest
    timings: Timings


def _is_share(value: float) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
