"""A way between pictures: key frames, and where on the way a frame lies. As JSON it is flat."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from rf_app.errors import UserError
from rf_app.settings.picture import PictureSettings, read_picture_settings

MAX_KEY_FRAMES = 16
NOISE = ("slerp", "lerp")  # on an arc, or straight
TEXT = ("lerp", "first")  # mixed, or the first key frame's throughout


@dataclass(frozen=True)
class KeyFrame:
    """A picture to go from or to."""

    prompt: str
    seed: int


@dataclass(frozen=True)
class Way:
    """A row of key frames is a way with stops; four of them may make a square with a corner each."""

    key_frames: tuple[KeyFrame, ...]
    """2 to 16 in a row, or the 4 corners of a square in reading order."""
    position: tuple[float, ...]
    """(u,) in a row; (u, v) in a square, right and down; each in 0..1."""
    picture: PictureSettings
    """What all frames have in common; its prompt and seed are those of the first key frame."""
    noise: str = "slerp"
    """One of NOISE."""
    text: str = "lerp"
    """One of TEXT."""

    @property
    def square(self) -> bool:
        """Whether the key frames are the corners of a square."""
        return len(self.position) == 2

    def at_key_frame(self) -> PictureSettings | None:
        """The settings of the very same picture, if the position is that of a key frame."""
        if self.square:
            u, v = self.position
            index = u + 2 * v if {u, v} <= {0, 1} else 0.5
        else:
            index = self.position[0] * (len(self.key_frames) - 1)
        return None if index != int(index) else self.key_picture(int(index))

    def key_picture(self, index: int) -> PictureSettings:
        """The settings of a key frame's picture."""
        key = self.key_frames[index]
        prompt = self.key_frames[0].prompt if self.text == "first" else key.prompt
        return replace(self.picture, prompt=prompt, seed=key.seed)

    def row(self) -> "Way":
        """The way as a row: a square becomes the tour of its corners."""
        if not self.square:
            return self
        top_left, top_right, bottom_left, bottom_right = self.key_frames
        keys = (top_left, top_right, bottom_right, bottom_left, top_left)
        return replace(self, key_frames=keys, position=(0.0,))

    def as_json(self) -> dict[str, Any]:
        """All that makes the frame again: what the frames have in common stands beside the key frames."""
        common = {k: v for k, v in self.picture.as_json().items() if k not in ("prompt", "seed")}
        return {
            "key_frames": [asdict(key) for key in self.key_frames],
            "position": list(self.position),
            "noise": self.noise,
            "text": self.text,
        } | common


def read_way(found: Any) -> Way:
    """The way in JSON that may come from anyone, as `Way.as_json` gives it.

    Raises UserError where it has no such form. Values still have to be checked.
    """
    source = "The settings of this interpolation"
    try:
        keys = tuple(KeyFrame(key["prompt"], key["seed"]) for key in found["key_frames"])
        options = {name: found[name] for name in ("noise", "text") if name in found}
        common = {k: v for k, v in found.items() if v is not None} | {"prompt": keys[0].prompt, "seed": 0}
        picture = replace(read_picture_settings(common, source), seed=keys[0].seed)
        return Way(keys, tuple(found["position"]), picture, **options)
    except (TypeError, KeyError, IndexError, AttributeError):
        raise UserError(f"{source} are not readable.") from None
