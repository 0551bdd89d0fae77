"""Which layer of a model a LoRA's file means.

Files differ in the names: diffusers and PEFT have a layer's path in diffusers; kohya, LyCORIS and civitai
have it with "_" for "."; ComfyUI, and trainers of its, have the paths of the original Stable Diffusion code.
So a layer is found by its path in diffusers, written the second way, whichever the file has.
"""

import re
from collections.abc import Iterable, Mapping

from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from torch import nn
from transformers import CLIPTextModel

from rf_app.errors import UserError
from rf_app.registry.stacked import SECOND

UNET, TEXT_ENCODER = "unet", "text_encoder"
ORIGINAL = re.compile(r"(?:input_blocks|middle_block|output_blocks|time_embed)_[0-9].*|out_[02]")
ORIGINAL_UNET = "model.diffusion_model."
OTHER_MODELS = {  # by how their layers' names begin
    "text_encoder_2_|lora_te2_|text_encoders_clip_g_": "SDXL, which has a second text encoder",
    "text_encoder_3_|lora_te3_|text_encoders_t5": "SD 3 or Flux, which have another text encoder",
    "(lora_|lycoris_)?transformer_|single_transformer_blocks_"
    "|((lora_unet|lycoris|(model_)?diffusion_model|unet)_)?((joint|double|single|(single_)?transformer)_)?blocks_"
    "|(lora_unet|lycoris|(model_)?diffusion_model)_layers_": "a transformer, as SD 3 and Flux have",
}
BEGINNINGS = {
    "lora_unet_": UNET,
    "lycoris_": UNET,
    "diffusion_model_": UNET,
    "model_diffusion_model_": UNET,
    "unet_": UNET,
    "lora_te_": TEXT_ENCODER,
    "lora_te1_": TEXT_ENCODER,
    "text_encoders_clip_l_transformer_": TEXT_ENCODER,
    "text_encoders_clip_h_transformer_": TEXT_ENCODER,  # of Stable Diffusion 2
    "cond_stage_model_transformer_": TEXT_ENCODER,
    "text_encoder_": TEXT_ENCODER,
}


class Names:
    """The layers of a model by what files call them."""

    def __init__(self, unet: UNet2DConditionModel, text_encoder: CLIPTextModel, stems: Iterable[str]):
        """stems: the names in a file, without the ends that tell a layer's tensors apart.

        Raises UserError for one that is of another kind of model.
        """
        self._paths = {UNET: _by_flat_name(unet), TEXT_ENCODER: _by_flat_name(text_encoder)}
        self.modules = {UNET: unet, TEXT_ENCODER: text_encoder}
        self._split = {stem: _split(stem) for stem in stems}
        original = {rest for _, rest in self._split.values() if ORIGINAL.fullmatch(rest)}
        self._original = _original_names(original, unet.config.layers_per_block)

    def part(self, stem: str) -> str:
        """Which part of a model the name says it is of; "" where it does not say so."""
        return BEGINNINGS.get(self._split[stem][0], "")

    def place(self, stem: str) -> tuple[str, str] | None:
        """The part of the model and the path in it that a name means; None for a layer that it has not."""
        rest = self._split[stem][1]
        rest = self._original.get(rest, rest)
        for part in [self.part(stem)] if self.part(stem) else [UNET, TEXT_ENCODER]:
            # to_out is a list in the model; text_model is a level that transformers 5 no longer has; the last
            # layers of two stacked U-Nets are in the second alone.
            levels = rest.removeprefix("text_model_"), f"text_model_{rest}"
            for name in (rest, f"{rest}_0", *levels, f"{SECOND[:-1]}_{rest}"):
                if name in self._paths[part]:
                    return part, self._paths[part][name]
        return None


def check_made_for(stems: Iterable[str]) -> None:
    """Raise UserError for a layer that no model here can have, naming what it was made for."""
    for stem in stems:
        _split(stem)


def _by_flat_name(module: nn.Module) -> dict[str, str]:
    """The paths of layers with weights by the path with "_" for "."."""
    return {
        path.replace(".", "_"): path
        for path, layer in module.named_modules()
        if isinstance(getattr(layer, "weight", None), nn.Parameter)
    }


def _split(stem: str) -> tuple[str, str]:
    """The beginning of a name, and the layer in it."""
    flat = stem.replace(".", "_").removeprefix("base_model_model_").replace("_processor_", "_")
    # Before PEFT diffusers had the U-Net's names for the text encoder's attention, too.
    flat = re.sub(r"_self_attn_to_(q|k|v|out)$", r"_self_attn_\1_proj", flat)
    for beginnings, model in OTHER_MODELS.items():
        if re.match(beginnings, flat):
            raise UserError(f"It was made for {model}; no model here has one. (Layer {stem}.)")
    beginning = next((each for each in BEGINNINGS if flat.startswith(each)), "")
    return beginning, flat.removeprefix(beginning)


def _original_names(flat: Iterable[str], layers_per_block: int | list[int]) -> Mapping[str, str]:
    """What layers of the original code are called in diffusers, by diffusers' own converter; both flat.

    Words of those names are parted by "_" as well, but never beside a number.
    """
    if not isinstance(layers_per_block, int):  # a U-Net that the original code cannot have
        return {}
    found = {
        # It goes through blocks by their number, so all of them have to be there.
        f"{ORIGINAL_UNET}{blocks}.{i}": ""
        for blocks, count in (("input_blocks", 64), ("middle_block", 3), ("output_blocks", 64))
        for i in range(count)
    }
    for name in flat:
        path = re.sub(r"_(?=[0-9])|(?<=[0-9])_", ".", name).replace("ff_net", "ff.net")
        found |= {f"{ORIGINAL_UNET}{path}.weight": name, f"{ORIGINAL_UNET}{path}.bias": ""}
    converted = convert_ldm_unet_checkpoint(found, {"layers_per_block": layers_per_block})
    return {name: path.removesuffix(".weight").replace(".", "_") for path, name in converted.items() if name}
