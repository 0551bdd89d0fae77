"""An unconditional flow of pictures along any of the papers' paths: its network, and what it learns.

Rectified flow learns the velocity X1 - X0 itself (arXiv 2209.03003, equation 1). On the bent paths of VP and
sub-VP the velocity has no bound at tau = 1, so there a network learns both ends of a pair, E[X0 | X_tau] and
E[X1 | X_tau], and the velocity is alpha' E[X1 | X_tau] + beta' E[X0 | X_tau], as in the flow lab.
"""

import torch
from diffusers import UNet2DModel
from torch import Tensor, nn
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from rf_app.flow.affine_path import PATHS, AffinePath
from rf_app.flow.path import Tau, as_tensor, timestep

PATCH = 2  # a side of what the network takes as one place: on processors few wide places are quickest
WIDTHS = (96, 160)
NEARLY_DATA = 1 - 1e-3  # where VP and sub-VP are solved to (as the code of arXiv 2011.13456 does)


class Flow(nn.Module):
    """A U-Net of samples [B, C, H, W]; H and W divisible by 4."""

    def __init__(self, shape: tuple[int, int, int], path: AffinePath) -> None:
        """shape: C, H, W."""
        super().__init__()
        channels, side = shape[0] * PATCH**2, shape[1] // PATCH
        self.path, self.straight = path, path is PATHS["Rectified flow"]
        self.network = UNet2DModel(
            sample_size=side,
            in_channels=channels,
            out_channels=channels * (1 if self.straight else 2),
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            block_out_channels=WIDTHS,
            layers_per_block=1,
            attention_head_dim=32,
        )
        self.enable_gradient_checkpointing = self.network.enable_gradient_checkpointing

    @property
    def end(self) -> float:
        """The tau that it is solved to."""
        return 1.0 if self.straight else NEARLY_DATA

    def forward(self, x: Tensor, tau: Tau) -> Tensor:
        """Of X_tau = x what `target` says: the velocity [B, C, H, W], or both ends [B, 2 C, H, W]."""
        patches = pixel_unshuffle(x, PATCH).contiguous(memory_format=torch.channels_last)
        said = self.network(patches, timestep(as_tensor(tau, x)), return_dict=False)[0]
        return pixel_shuffle(said.float(), PATCH)

    def target(self, x0: Tensor, x1: Tensor) -> Tensor:
        """What `forward` should say between x0 and x1 [B, C, H, W], at any tau."""
        return x1 - x0 if self.straight else torch.cat([x0, x1], 1)

    def velocity(self, x: Tensor, tau: Tau) -> Tensor:
        """The velocity [B, C, H, W] at X_tau = x: a `rf_app.flow.velocity.Velocity`."""
        said = self(x, tau)
        return said if self.straight else self.path.velocity(*said.chunk(2, 1), tau)

    def one_step(self, x0: Tensor, said: Tensor) -> Tensor:
        """The data that `said`, what `forward` says of the noise x0 at tau = 0, promises: E[X1 | X0 = x0].

        What distillation fits to the flow's own end; on the straight path it is Euler's step.
        """
        return x0 + said if self.straight else said.chunk(2, 1)[1]
