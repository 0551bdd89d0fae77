"""The untrained networks of a family from nothing, in stock classes."""

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel

from trainers.common.text import WIDTH

DOWN = 8  # times smaller than the picture latents are
LOG_VARIANCE = -6.0  # of the posterior, at first


def build_autoencoder(channels: int, size: int) -> AutoencoderKL:
    """An autoencoder of 2.7 M parameters: most of them where pictures are small.

    channels: of the latents [channels, size/8, size/8].
    """
    levels = (32, 32, 64, 128)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(levels),
        up_block_types=("UpDecoderBlock2D",) * len(levels),
        block_out_channels=levels,
        layers_per_block=1,
        latent_channels=channels,
        norm_num_groups=8,
        sample_size=size,
        mid_block_add_attention=False,
    )
    # As it comes, the posterior is wider than its means are apart: for long only light gets through.
    with torch.no_grad():
        vae.quant_conv.weight[channels:] = 0
        vae.quant_conv.bias[channels:] = LOG_VARIANCE
    return vae


def build_unet(channels: int, size: int) -> UNet2DConditionModel:
    """A U-Net of 4.7 M parameters: convolutions alone at the latents' side, attention to the text at half."""
    return UNet2DConditionModel(
        sample_size=size // DOWN,
        in_channels=channels,
        out_channels=channels,
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
        block_out_channels=(96, 128),
        layers_per_block=1,
        norm_num_groups=8,
        attention_head_dim=4,
        cross_attention_dim=WIDTH,
    )
