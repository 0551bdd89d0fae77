"""The arithmetic that a device is quick in, which network must have a finer one, and the way in and out.

Noise, latents and the sampler's steps stay in float32 whatever the networks have: so a seed has one noise on
every device, and twenty steps do not round twenty times. Measured: `docs/performance.md`.
"""

from typing import Any

import torch
from diffusers import SchedulerMixin
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler


def quick_in_bfloat16() -> bool:
    """Whether the device multiplies matrices of bfloat16 in hardware."""
    if torch.cuda.is_available():
        return torch.cuda.is_bf16_supported(including_emulation=False)
    return bool(torch.cpu.get_capabilities().get("amx_bf16"))


def quick_dtype(device: torch.device) -> torch.dtype:
    """What pictures are drawn in: half precision where it is quick, float16 before the coarser bfloat16.

    A processor without matrix units is no quicker in either of them, AVX512-BF16 or not.
    """
    if device.type != "cpu":
        return torch.float16
    able = torch.cpu.get_capabilities()
    if able.get("amx_fp16"):
        return torch.float16
    return torch.bfloat16 if able.get("amx_bf16") else torch.float32


def unet_dtype(dtype: torch.dtype, scheduler: SchedulerMixin) -> torch.dtype:
    """What the U-Net of a model is kept in, where the other pieces are kept in `dtype`.

    Where a rectified flow is made of a network that predicts epsilon, the velocity at tau = 0 is some fifteen
    times its error (`rf_app.flow.conversion`): of bfloat16's eight bits too few would be left.
    """
    multiplied = isinstance(scheduler, RectifiedFlowScheduler) and scheduler.schedule is not None
    return torch.float32 if dtype == torch.bfloat16 and multiplied else dtype


def take_float32(module: nn.Module) -> None:
    """Let a U-Net or ControlNet take tensors in any type; times, which it reads in float32, stay.

    A U-Net returns float32. Once more changes nothing.
    """
    dtype = next(module.parameters()).dtype

    def cast(value: Any) -> Any:
        tensor = isinstance(value, Tensor) and value.ndim > 1 and value.is_floating_point()
        return value.to(dtype) if tensor else value

    def before(_: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict[str, Any]]:
        return tree_map(cast, (args, kwargs))

    def after(_: nn.Module, __: tuple, output: Any) -> Any:
        return (output[0].float(),) if isinstance(output, tuple) and len(output) == 1 else output

    module.register_forward_pre_hook(before, with_kwargs=True)
    module.register_forward_hook(after)
