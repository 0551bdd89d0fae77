"""What a LoRA's tensors add to a layer's weights, in each of the forms that LoRAs come in.

With s = alpha / rank the change of a weight W is

    LoRA        s up @ down (arXiv 2106.09685); with a core beside them, Tucker's decomposition
    LoHa        s (a1 @ b1) * (a2 @ b2), entry by entry (arXiv 2108.06098)
    LoKr        s w1 (x) w2, Kronecker's product, either of them perhaps a @ b (arXiv 2309.14859)
    difference  the whole of it, as of biases and norms
    DoRA        m (W + any of these) / |W + any of these| - W, |.| for each output or input (arXiv 2402.09353)

The names of the tensors are those of LyCORIS (github.com/KohakuBlueleaf/LyCORIS), which ComfyUI reads, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

RANKS = ("lora_down", "hada_w1_b", "hada_w2_b", "lokr_w1_b", "lokr_w2_b")
"""The tensors whose first dimension is the rank."""
CORES = ("lora_mid", "hada_t1", "hada_t2", "lokr_t2")
"""Those whose first two are."""
PAIR, HADAMARD = {"lora_down", "lora_up"}, {"hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"}
FORMS = [
    *(PAIR, PAIR | {"lora_mid"}, HADAMARD, HADAMARD | {"hada_t1", "hada_t2"}, {"diff"}),
    *(
        one | two
        for one in ({"lokr_w1"}, {"lokr_w1_a", "lokr_w1_b"})
        for two in ({"lokr_w2"}, {"lokr_w2_a", "lokr_w2_b"}, {"lokr_w2_a", "lokr_w2_b", "lokr_t2"})
    ),
]
"""Which tensors make the change of a weight."""


@dataclass(frozen=True)
class Layer:
    """The change of one layer. tensors: by the names above, "dora_scale" and "diff_b" among them, of any
    floating-point type. scale: alpha / rank.
    """

    tensors: Mapping[str, Tensor]
    scale: float = 1.0

    def to(self, device: Any) -> "Layer":
        """The same on a device."""
        return replace(self, tensors={name: tensor.to(device) for name, tensor in self.tensors.items()})

    @property
    def whole(self) -> bool:
        """Whether its tensors are those of one of the forms."""
        return set(self.tensors) - {"diff_b", "dora_scale"} in FORMS or set(self.tensors) == {"diff_b"}

    @property
    def rank(self) -> int:
        """The rank; 0 where it has none, as a full difference."""
        return next((len(self.tensors[name]) for name in RANKS if name in self.tensors), 0)

    def changes(self) -> list[str]:
        """Which parameters of a layer it changes: "weight", "bias"."""
        return ["weight"] * (self.tensors.keys() != {"diff_b"}) + ["bias"] * ("diff_b" in self.tensors)

    def shape(self) -> tuple[int, ...]:
        """The shape of the weight's change: [out, in], or with a convolution's height and width behind or in
        `in`. Raises RuntimeError or IndexError where the tensors' shapes do not go together.
        """
        return tuple(self.to("meta")._product().shape)

    def difference(self, name: str, own: Tensor) -> Tensor:
        """What is added to a parameter, of its shape, in float32; raises as `shape`."""
        if name == "bias":
            return self.tensors["diff_b"].float().view(own.shape)
        change = self._product().reshape(own.shape)
        change = change if self.scale == 1 else change.mul_(self.scale)
        if "dora_scale" not in self.tensors:
            return change
        magnitude, own = self.tensors["dora_scale"].float(), own.float()
        axis = int(magnitude.ndim > 1 and magnitude.shape[0] == 1 < own.shape[0])  # 1: of each input
        others = [i for i in range(own.ndim) if i != axis]
        whole = change.add_(own)
        norm = torch.linalg.vector_norm(whole, dim=others, keepdim=True) + torch.finfo(whole.dtype).eps
        magnitude = magnitude.reshape([-1 if i == axis else 1 for i in range(own.ndim)]).expand_as(norm)
        return whole * (magnitude / norm) - own

    def _product(self) -> Tensor:
        """The weight's change without its scale, in float32, for the caller to write to."""
        found = {name: tensor.float() for name, tensor in self.tensors.items() if name != "dora_scale"}
        if "diff" in found:
            return found["diff"].clone()
        if "lora_up" in found:
            up, down = found["lora_up"].flatten(1), found["lora_down"].flatten(1)
            return _tucker(found["lora_mid"], up, down) if "lora_mid" in found else up @ down
        if "hada_w1_a" in found:
            return _factor(found, "hada_w1", "hada_t1") * _factor(found, "hada_w2", "hada_t2")
        return torch.kron(_factor(found, "lokr_w1", ""), _factor(found, "lokr_w2", "lokr_t2").flatten(1))


def _factor(found: Mapping[str, Tensor], name: str, core: str) -> Tensor:
    if name in found:
        return found[name]
    a, b = found[f"{name}_a"], found[f"{name}_b"]
    return _tucker(found[core], a.T, b) if core in found else a @ b


def _tucker(core: Tensor, up: Tensor, down: Tensor) -> Tensor:
    """Of core [i, j, h, w], up [out, i] and down [j, in]: [out, in, h, w]."""
    return torch.einsum("ij...,oi,jn->on...", core, up, down)
