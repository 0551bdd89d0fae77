"""The embeddings of texts: those asked for lately stay."""

from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from rf_app.pipeline.models import Resident
from rf_app.pipeline.prompts import embed, of_one_length
from rf_app.plugins.merging import Merger, signature
from rf_app.plugins.plugging import Plugged

CACHED = 256


class Texts:
    """For one thread at a time."""

    def __init__(self, merger: Merger):
        """merger: of the models' LoRAs."""
        self._merger = merger
        self._kept: OrderedDict[tuple[Any, ...], Tensor] = OrderedDict()

    def embeds(self, model: Resident, texts: Sequence[str], plugged: Plugged) -> list[Tensor]:
        """Those of several, all of one length."""
        found = [self.embed(model, text, plugged) for text in texts]
        if len({each.shape for each in found}) > 1:
            found = of_one_length(found, self.embed(model, "", plugged))
        return found

    def embed(self, model: Resident, text: str, plugged: Plugged) -> Tensor:
        """That of one; from memory if it was asked for lately with the same LoRAs."""
        weighted = model.vocabulary is None
        key = model.reader, signature(plugged.text_encoder), weighted, text
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        self._merger.give(model.pipeline.text_encoder, plugged.text_encoder)
        self._kept[key] = embed(model.pipeline, text, weighted)
        if len(self._kept) > CACHED:
            self._kept.popitem(last=False)
        return self._kept[key]
