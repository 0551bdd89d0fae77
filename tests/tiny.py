"""A registry of tiny real models with random weights: every code path of the bundled ones, in a second.

tiny-sd (diffusion, complete), tiny-2rf (rectified-flow, `unet/` and `scheduler/` only, the rest from
tiny-sd), tiny-instaflow (one-step, likewise, from tiny-2rf). 96x96 pictures, latents [8, 12, 12], prompts of
32 tokens. Beside them the ControlNets tiny-canny and tiny-depth, for all three.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    ControlNetModel,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import save_file
from tokenizers.pre_tokenizers import ByteLevel
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPProcessor,
    CLIPTextConfig,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from rf_app.registry import loading
from rf_app.registry.card import ModelCard, write_card
from rf_app.registry.controlnets import ControlNetCard
from rf_app.registry.models import Registry
from rf_app.registry.translations import FLOW, ONE_STEP, TranslationCard, Translations
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler

SIZE = 96  # pixels a side of the pictures
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear"}  # Stable Diffusion's
WIDTHS = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 4}
WORDS = ["a", "photograph", "of", "mountain", "lake", "near", "at", "sunset", "red", "tent"]
TOPICS = {"land": ["mountain"], "water": ["lake"], "time": ["sunset"], "object": ["red tent"]}


def tiny_unet(seed: int, **more: Any) -> UNet2DConditionModel:
    """A U-Net of SD 1.5's layout for latents [8, 12, 12] and text of width 32; more: of its config."""
    torch.manual_seed(seed)
    return UNet2DConditionModel(
        sample_size=12,
        in_channels=8,
        out_channels=8,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        cross_attention_dim=32,
        attention_head_dim=4,
        **more,
    )


def in_shards(path: Path) -> None:
    """Save the U-Net whose weights are at `path` as one that is larger than max_shard_size."""
    model = UNet2DConditionModel.from_pretrained(path.parent)
    path.unlink()
    model.save_pretrained(path.parent, max_shard_size="200KB")
    assert path.with_name(f"{path.name}.index.json").is_file()


def tiny_vae() -> AutoencoderKL:
    """An autoencoder with factor 8 and 8 latent channels."""
    torch.manual_seed(1)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(8,) * 4,
        norm_num_groups=4,
        latent_channels=8,
        sample_size=SIZE,
        scaling_factor=0.5,
        mid_block_add_attention=False,
    )


def tiny_tokenizer() -> CLIPTokenizer:
    """Byte by byte, so any Unicode text has tokens."""
    bytes_ = sorted(ByteLevel.alphabet())
    tokens = [*bytes_, *(byte + "</w>" for byte in bytes_), "<|startoftext|>", "<|endoftext|>"]
    return CLIPTokenizer({token: i for i, token in enumerate(tokens)}, [], model_max_length=32)


def tiny_text_encoder(tokenizer: CLIPTokenizer, cls: type[CLIPTextModel] = CLIPTextModel) -> CLIPTextModel:
    """One layer of width 32, and a projection of that width for the class that has one."""
    torch.manual_seed(2)
    return cls(CLIPTextConfig(**_text_config(len(tokenizer)), projection_dim=32))


def _text_config(vocabulary: int) -> dict[str, int]:
    shape = WIDTHS | {"num_hidden_layers": 1, "max_position_embeddings": 32, "vocab_size": vocabulary}
    ends = {"bos_token_id": vocabulary - 2, "eos_token_id": vocabulary - 1, "pad_token_id": vocabulary - 1}
    return shape | ends


def tiny_clip_config(vocabulary: int = 514) -> CLIPConfig:
    """One layer of width 32 each, pictures of 32x32."""
    sees = WIDTHS | {"num_hidden_layers": 1, "image_size": 32, "patch_size": 16}
    return CLIPConfig(text_config=_text_config(vocabulary), vision_config=sees, projection_dim=16)


def save_tiny_clip(folder: Path) -> None:
    """Save a CLIPModel into `folder` with its tokenizer and image processor, as a snapshot of the Hub is."""
    torch.manual_seed(6)
    tokenizer = tiny_tokenizer()
    CLIPModel(tiny_clip_config(len(tokenizer))).save_pretrained(folder)
    size = {"size": {"shortest_edge": 32}, "crop_size": {"height": 32, "width": 32}}
    CLIPProcessor(CLIPImageProcessor(**size), tokenizer).save_pretrained(folder)


def save_tiny_safety_checker(folder: Path, threshold: float) -> None:
    """Save a safety checker under the names of the published one; a picture may have cosines up to threshold
    (1: every picture passes; -1: none does).
    """
    torch.manual_seed(7)
    checker = StableDiffusionSafetyChecker(tiny_clip_config())
    torch.nn.init.normal_(checker.concept_embeds)
    torch.nn.init.constant_(checker.concept_embeds_weights, threshold)
    torch.nn.init.constant_(checker.special_care_embeds_weights, 1)
    checker.save_pretrained(folder)
    state = {
        name.replace("vision_model.", "vision_model.vision_model.", 1): value.contiguous()
        for name, value in checker.state_dict().items()
    }
    save_file(state, folder / "model.safetensors", {"format": "pt"})


def save_tiny_refiner(folder: Path, variant: str | None = None) -> None:
    """Save a refiner laid out as Stable Diffusion XL's; variant: "fp16" for half size alone."""
    tokenizer = tiny_tokenizer()
    times = {"addition_embed_type": "text_time", "addition_time_embed_dim": 8}
    pipeline = StableDiffusionXLImg2ImgPipeline(
        vae=tiny_vae(),
        text_encoder=None,
        text_encoder_2=tiny_text_encoder(tokenizer, CLIPTextModelWithProjection),
        tokenizer=None,
        tokenizer_2=tokenizer,
        unet=tiny_unet(8, projection_class_embeddings_input_dim=32 + 5 * 8, **times),
        scheduler=EulerDiscreteScheduler(**BETAS, steps_offset=1),
        requires_aesthetics_score=True,
        force_zeros_for_empty_prompt=False,
    )
    pipeline.to(dtype=torch.float16 if variant else torch.float32).save_pretrained(folder, variant=variant)


def tiny_card(id: str, kind: str, steps: int, guidance: float, base_model: str | None = None) -> ModelCard:
    """A card of a tiny model."""
    return ModelCard(
        id=id,
        title=id.replace("-", " ").title(),
        kind=kind,
        description="Random weights for the tests.",
        resolution=SIZE,
        steps=steps,
        guidance=guidance,
        license="apache-2.0",
        base_model=base_model,
        lineage=(base_model,) if base_model else (),
    )


def load(registry: Registry, id: str, **options: Any) -> StableDiffusionPipeline:
    """A registry's model as a pipeline; options: as for `rf_app.registry.loading.load`."""
    return loading.load(registry.pieces(id), registry.card(id).kind, **options)


def tiny_flow(seed: int) -> Callable[[Path], None]:
    """What `Registry.publish` needs to make a rectified flow of tiny-sd's shape, without what it borrows."""

    def build(target: Path) -> None:
        tiny_unet(seed).save_pretrained(target / "unet")
        RectifiedFlowScheduler().save_pretrained(target / "scheduler")

    return build


def tiny_controlnet(seed: int) -> ControlNetModel:
    """A ControlNet for the tiny models that a map of 96x96 moves visibly, where a fresh one does nothing."""
    net = ControlNetModel.from_unet(tiny_unet(3), conditioning_embedding_out_channels=(8, 8, 8, 8))
    torch.manual_seed(seed)
    inner = [*net.controlnet_down_blocks, net.controlnet_mid_block]
    for layer in [*inner, net.controlnet_cond_embedding.conv_out]:
        torch.nn.init.normal_(layer.weight, std=0.2)
    return net


def publish_translation(translations: Translations) -> None:
    """Publish day-to-night for tiny-sd, whose flow says nothing: it leaves pictures as they are."""

    def build(folder: Path) -> None:
        tiny_unet(6).save_pretrained(folder / ONE_STEP)
        still = tiny_unet(7)
        for last in still.conv_out.parameters():
            torch.nn.init.zeros_(last)
        still.save_pretrained(folder / FLOW)

    card = TranslationCard("day-to-night", "Day to night", source="day", target="night", base_model="tiny-sd")
    translations.publish("day-to-night", build, card)


def build_tiny_controlnets(folder: Path) -> None:
    """Save the two tiny ControlNets into `folder`."""
    for seed, preprocessor in enumerate(("canny", "depth")):
        id, about = f"tiny-{preprocessor}", (f"Tiny {preprocessor}", "Random weights.")
        tiny_controlnet(seed).save_pretrained(folder / id)
        card = ControlNetCard(id, *about, preprocessor=preprocessor, base_model="tiny-sd")
        write_card(folder / id, card)


def build_tiny(folder: Path) -> Registry:
    """Publish the three tiny models into `folder`, ControlNets beside it, and return its registry."""
    build_tiny_controlnets(folder.parent / "controlnets")
    registry = Registry([folder])
    tokenizer = tiny_tokenizer()

    def diffusion(target: Path) -> None:
        tiny_unet(3).save_pretrained(target / "unet")
        tiny_vae().save_pretrained(target / "vae")
        tiny_text_encoder(tokenizer).save_pretrained(target / "text_encoder")
        tokenizer.save_pretrained(target / "tokenizer")
        DPMSolverMultistepScheduler(**BETAS, steps_offset=1).save_pretrained(target / "scheduler")
        (target / "vocabulary.json").write_text(json.dumps({"topics": TOPICS, "words": WORDS}))

    registry.publish("tiny-sd", diffusion, tiny_card("tiny-sd", "diffusion", 4, 3.0))
    registry.publish("tiny-2rf", tiny_flow(4), tiny_card("tiny-2rf", "rectified-flow", 4, 1.5, "tiny-sd"))
    registry.publish(
        "tiny-instaflow", tiny_flow(5), tiny_card("tiny-instaflow", "one-step", 1, 1.0, "tiny-2rf")
    )
    return registry
