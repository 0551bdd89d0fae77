"""ControlNets on disk: stock diffusers folders, one an id, listed, checked against a U-Net, and loaded."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel

from rf_app.errors import UserError
from rf_app.registry.card import Readme, check_id, write_readme
from rf_app.registry.checking import check_piece, read_json
from rf_app.registry.folders import Registry
from rf_app.registry.loading import load_piece

PREPROCESSORS = ("canny", "depth", "openpose", "scribble", "none")
"""How a picture becomes a condition map; "none" where it is one already."""
FAMILIES = {768: "SD 1.5", 1024: "SD 2", 2048: "SDXL"}  # by the width of their cross-attention
EMBEDDING = (16, 32, 96, 256)  # where a config says nothing
SHAPE = {
    "in_channels": "latent channels",
    "block_out_channels": "widths",
    "layers_per_block": "layers a block",
}


@dataclass(frozen=True)
class ControlNetCard:
    """What the page, the trainer and a reader know about a ControlNet without loading it."""

    id: str  # the folder's name
    title: str
    preprocessor: str  # one of PREPROCESSORS
    description: str = ""
    license: str = "unknown"
    base_model: str | None = None  # what it was trained on
    measured: dict[str, Any] = field(default_factory=dict)  # figures and what they were measured on
    settings: dict[str, Any] = field(default_factory=dict)  # how it was trained


def write_controlnet_card(folder: Path, card: ControlNetCard) -> None:
    """Write README.md into a ControlNet's folder in one step."""
    block = {
        "title": card.title,
        "preprocessor": card.preprocessor,
        "settings": card.settings,
        "measured": card.measured,
    }
    write_readme(folder, card, ["controlnet", "instaflow"], block)


def read_controlnet_card(folder: Path) -> ControlNetCard:
    """The card of a ControlNet's folder; raises UserError naming the file and the fault.

    A folder as it comes from the Hub has no block of ours, or no README.md at all: its name says what it is.
    """
    id = check_id(folder.name, "ControlNet")
    try:
        readme = Readme(folder)
    except UserError:
        named = [each for each in PREPROCESSORS if each in id]
        return ControlNetCard(id, id, named[0] if named else "none")
    preprocessor = readme.value("preprocessor", str)
    if preprocessor not in PREPROCESSORS:
        raise readme.broken(
            f"'preprocessor' is {preprocessor!r:.40}; expected one of {', '.join(PREPROCESSORS)}."
        )
    return ControlNetCard(
        id=id,
        title=readme.value("title", str, default=id),
        preprocessor=preprocessor,
        description=readme.description,
        license=readme.value("license", str, readme.front, "unknown"),
        base_model=readme.value("base_model", (str, type(None)), readme.front),
        measured=readme.value("measured", dict, default={}),
        settings=readme.value("settings", dict, default={}),
    )


class ControlNets:
    """ControlNets by id. Earlier folders win."""

    def __init__(self, folders: Sequence[Path]):
        """folders: each holds one sub-folder a ControlNet, named by its id; they need not exist yet."""
        self.folders = tuple(Path(folder) for folder in folders)

    @classmethod
    def beside(cls, registry: Registry) -> "ControlNets":
        """Those in `controlnets/` beside each folder of models."""
        return cls([folder.parent / "controlnets" for folder in registry.folders])

    def cards(self) -> list[ControlNetCard]:
        """The cards of all that are whole, by folder and id; broken ones are in `problems`."""
        return self._scan()[0]

    def problems(self) -> dict[str, str]:
        """What is wrong with each folder that `cards` leaves out."""
        return self._scan()[1]

    def folder(self, id: str) -> Path:
        """A ControlNet's folder; raises UserError with the ids there are, if there is none of that id."""
        check_id(id, "ControlNet")
        for root in self.folders:
            if (root / id).is_dir():
                return root / id
        known = ", ".join(card.id for card in self.cards()) or "none"
        raise UserError(f"There is no ControlNet {id!r}. ControlNets at hand: {known}.")

    def load(
        self, id: str, dtype: torch.dtype, unet: Mapping[str, Any], vae: Mapping[str, Any]
    ) -> ControlNetModel:
        """The ControlNet in evaluation mode, on the CPU.

        unet, vae: the configs of the model it is for. Raises UserError naming the file that is missing or
        broken, or what does not fit; looks at the config before any weight is read.
        """
        folder = self.folder(id)
        check_piece(folder, "controlnet")
        check_fit(id, read_json(folder / "config.json"), unet, vae)
        return load_piece(folder, dtype, "controlnet")

    def _scan(self) -> tuple[list[ControlNetCard], dict[str, str]]:
        cards: dict[str, ControlNetCard] = {}
        problems: dict[str, str] = {}
        for root in self.folders:
            for folder in sorted(root.iterdir()) if root.is_dir() else ():
                name = folder.name
                if not folder.is_dir() or name.startswith(".") or name in cards or name in problems:
                    continue
                try:
                    _check_name(folder)
                    check_piece(folder, "controlnet")
                    cards[name] = read_controlnet_card(folder)
                except UserError as error:
                    problems[name] = str(error)
        return list(cards.values()), problems


def _check_name(folder: Path) -> None:
    """Raise UserError unless a folder's name, perhaps the Hub's, can be an id."""
    try:
        check_id(folder.name, "ControlNet")
    except UserError as error:
        raise UserError(f"{error} Rename this folder.") from None


def check_fit(id: str, config: Mapping[str, Any], unet: Mapping[str, Any], vae: Mapping[str, Any]) -> None:
    """Raise UserError unless a ControlNet of this config can guide a model of those."""

    def refuse(made_for: str, has: str) -> None:
        raise UserError(f"ControlNet {id} was made for {made_for}; this model has {has}.")

    width, own = config.get("cross_attention_dim"), unet["cross_attention_dim"]
    if width != own:
        family = f"{FAMILIES[width]}, " if width in FAMILIES else ""
        refuse(f"{family}cross-attention width {width!r:.40}", str(own))
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


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, (list, tuple)) else value


def _factor(channels: Sequence[int]) -> int:
    """How much smaller what leaves a stack of these convolutions is: each but the first halves it."""
    return 2 ** (len(channels) - 1)
