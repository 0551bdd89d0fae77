"""LoRAs merged into a module's weights, and taken out again exactly.

A layer beside each layer, as PEFT adds it, is a fifth more work for a small U-Net; merged weights cost
nothing while they stay, and little to merge (see benchmarks/adapters.py). The module's own tensors are kept,
never written to, and put back: so what was merged leaves no trace.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

from rf_app.plugins.lora import Layer


@dataclass(frozen=True)
class Part:
    """A LoRA's layers for one module, by path; key: tells it from all others."""

    key: Any
    layers: dict[str, Layer]
    strength: float


@dataclass
class Merged:
    """What a module has been given, and the weights of its own that wait meanwhile."""

    own: dict[str, nn.Parameter] = field(default_factory=dict)
    signature: tuple[tuple[Any, float], ...] = ()


class Merger:
    """Knows what each module has been given; for one thread at a time."""

    def __init__(self):
        self._merged: WeakKeyDictionary[nn.Module, Merged] = WeakKeyDictionary()

    def give(self, module: nn.Module, parts: Sequence[Part]) -> None:
        """Let the module have its own weights plus these parts, in whatever order, and nothing else."""
        parts = effective(parts)
        wanted = signature(parts)
        merged = self._merged.setdefault(module, Merged())
        if merged.signature == wanted:
            return
        self._restore(module, merged)
        try:
            for part in parts:
                for path, layer in part.layers.items():
                    owner = module.get_submodule(path)
                    merged.own.setdefault(path, owner.weight)
                    owner.weight = nn.Parameter(_sum(owner.weight, layer, part.strength), requires_grad=False)
        except BaseException:  # a device without memory
            self._restore(module, merged)
            raise
        merged.signature = wanted

    def _restore(self, module: nn.Module, merged: Merged) -> None:
        for path, weight in merged.own.items():
            module.get_submodule(path).weight = weight
        merged.own.clear()
        merged.signature = ()


def effective(parts: Sequence[Part]) -> list[Part]:
    """Those that change anything, in an order that does not depend on the given one."""
    return sorted((part for part in parts if part.layers and part.strength), key=lambda part: str(part.key))


def signature(parts: Sequence[Part]) -> tuple[tuple[Any, float], ...]:
    """What the weights depend on."""
    return tuple((part.key, part.strength) for part in effective(parts))


def _sum(weight: Tensor, layer: Layer, strength: float) -> Tensor:
    """weight + strength * scale * up @ down, in the weight's memory layout."""
    flat = torch.addmm(
        weight.flatten(1), layer.up.flatten(1), layer.down.flatten(1), alpha=strength * layer.scale
    )
    changed = torch.empty_like(weight)  # keeps channels last
    return changed.copy_(flat.view(weight.shape))
