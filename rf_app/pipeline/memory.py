"""How much memory there is, what a picture takes of it beside the weights, and how it is given back.

The estimates are those of `python -m benchmarks.picture_memory`, which prints them beside what it measures.
"""

import ctypes
import gc
import sys
from pathlib import Path

import psutil
import torch
from torch import nn

CGROUP = Path("/sys/fs/cgroup")
DECODED = 4.0  # of the widest layers at the picture's own size, which a decoder holds at once
SAMPLED = 16.0  # of the widest layers at the latents' size, which a U-Net holds at once


def available(device: torch.device) -> int:
    """Bytes that models and pictures can still take on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    return min([psutil.virtual_memory().available, *_limits()])


def _limits() -> list[int]:
    """What the groups that this process is in have left, as containers do (cgroup v2)."""
    try:
        path = Path("/proc/self/cgroup").read_text().strip().rpartition("::/")[2]
    except OSError:  # not Linux
        return []
    found = []
    for folder in (CGROUP / path, *(CGROUP / path).parents):
        try:
            most, now = (int((folder / f"memory.{name}").read_text()) for name in ("max", "current"))
            stat = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            found.append(most - now + int(stat["inactive_file"]))  # what is cached can go
        except (OSError, ValueError):  # "max": no limit
            continue
    return found


def give_back(device: torch.device) -> None:
    """Let the system have what nobody uses any more: the allocators keep it otherwise."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
    elif device.type == "mps":
        torch.mps.empty_cache()
    trim()


def trim() -> None:
    """Let the system have what glibc keeps of freed memory: of a model's loading as much as a fifth of it."""
    if sys.platform == "linux":
        malloc_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if malloc_trim:
            malloc_trim(0)


def decoding_bytes(vae: nn.Module, size: tuple[int, int], tiled: bool = False) -> int:
    """What decoding latents of this height and width takes; tiled: one part after the other."""
    channels = vae.config.get("decoder_block_out_channels") or vae.config.block_out_channels
    tile = (vae.tile_latent_min_size,) * 2 if tiled else size
    positions = min(size[0], tile[0]) * min(size[1], tile[1]) * scale(vae) ** 2
    return int(DECODED * _itemsize(vae) * max(channels[:2]) * positions)


def sampling_bytes(unet: nn.Module, size: tuple[int, int], batch: int) -> int:
    """What a call of a U-Net takes; batch: 2 with guidance."""
    widest = max(unet.config.block_out_channels[:2])
    return int(SAMPLED * _itemsize(unet) * widest * batch * size[0] * size[1])


def scale(vae: nn.Module) -> int:
    """How many times larger a picture is than its latents."""
    return 2 ** (len(vae.config.get("decoder_block_out_channels") or vae.config.block_out_channels) - 1)


def _itemsize(module: nn.Module) -> int:
    return next(module.parameters()).element_size()
