"""Tiny decoders on disk: an AutoencoderTiny's in TAESD's layout, one an id, and whose latents one reads.

They turn latents into a picture in a fraction of the time of a model's own decoder, with less detail
(https://github.com/madebyollin/taesd).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.registry.card import Card
from rf_app.registry.checking import CONFIGS, TINY, WEIGHTS, check_piece, read_json
from rf_app.registry.store import Store

SD = "stable-diffusion"  # the base of all that have the latents of Stable Diffusion 1 and 2
SD_VAE = {"latent_channels": 4, "block_out_channels": [128, 256, 512, 512], "scaling_factor": 0.18215}
OTHERS = {"xl": "Stable Diffusion XL", "sd3": "Stable Diffusion 3", "f1": "Flux"}
"""What a word in the name of a tiny autoencoder says, whose shape may be that of Stable Diffusion's."""


@dataclass(frozen=True, kw_only=True)
class DecoderCard(Card):
    """The card of a tiny decoder; base_model: whose latents it reads, SD or the id of the model that has the
    autoencoder.
    """

    NAME = "decoder"
    BLOCK = ("title", "base_weights", "settings", "measured")

    @classmethod
    def by_name(cls, id: str) -> "DecoderCard":
        """The card of a folder as it comes from the Hub."""
        return cls(id, id, base_model=SD)


class Decoders(Store[DecoderCard]):
    """Tiny decoders by id. Earlier folders win; new ones go into the last."""

    CARD = DecoderCard
    FOLDER = "decoders"
    CONTENT = f"the file in it as {WEIGHTS['decoder']}, and its {CONFIGS['decoder']}"

    def reads(self, id: str, vae: Path) -> bool:
        """Whether one reads the latents of the autoencoder in the folder `vae`."""
        try:
            check_reads(self.card(id), read_json(self.folder(id) / CONFIGS["decoder"]), vae)
        except UserError:
            return False
        return True

    def check_part(self, folder: Path) -> None:
        """Raise UserError unless it is whole and harmless, and a tiny autoencoder."""
        check_piece(folder, "decoder")
        check_tiny(folder.name, read_json(folder / CONFIGS["decoder"]))

    def check(self, folder: Path) -> None:
        """Load the decoder as a reader will, and refuse weights that are not finite."""
        from rf_app.registry.loading import check_decoder  # takes seconds to import; listing does without

        check_decoder(folder)


def check_tiny(called: str, config: Mapping[str, Any]) -> None:
    """Raise UserError for a config that is no tiny autoencoder's, and as `check_called`."""
    if config.get("_class_name") != TINY:
        raise UserError(f"{called}: is no {TINY}; expected one in the layout of TAESD.")
    check_called(called)


def check_called(called: str) -> None:
    """Raise UserError for the name of a tiny autoencoder for other models."""
    if other := next((title for word, title in OTHERS.items() if word in called.lower()), ""):
        raise UserError(f"{called}: is a tiny autoencoder for {other}; expected one for Stable Diffusion.")


def latents_of(vae: Path) -> str:
    """Whose latents the autoencoder in a model's folder makes: SD, or the model's id."""
    config = read_json(vae / CONFIGS["vae"])
    return SD if all(config.get(name) == value for name, value in SD_VAE.items()) else vae.parent.name


def check_reads(card: DecoderCard, config: Mapping[str, Any], vae: Path) -> None:
    """Raise UserError unless a decoder reads the latents of the autoencoder in the folder `vae`."""
    own, base = read_json(vae / CONFIGS["vae"]), latents_of(vae)
    for words, found, expected in (
        ("latents of", card.base_model, base),
        ("latent channels:", config.get("latent_channels", 4), own.get("latent_channels", 4)),
        ("blocks that enlarge:", _stages(config), _stages(own)),
    ):
        if found != expected:
            raise UserError(f"Decoder {card.id} is for {words} {found}; this model has {expected}.")


def _stages(config: Mapping[str, Any]) -> int:
    names = ("decoder_block_out_channels", "num_decoder_blocks", "block_out_channels")
    return next((len(config[name]) for name in names if isinstance(config.get(name), list)), 4)
