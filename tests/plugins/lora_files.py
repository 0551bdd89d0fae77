"""LoRA files with random weights, in each format, for a model."""

from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0", "q_proj", "k_proj", "v_proj", "out_proj")
EVERYWHERE = (*ATTENTION, "conv1", "conv2", "proj_in", "proj_out", "net.2", "fc1", "time_emb_proj", "conv_in")


def random_lora(
    unet: nn.Module | None,
    text_encoder: nn.Module | None = None,
    seed: int = 0,
    rank: int = 4,
    size: float = 0.3,
    layers: tuple[str, ...] = ATTENTION,
) -> dict[str, Tensor]:
    """A LoRA with diffusers' names, "unet.….lora_A.weight"; size: how far it is from none."""
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for part, module in (("unet", unet), ("text_encoder", text_encoder)):
        for path, layer in module.named_modules() if module else ():
            if not isinstance(layer, (nn.Linear, nn.Conv2d)) or not path.endswith(layers):
                continue
            out, *into = layer.weight.shape
            ones = [1] * (len(into) - 1)
            tensors[f"{part}.{path}.lora_A.weight"] = size * torch.randn(rank, *into, generator=generator)
            tensors[f"{part}.{path}.lora_B.weight"] = size * torch.randn(
                out, rank, *ones, generator=generator
            )
    return tensors


def as_kohya(tensors: dict[str, Tensor], alpha: float | None = None) -> dict[str, Tensor]:
    """The same with kohya's names; alpha: the ranks if None, so that nothing changes."""
    renamed = {}
    for name, tensor in tensors.items():
        path, half = name.removesuffix(".weight").rsplit(".", 1)
        part, path = path.split(".", 1)
        part = "lora_unet" if part == "unet" else "lora_te_text_model"
        flat = f"{part}_{path.removeprefix('text_model.').replace('.', '_')}"
        renamed[f"{flat}.lora_{'down' if half == 'lora_A' else 'up'}.weight"] = tensor
        if half == "lora_A":
            renamed[f"{flat}.alpha"] = torch.tensor(float(len(tensor)) if alpha is None else alpha)
    return renamed


def as_peft(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same with PEFT's names, of a U-Net alone."""
    return {f"base_model.model.{name.removeprefix('unet.')}": tensor for name, tensor in tensors.items()}


def write(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> Path:
    """The file, in a folder that need not exist."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, path, metadata)
    return path
