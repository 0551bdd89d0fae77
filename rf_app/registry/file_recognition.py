"""What a single safetensors file holds, told by the names and shapes of its tensors.

What we have no use for is refused by name, before anything is copied.
"""

import re
from collections.abc import Mapping

from rf_app.errors import UserError

MODEL, CONTROLNET, LORA, DECODER = "model", "controlnet", "lora", "decoder"
ODD_CHANNELS = {
    9: "an inpainting model",
    8: "a model that edits pictures",
    7: "an upscaler",
    5: "a model that follows a depth map",
}
FILES = {
    r"conditioner\.embedders\.1\.": "a Stable Diffusion XL model",
    r"(model\.diffusion_model\.)?joint_blocks\.": "a Stable Diffusion 3 model",
    r"(model\.diffusion_model\.)?double_blocks\.": "a Flux model",
    r"(lora_te2_|lora_te3_|text_encoder_2\.)": "a LoRA for Stable Diffusion XL, 3 or Flux",
    r"(adapter\.)?body\.\d+\.(block1|block2|in_conv|resnets)|adapter\.": "a T2I adapter",
    r"(ip_adapter|image_proj)\.": "an IP-Adapter",
    r".*motion_modules\.": "a motion module of AnimateDiff",
    r"(emb_params|clip_[lg]|string_to_param\.\*)$": "a textual inversion",
    r".*time_embed(ding)?\.cond_proj\.weight": "a consistency model that is told its guidance, which is "
    "read from a folder alone, as SimianLuo/LCM_Dreamshaper_v7",
    r"difference$": "a ControlNet as differences to a model's weights, which are not read",
    r"lora_controlnet$": "a Control-LoRA, which is no LoRA but a part of a ControlNet",
    r"lllite_": "a ControlNet-LLLite",
    r"(control_model\.|input_hint_block\.|controlnet_cond_embedding\.)": CONTROLNET,
    r".*(lora_|lora\.|hada_|lokr_|lycoris_|oft_|ia3_|vera_|\.diff$)": LORA,
    r"((model\.diffusion_model\.)?input_blocks\.0\.0\.|conv_in\.)weight": MODEL,
    r"decoder\.layers\.\d|1\.weight": DECODER,  # diffusers' names of a tiny one, and TAESD's own
    r"0\.weight|encoder\.layers\.\d": "the encoder of a tiny autoencoder, which nothing here uses",
    r"(first_stage_model\.|encoder\.conv_in\.|decoder\.conv_in\.)": "an autoencoder by itself",
    r"(cond_stage_model\.|conditioner\.embedders\.0\.|text_model\.)": "a text encoder by itself",
}
"""What a file is whose tensors have such a name; the first that fits counts."""
NAMES = {MODEL: "a model", CONTROLNET: "a ControlNet", LORA: "a LoRA", DECODER: "a tiny decoder"}
BASE = "for Stable Diffusion 1.x or 2.x"
WIDTHS = {1280: "the Stable Diffusion XL refiner", 2048: "Stable Diffusion XL"}
LISTENING = re.compile(r".*attn2[._]to_k[._]weight")  # where a U-Net takes the text in
ENTRY = re.compile(r"(model\.diffusion_model\.)?input_blocks\.0\.0\.weight|conv_in\.weight")
EXIT = re.compile(r"(model\.diffusion_model\.)?out\.2\.weight|conv_out\.weight")


def recognize_file(name: str, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """What a safetensors file holds: MODEL, CONTROLNET, LORA or DECODER. name: what it is called.

    shapes: of its tensors, by their names. Raises UserError for anything else, naming it.
    """
    what = next(
        (what for pattern, what in FILES.items() if any(re.match(pattern, each) for each in shapes)), ""
    )
    if what not in NAMES:
        found = what or "nothing that is known here"
        raise UserError(
            f"{name}: is {found}; expected a model, a LoRA, a ControlNet or a tiny decoder {BASE}."
        )
    width = next((shape[-1] for each, shape in shapes.items() if LISTENING.fullmatch(each) and shape), 0)
    enter, leave = (
        next((shape for each, shape in shapes.items() if name.fullmatch(each)), ()) for name in (ENTRY, EXIT)
    )
    if width in WIDTHS:
        raise other_base(name, what, width)
    if what == MODEL and enter[1:] and leave and enter[1] != leave[0]:
        kind = ODD_CHANNELS.get(enter[1], "no text-to-image model")
        takes = f"its U-Net takes {enter[1]} channels and gives {leave[0]}"
        raise UserError(f"{name}: is {kind}: {takes}; expected {NAMES[what]} {BASE}.")
    return what


def other_base(name: str, what: str, width: int) -> UserError:
    """What is said of a file for a base that takes texts so wide, one of WIDTHS."""
    return UserError(
        f"{name}: is for {WIDTHS[width]}: it takes texts {width} wide; expected {NAMES[what]} {BASE}."
    )


def check_file(name: str, shapes: Mapping[str, tuple[int, ...]], wanted: str) -> None:
    """Raise UserError for a file that `recognize_file` does not take for what is wanted."""
    found = recognize_file(name, shapes)
    if found != wanted:
        raise UserError(f"{name}: is {NAMES[found]}; expected {NAMES[wanted]} {BASE}.")
