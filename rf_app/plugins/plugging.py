"""From the ids of LoRAs to what a model's U-Net and text encoder are given; for one thread at a time."""

from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from weakref import WeakKeyDictionary

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel

from rf_app.errors import UserError
from rf_app.plugins.lora import Fitted, LoraFile, fit, read_lora
from rf_app.plugins.merging import Part
from rf_app.plugins.uploads import Uploads
from rf_app.registry.disk import Stamp, stamp
from rf_app.registry.loras import UPLOAD, LoraCard, Loras
from rf_app.settings.picture import Lora

RESIDENT = 8  # LoRAs kept in memory for each model


@dataclass(frozen=True)
class Plugged:
    """What each part of a model is given."""

    unet: tuple[Part, ...]
    text_encoder: tuple[Part, ...]


class LoraPlugs:
    """LoRAs in memory, fitted to the models that have used them."""

    def __init__(self, loras: Loras, uploads: Uploads, device: torch.device):
        """loras: for all; uploads: for the session that made them."""
        self.loras = loras
        self.uploads = uploads
        self.device = device
        self._fitted: WeakKeyDictionary[UNet2DConditionModel, OrderedDict[Stamp, Fitted]] = (
            WeakKeyDictionary()
        )

    def plugged(self, pipeline: StableDiffusionPipeline, loras: Sequence[Lora], session: str) -> Plugged:
        """Each LoRA as parts for this model; raises UserError naming one that cannot be."""
        found = []
        for lora in loras:
            key, fitted = self._fit(pipeline, lora.id, session)
            found.append((key, fitted, lora.strength))
        return Plugged(
            tuple(Part(key, fitted.unet, strength) for key, fitted, strength in found),
            tuple(Part(key, fitted.text_encoder, strength) for key, fitted, strength in found),
        )

    def inspect(self, pipeline: StableDiffusionPipeline, file: Path) -> LoraFile:
        """What is in a file that may come from anyone; raises UserError where it is no LoRA for the model."""
        lora = read_lora(file)
        fitted = fit(lora, pipeline.unet, pipeline.text_encoder)
        return replace(lora, unused=(*lora.unused, *fitted.unused))

    def cards(self, loras: Sequence[Lora], session: str) -> dict[str, LoraCard]:
        """What is known of those that act, by id; one that is not at hand is left out."""
        found: dict[str, LoraCard] = {}
        for each in loras:
            with suppress(UserError):
                uploaded = each.id.startswith(UPLOAD)
                card = self.uploads.get(session, each.id) if uploaded else self.loras.card(each.id)
                found |= {each.id: card} if each.strength else {}
        return found

    def _fit(self, pipeline: StableDiffusionPipeline, id: str, session: str) -> tuple[Stamp, Fitted]:
        if id.startswith(UPLOAD):
            upload = self.uploads.get(session, id)
            name, path = upload.title, upload.path
        else:
            name, path = id, self.loras.file(id)
        try:
            key = stamp(path)
            resident = self._fitted.setdefault(pipeline.unet, OrderedDict())
            if key not in resident:
                resident[key] = self._read(pipeline, path)
                if len(resident) > RESIDENT:
                    resident.popitem(last=False)
            resident.move_to_end(key)
            return key, resident[key]
        except UserError as error:
            raise UserError(f"LoRA {name}: {error}") from None
        except OSError as error:
            raise UserError(f"LoRA {name}: its file cannot be read ({error.strerror}).") from None

    def _read(self, pipeline: StableDiffusionPipeline, path: Path) -> Fitted:
        return fit(read_lora(path), pipeline.unet, pipeline.text_encoder).to(self.device)
