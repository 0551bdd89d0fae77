"""From latents to a picture that may be shown: the autoencoder, then the model's own safety checker."""

from collections.abc import Callable

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, StableDiffusionPipeline
from diffusers.models.autoencoders.vae import AutoencoderTinyBlock
from diffusers.models.resnet import ResnetBlock2D
from PIL import Image
from torch import Tensor

from rf_app.errors import HeldBack

BLOCKS = (ResnetBlock2D, AutoencoderTinyBlock)  # a decoder's


def decode(
    pipeline: StableDiffusionPipeline,
    latents: Tensor,
    vae: AutoencoderKL | AutoencoderTiny,
    tiled: bool = False,
    go_on: Callable[[], None] = lambda: None,
) -> Image.Image:
    """The picture of latents [1, C, h, w]; raises HeldBack where the safety checker says so.

    vae: the pipeline's own, or one that reads its latents. tiled: one part after the other, which overlap.
    go_on: called before each block; what it raises ends the decoding.
    """
    blocks = [each for each in vae.decoder.modules() if isinstance(each, BLOCKS)]
    hooks = [each.register_forward_pre_hook(lambda *_: go_on()) for each in blocks]
    if tiled:
        vae.enable_tiling()
    try:
        pixels = _pixels(vae, latents)
        if vae.dtype == torch.float16 and not torch.isfinite(pixels).all():
            # Some autoencoders go beyond 65504 on the way; there and back the weights stay what they are.
            try:
                pixels = _pixels(vae.float(), latents)
            finally:  # also where who asked has left, or memory has run out
                vae.half()
    finally:
        vae.disable_tiling()
        for hook in hooks:
            hook.remove()
    levels = pixels[0].float().mul(127.5).add(127.5).round().clamp(0, 255).byte()
    image = Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())
    check_safe(pipeline, image)
    return image


def _pixels(vae: AutoencoderKL | AutoencoderTiny, latents: Tensor) -> Tensor:
    return vae.decode((latents / vae.config.scaling_factor).to(vae.dtype), return_dict=False)[0]


def check_safe(pipeline: StableDiffusionPipeline, image: Image.Image) -> None:
    """Raise HeldBack for a picture that the pipeline's safety checker, if any, does not let through."""
    if pipeline.safety_checker is not None:
        pixels = np.asarray(image)[None] / 255
        _, (unsafe,) = pipeline.run_safety_checker(pixels, pipeline.vae.device, pipeline.vae.dtype)
        if unsafe:
            raise HeldBack(
                "The model's own safety checker holds this picture back: it takes it for one that is not "
                "safe to show. Try other words, or another seed."
            )
