"""LoRAs on disk: one folder an id, with a card and the weights in one safetensors file."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from rf_app.errors import UserError
from rf_app.registry.card import KINDS, Card, ModelCard
from rf_app.registry.checking import no_weights
from rf_app.registry.recognition import LORA_WEIGHTS as WEIGHTS
from rf_app.registry.recognition import RECOMMENDED
from rf_app.registry.store import Store

UPLOAD = "upload-"  # how the ids of a session's uploads begin
MAKES = ("consistency", "trajectory-consistency", "few-step")  # the kinds that a LoRA may make of diffusion
NAMELESS = re.compile(r"((pytorch_)?lora(_weights)?|adapter_model|model)( ?\(\d+\))?", re.I)
"""Names of files that programs give, which say nothing of what is in them."""


@dataclass(frozen=True, kw_only=True)
class LoraCard(Card):
    """The card of a LoRA; base_model is what it was trained on."""

    NAME = "LoRA"
    BLOCK = ("title", "strength", "kind", "steps", "guidance", "base_weights", "settings", "measured")
    FRONT: ClassVar = {"trigger": "instance_prompt"}

    trigger: str = ""  # words that call it, for the prompt
    strength: float = 1.0  # recommended
    kind: str = ""  # what a diffusion model becomes with it, where it needs another sampler
    steps: int = 1  # recommended for that, as is guidance
    guidance: float = 1.0

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        if self.kind and self.kind not in KINDS:
            raise UserError(f"'kind' is {self.kind!r:.80}; expected none, or one of {', '.join(KINDS)}.")
        if not -2 <= self.strength <= 2 or not 1 <= self.steps <= 50 or not 0 <= self.guidance <= 20:
            raise UserError("strength must be in -2..2, steps in 1..50 and guidance in 0..20.")

    @classmethod
    def by_name(cls, id: str) -> "LoraCard":
        """The card of a folder as it comes from the Hub: its name says what it is."""
        return cls(id, id, **sampling_in(id))


def sampling_in(name: str) -> dict[str, Any]:
    """Which kind a LoRA makes of a diffusion model, with steps and guidance, by its name; {} for none.

    As published: LCM-LoRA (arXiv 2311.05556), TCD-LoRA (2402.19159), and Hyper-SD (2404.13686), whose LoRA
    for one step goes with TCD, and those for 2 to 12 with DDIM from the noise to the end. Styles are called
    hyper, too.
    """
    name = name.lower()
    words, stated = set(re.findall("[a-z]+", name)), re.search(r"(\d{1,2})[-_ ]?steps?", name)
    steps = min(max(int(stated[1]), 1), 50) if stated else 0
    kind = ""
    if re.search("hyper[-_ ]?sd", name) or (stated and "hyper" in words):
        kind = "trajectory-consistency" if steps < 2 else "few-step"
        steps = steps or 1
    elif "tcd" in words:
        kind = "trajectory-consistency"
    elif words & {"lcm", "lcmlora"}:
        kind = "consistency"
    if not kind:
        return {}
    guidance = 5.0 if "cfg" in words else 1.0
    return {"kind": kind, "steps": steps or RECOMMENDED[kind][0], "guidance": guidance}


def made_for(kind: str) -> dict[str, Any]:
    """What is known of a LoRA by the kind that its owner says it makes of a diffusion model; "" for none.

    Raises UserError for another kind.
    """
    if kind and kind not in MAKES:
        raise UserError(f"kind is {kind!r:.40}; of a LoRA expected one of {', '.join(MAKES)}.")
    return {"kind": kind, "steps": RECOMMENDED[kind][0] if kind else 1, "guidance": 1.0}


def with_loras(card: ModelCard, loras: Sequence[LoraCard]) -> ModelCard:
    """The card of a model as LoRAs make it: those that need another sampler change kind, steps and guidance.

    Raises UserError for two that disagree, and on a model that is no diffusion model.
    """
    first, *others = [each for each in loras if each.kind] or [None]
    if first is None:
        return card
    if card.kind != "diffusion":
        raise UserError(
            f"LoRA {first.title} makes a diffusion model draw in {first.steps} steps; {card.id} is none: its "
            f"kind is {card.kind}."
        )
    made = {"kind": first.kind, "steps": first.steps, "guidance": first.guidance}
    for each in others:
        if made != {name: getattr(each, name) for name in made}:
            raise UserError(
                f"LoRAs {first.title} and {each.title} want different samplers, {first.kind} in "
                f"{first.steps} steps and {each.kind} in {each.steps}: use one of them."
            )
    return replace(card, **made)


class Loras(Store[LoraCard]):
    """LoRAs by id. Earlier folders win; new ones go into the last."""

    CARD = LoraCard
    FOLDER = "loras"
    CONTENT = f"the file in it as {WEIGHTS}"

    def file(self, id: str) -> Path:
        """A LoRA's weights; raises UserError with the ids there are, if there is none of that id, and for a
        card that `card` refuses.
        """
        folder = self.folder(id)
        self.card(id)
        self.check_part(folder)
        return folder / WEIGHTS

    def save(self, file: Path, card: LoraCard) -> Path:
        """Publish a copy of weights that have been checked; raises what `publish` raises."""
        return self.publish(card.id, lambda folder: shutil.copyfile(file, folder / WEIGHTS), card)

    def check_free(self, id: str, overwrite: bool = False) -> None:
        """Raise UserError for an id that `publish` would refuse."""
        super().check_free(id, overwrite)
        if id.startswith(UPLOAD):
            raise UserError(f"{id!r}: ids of saved LoRAs do not begin with {UPLOAD!r}; choose another id.")

    def check_part(self, folder: Path) -> None:
        """Raise UserError unless the weights are there; plugging them in looks at them."""
        if not (folder / WEIGHTS).is_file():
            if (folder / WEIGHTS).is_symlink():
                raise no_weights(folder / WEIGHTS, ())
            others = " or ".join(sorted(each.name for each in folder.glob("*.safetensors")))
            rename = f"; rename {others}" if others else ""
            raise UserError(f"{folder / WEIGHTS}: this file is missing{rename}.")
