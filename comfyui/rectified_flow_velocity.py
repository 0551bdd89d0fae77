"""A node for ComfyUI: U-Nets that predict rectified flow's velocity, as InstaFlow-0.9B is published.

Put this file into `ComfyUI/custom_nodes`. It goes between UNETLoader, with the U-Net's own safetensors in
`models/diffusion_models`, and KSampler with `euler`, `simple`, cfg 1 and 1 step (2-Rectified Flow: 25 steps,
cfg 1.5); text encoder and autoencoder are those of Stable Diffusion 1.5. What `rf_app export --layout
single-file` writes needs no such node: its last layer has the other sign already.
"""

import comfy.model_sampling
from torch import Tensor


class Velocity(comfy.model_sampling.CONST):
    """x = sigma noise + (1 - sigma) picture; the network gives picture - noise (arXiv 2309.06380)."""

    def calculate_denoised(self, sigma: Tensor, model_output: Tensor, model_input: Tensor) -> Tensor:
        """The picture that the straight path leads to; flow matching elsewhere has the other sign."""
        return super().calculate_denoised(sigma, -model_output, model_input)


class ModelSampling(comfy.model_sampling.ModelSamplingDiscreteFlow, Velocity):
    """The straight path's times, 1000 sigma to the network."""


class RectifiedFlowVelocity:
    """The node."""

    RETURN_TYPES = ("MODEL",)
    FUNCTION = "patch"
    CATEGORY = "advanced/model"

    @classmethod
    def INPUT_TYPES(cls) -> dict[str, dict[str, tuple[str, ...]]]:
        """As ComfyUI asks for them."""
        return {"required": {"model": ("MODEL",)}}

    def patch(self, model: object) -> tuple[object]:
        """The model, sampled along the straight path."""
        patched = model.clone()
        sampling = ModelSampling(model.model.model_config)
        sampling.set_parameters(shift=1.0, multiplier=1000)
        patched.add_object_patch("model_sampling", sampling)
        return (patched,)


NODE_CLASS_MAPPINGS = {"RectifiedFlowVelocity": RectifiedFlowVelocity}
NODE_DISPLAY_NAME_MAPPINGS = {"RectifiedFlowVelocity": "Rectified flow (velocity)"}
