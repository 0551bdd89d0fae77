"""Two U-Nets in series that are called, configured and saved as one: the network of InstaFlow-1.7B.

The paper (arXiv 2309.06380) prunes the blocks that two U-Nets in a row would have twice, and shows no code.
Here the first one ends with the features of its last block, and the second one begins with them: without the
last layers of the first, the first layer of the second, and the layers of the second's first block, which
would go on at the size and the width of the first's last block.

Imports nothing of ours, as an export brings this file along.
"""

from functools import wraps
from typing import Any

from diffusers import UNet2DConditionModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput
from torch import Tensor, nn

SECOND = "second."
"""How the names of the second U-Net's tensors begin; the first's have a U-Net's own."""


class Through(nn.Module):
    """Stands for a resnet or an attention that is pruned: gives back the features."""

    def forward(
        self, features: Tensor, *_: Any, return_dict: bool | None = None, **__: Any
    ) -> Tensor | tuple[Tensor]:
        """The features, in a tuple where an attention is asked."""
        return features if return_dict is None else (features,)


class StackedUNet(UNet2DConditionModel):
    """A U-Net that goes on into a second one of its shape. Both hear the text, the time and ControlNets."""

    @wraps(UNet2DConditionModel.__init__)  # by its signature a config is read
    def __init__(self, *args: Any, **config: Any):
        super().__init__(*args, **config)
        self.second = UNet2DConditionModel(*args, **config)
        self.conv_norm_out, self.conv_out = None, nn.Identity()
        self.second.conv_in = nn.Identity()
        first = self.second.down_blocks[0]
        for layers in (first.resnets, getattr(first, "attentions", ())):
            for i in range(len(layers)):
                layers[i] = Through()

    @classmethod
    def of(cls, unet: UNet2DConditionModel) -> "StackedUNet":
        """Both begin with the weights of `unet`, on its device, in float32."""
        stacked, weights = cls.from_config(unet.config), unet.state_dict()
        stacked.load_state_dict({name: weights[name.removeprefix(SECOND)] for name in stacked.state_dict()})
        return stacked.to(unet.device)

    def forward(
        self,
        sample: Tensor,
        timestep: Tensor | float,
        encoder_hidden_states: Tensor,
        *args: Any,
        return_dict: bool = True,
        **more: Any,
    ) -> UNet2DConditionOutput | tuple[Tensor]:
        """As UNet2DConditionModel's."""
        asked = timestep, encoder_hidden_states, *args
        (features,) = super().forward(sample, *asked, return_dict=False, **more)
        return self.second(features, *asked, return_dict=return_dict, **more)
