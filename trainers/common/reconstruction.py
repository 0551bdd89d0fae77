"""What an autoencoder makes of pictures: the judge looks at it, and its own training measures it."""

import numpy as np
import torch
from diffusers import AutoencoderKL

from trainers.common.pixels import at_once, to_pixels, to_tensor


@torch.no_grad()
def reconstructed(vae: AutoencoderKL, images: np.ndarray) -> np.ndarray:
    """Encode and decode ``images``, uint8 [N, H, W, 3] in and out."""
    batches = np.array_split(images, -(-len(images) // at_once(images.shape[1])))
    means = (vae.encode(to_tensor(batch, vae.device)).latent_dist.mean for batch in batches)
    return np.concatenate([to_pixels(vae.decode(mean).sample) for mean in means])
