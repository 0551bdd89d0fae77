"""ControlNets on disk: stock diffusers folders, one an id, and whether one fits a U-Net."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.registry.card import Card
from rf_app.registry.checking import CONFIGS, WEIGHTS, check_piece, read_json
from rf_app.registry.recognition import recognize_folder
from rf_app.registry.store import Store

PREPROCESSORS = ("canny", "depth", "openpose", "scribble", "none")
"""How a picture becomes a condition map; "none" where it is one already."""
FAMILIES = {768: "SD 1.5", 1024: "SD 2", 2048: "SDXL"}  # by the width of their cross-attention
EMBEDDING = (16, 32, 96, 256)  # where a config says nothing
SHAPE = {
    "in_channels": "latent channels",
    "block_out_channels": "widths",
    "layers_per_block": "layers a block",
}


@dataclass(frozen=True, kw_only=True)
class ControlNetCard(Card):
    """The card of a ControlNet; base_model is what it was trained on."""

    NAME = "ControlNet"
    BLOCK = ("title", "preprocessor", "base_weights", "settings", "measured")

    preprocessor: str  # one of PREPROCESSORS

    def __post_init__(self) -> None:
        """Raises UserError for a preprocessor that is none."""
        if self.preprocessor not in PREPROCESSORS:
            raise UserError(
                f"'preprocessor' is {self.preprocessor!r:.40}; expected one of {', '.join(PREPROCESSORS)}."
            )

    @classmethod
    def by_name(cls, id: str) -> "ControlNetCard":
        """The card of a folder as it comes from the Hub: its name says what it is."""
        return cls(id, id, preprocessor=next((each for each in PREPROCESSORS if each in id), "none"))


class ControlNets(Store[ControlNetCard]):
    """ControlNets by id. Earlier folders win; new ones go into the last."""

    CARD = ControlNetCard
    FOLDER = "controlnets"
    CONTENT = f"the file in it as {WEIGHTS['controlnet']}, and its {CONFIGS['controlnet']}"

    def check_part(self, folder: Path) -> None:
        """Raise UserError unless it is whole and harmless, and a ControlNet that a model here can use."""
        check_piece(folder, "controlnet")
        recognize_folder(folder, folder.name)  # a T2I adapter's looks alike
        check_base(folder.name, read_json(folder / CONFIGS["controlnet"]))

    def check(self, folder: Path) -> None:
        """Load the ControlNet as a reader will, and refuse weights that are not finite."""
        from rf_app.registry.loading import check_controlnet  # takes seconds to import; listing does without

        check_controlnet(folder)


def check_base(id: str, config: Mapping[str, Any]) -> None:
    """Raise UserError for a ControlNet whose config says that it is for Stable Diffusion XL or the like."""
    if config.get("addition_embed_type") or _family(config.get("cross_attention_dim")) == "SDXL":
        raise UserError(
            f"{id}: is a ControlNet for Stable Diffusion XL; expected one for Stable Diffusion 1.x or 2.x."
        )


def check_fit(id: str, config: Mapping[str, Any], unet: Mapping[str, Any], vae: Mapping[str, Any]) -> None:
    """Raise UserError unless a ControlNet of this config can guide a model of those."""

    def refuse(made_for: str, has: str) -> None:
        raise UserError(f"ControlNet {id} was made for {made_for}; this model has {has}.")

    width, own = config.get("cross_attention_dim"), unet["cross_attention_dim"]
    if width != own:
        family = _family(width)
        refuse(f"{family}{', ' * bool(family)}cross-attention width {width!r:.40}", str(own))
    if config.get("addition_embed_type"):
        refuse("a model with additional embeddings, as SDXL has", "none")
    if config.get("conditioning_channels", 3) != 3:
        refuse(f"maps of {config['conditioning_channels']!r:.40} channels", "maps in RGB")
    for name, words in SHAPE.items():
        found, expected = _plain(config.get(name)), _plain(unet[name])
        if found != expected:
            refuse(f"{words} {found!r:.60}", str(expected))
    found = _factor(config.get("conditioning_embedding_out_channels") or EMBEDDING)
    expected = _factor(vae["block_out_channels"])
    if found != expected:
        refuse(f"latents {found} times smaller than the map", f"latents {expected} times smaller")


def _family(width: Any) -> str:
    """Whose texts are so wide; "" for another width, or a list of them."""
    return FAMILIES.get(width, "") if isinstance(width, int) else ""


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _factor(channels: Sequence[int] | int) -> int:
    """How much smaller what leaves a stack of these convolutions is: each but the first halves it."""
    return 1 if isinstance(channels, int) else 2 ** (len(channels) - 1)
