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
from torch import nn

from rf_app.plugins.adapters import Layer


@dataclass(frozen=True)
class Part:
    """A LoRA's layers for one module, by path; key: tells it from all others."""

    key: Any
    layers: dict[str, Layer]
    strength: float


@dataclass
class Merged:
    """What a module has been given, and the weights of its own that wait meanwhile."""

    own: dict[tuple[str, str], nn.Parameter] = field(default_factory=dict)  # by path and name
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
                    for name in layer.changes():
                        now = getattr(owner, name)
                        # Of the weights as they were: DoRA's difference depends on them.
                        own = merged.own.setdefault((path, name), now)
                        change = layer.difference(name, own)
                        changed = torch.empty_like(now)  # keeps channels last
                        changed.copy_(torch.add(now.float(), change, alpha=part.strength))
                        setattr(owner, name, nn.Parameter(changed, requires_grad=False))
        except BaseException:  # a device without memory
            self._restore(module, merged)
            raise
        merged.signature = wanted

    def _restore(self, module: nn.Module, merged: Merged) -> None:
        for (path, name), own in merged.own.items():
            setattr(module.get_submodule(path), name, own)
        merged.own.clear()
        merged.signature = ()


def effective(parts: Sequence[Part]) -> list[Part]:
    """Those that change anything, in an order that does not depend on the given one."""
    return sorted((part for part in parts if part.layers and part.strength), key=lambda part: str(part.key))


def signature(parts: Sequence[Part]) -> tuple[tuple[Any, float], ...]:
    """What the weights depend on."""
    return tuple((part.key, part.strength) for part in effective(parts))
