"""From a model folder to a stock StableDiffusionPipeline; for one thread at a time, see pipeline/worker.

Every piece is checked first, and the classes are ours to choose, never the folder's: no remote code, no
pickles.
"""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKL,
    AutoencoderTiny,
    ControlNetModel,
    SchedulerMixin,
    StableDiffusionPipeline,
    UNet2DConditionModel,
)
from diffusers.pipelines.stable_diffusion.safety_checker import StableDiffusionSafetyChecker
from safetensors.torch import load_file
from transformers import (
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextModel,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from rf_app.errors import UserError, is_out_of_memory
from rf_app.registry.checking import (
    CONFIGS,
    OF_TRANSFORMERS,
    OPTIONAL,
    TINY,
    WEIGHTS,
    check_piece,
    read_json,
    weights_file,
)
from rf_app.registry.disk import Files, files_of
from rf_app.registry.precision import unet_dtype
from rf_app.registry.recognition import PREDICTION, own_flow
from rf_app.registry.stacked import StackedUNet
from rf_app.schedulers.solvers import fresh, own_class, solvers

CLASSES = {
    "unet": UNet2DConditionModel,
    "vae": AutoencoderKL,
    "text_encoder": CLIPTextModel,
    "text_encoder_2": CLIPTextModelWithProjection,
    "controlnet": ControlNetModel,
    "safety_checker": StableDiffusionSafetyChecker,
    "clip": CLIPModel,
}
OTHER_CLASSES = {("vae", TINY): AutoencoderTiny, ("unet", StackedUNet.__name__): StackedUNet}
"""Of pieces whose configs name them."""
ALGORITHMS = ("dpmsolver++", "sde-dpmsolver++")  # that `DPMSolverMultistepScheduler` goes to the end with
SMALL = 8  # latents a side, of the picture that a check draws
TITLES = {  # of the pieces with weights
    "unet": "U-Net",
    "vae": "autoencoder",
    "text_encoder": "text encoder",
    "safety_checker": "safety checker",
}


def load(
    pieces: Mapping[str, Path],
    kind: str,
    device: str | torch.device = "cpu",
    dtype: torch.dtype = torch.float32,
    shared: MutableMapping[Files, Any] | None = None,
    safety_checker: bool = False,
) -> StableDiffusionPipeline:
    """A model's piece folders as a pipeline in evaluation mode.

    kind: the card's. dtype: of all pieces but the U-Net where it needs a finer one, see `unet_dtype`. shared:
    pieces other pipelines have loaded already (same device); used, and added to. safety_checker: with the
    model's own, where it brings one. Raises UserError naming the file that is missing, broken, or does not
    fit the others.
    """
    shared = {} if shared is None else shared
    modules: dict[str, Any] = {}
    scheduler = load_scheduler(pieces["scheduler"], own_class(kind))
    types = {"unet": unet_dtype(dtype, scheduler)}
    optional = [name for name in OPTIONAL if safety_checker and name in pieces]
    for name in ("unet", "vae", "text_encoder", "tokenizer", *optional):
        check_piece(pieces[name])
        key = files_of(pieces[name])
        if key not in shared or (name == "unet" and shared[key].dtype != types[name]):
            shared[key] = modules[name] = load_piece(pieces[name], types.get(name, dtype))
        modules[name] = shared[key]
    check_fit(pieces, modules)
    checker = modules.setdefault("safety_checker", None)
    try:
        pipeline = StableDiffusionPipeline(
            **modules,
            scheduler=scheduler,
            feature_extractor=feature_extractor(checker.config.vision_config.image_size) if checker else None,
            requires_safety_checker=False,
        )
    except Exception as error:  # of anybody's configs: it may raise anything
        raise UserError(f"{pieces['unet'].parent}: no pipeline ({_first_line(error)}).") from None
    pipeline.set_progress_bar_config(disable=True)
    if torch.device(device).type == "cpu":  # they are there, and the stock method warns of float16
        return pipeline
    return pipeline.to(device)


def check_fit(pieces: Mapping[str, Path], modules: Mapping[str, Any], number: str = "") -> None:
    """Raise UserError for loaded pieces that do not belong together.

    number: what the names of its text encoder and tokenizer end in.
    """
    reader, words = f"text_encoder{number}", f"tokenizer{number}"
    unet, vae, text = (modules[name].config for name in ("unet", "vae", reader))
    _same(pieces, "unet", "in_channels", unet.in_channels, "vae", vae.latent_channels)
    _same(pieces, "unet", "cross_attention_dim", unet.cross_attention_dim, reader, text.hidden_size)
    _same(pieces, words, "length", len(modules[words]), reader, text.vocab_size)
    length, places = modules[words].model_max_length, text.max_position_embeddings
    if length > places:
        raise UserError(
            f"{pieces[words]}: model_max_length is {length}; expected up to {places}, the places that "
            f"{pieces[reader]} has."
        )


def feature_extractor(side: int) -> CLIPImageProcessor:
    """How CLIP, and so every safety checker, sees pictures; side: pixels that it takes."""
    return CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})


def check_loads(folder: Path, pieces: Mapping[str, Path], kind: str) -> None:
    """Raise UserError for a model in `folder` that `load` refuses, or that cannot draw a small picture, or
    whose own weights are not finite.
    """
    pipeline = load(pieces, kind, safety_checker=True)
    for piece, title in TITLES.items():
        if piece in pieces and pieces[piece].parent == folder:
            _check_finite(getattr(pipeline, piece), f"{folder.name}: the {title}")
    side = SMALL * pipeline.vae_scale_factor
    try:
        drawn = pipeline(
            "a lake",
            height=side,
            width=side,
            guidance_scale=1.0,
            num_inference_steps=pipeline.scheduler.config.get("num_time_windows", 1),
            output_type="latent",
        ).images
        drawn = pipeline.vae.decode(drawn / pipeline.vae.config.scaling_factor, return_dict=False)[0]
        pixels = drawn.nan_to_num().clamp(0, 1).permute(0, 2, 3, 1).numpy()
        pipeline.run_safety_checker(pixels, pipeline.device, pipeline.dtype)  # where it has one
    except Exception as error:  # of anybody's files: it may raise anything
        raise UserError(f"{folder.name} cannot draw: {type(error).__name__} {_first_line(error)}") from None
    if not torch.isfinite(drawn).all():
        raise UserError(f"{folder.name} cannot draw: its picture holds values that are not finite.")


def check_controlnet(folder: Path) -> None:
    """Raise UserError for a ControlNet that cannot be loaded, or whose weights are not finite."""
    check_piece(folder, "controlnet")
    _check_finite(load_piece(folder, torch.float32, "controlnet"), f"{folder.name}: the ControlNet")


def load_decoder(folder: Path, dtype: torch.dtype) -> AutoencoderTiny:
    """A tiny decoder in evaluation mode, on the CPU, without the encoder that may lie beside it.

    Raises UserError for one that is not whole, or whose weights do not fit its config.
    """
    check_piece(folder, "decoder")
    weights = weights_file(folder, "decoder")
    with _fitting(weights):
        with torch.device("meta"):
            made = AutoencoderTiny.from_config(read_json(folder / CONFIGS["decoder"]))
        made.encoder = None
        found = {name: each.to(dtype) for name, each in load_file(weights).items()}
        own = {name: each for name, each in found.items() if name.startswith("decoder.")}
        made.load_state_dict(own, assign=True)
    _hold(made, weights)
    return made.eval().requires_grad_(False)


def check_decoder(folder: Path) -> None:
    """Raise UserError for a tiny decoder that cannot be loaded, or whose weights are not finite."""
    _check_finite(load_decoder(folder, torch.float32), f"{folder.name}: the decoder")


def _check_finite(module: torch.nn.Module, called: str) -> None:
    for name, weight in module.state_dict().items():
        low, high = weight.aminmax()  # one pass, and not a number where there is one
        if not (torch.isfinite(low) and torch.isfinite(high)):
            raise UserError(f"{called}'s {name} holds values that are not finite.")


def as_kind(own: SchedulerMixin, kind: str) -> SchedulerMixin:
    """The scheduler of a kind of model with the noise schedule of another one."""
    return fresh(own, kind, solvers(kind)[0])


def load_scheduler(folder: Path, cls: type[SchedulerMixin]) -> SchedulerMixin:
    """A scheduler of that class with the folder's noise schedule."""
    check_piece(folder)
    config = read_json(folder / CONFIGS["scheduler"])
    if config.get("algorithm_type") not in ALGORITHMS:  # another solver's, such as "deis"
        config.pop("algorithm_type", None)
    try:
        return cls.from_config(own_flow(config) if PREDICTION in config else config)
    except Exception as error:  # of anybody's config: it may raise anything
        raise UserError(f"{folder / 'scheduler_config.json'}: {error}") from None


def model_class(piece: str, config: Mapping[str, Any]) -> Any:
    """The class of a piece with weights, by its config."""
    return OTHER_CLASSES.get((piece, str(config.get("_class_name"))), CLASSES[piece])


def load_piece(folder: Path, dtype: torch.dtype, piece: str | None = None) -> Any:
    """A checked piece in evaluation mode, on the CPU; piece: as for `check_piece`."""
    piece = piece or folder.name
    if piece == "tokenizer":
        try:
            return CLIPTokenizer.from_pretrained(folder, local_files_only=True)
        except Exception as error:  # the Rust tokenizer raises bare Exceptions
            raise UserError(f"{folder}: not a CLIP tokenizer ({_first_line(error)}).") from None
    weights = weights_file(folder, piece)
    options = {
        "local_files_only": True,
        "use_safetensors": True,
        "output_loading_info": True,
        "dtype": dtype,
        "variant": None if weights.name == WEIGHTS[piece] else "fp16",
    }
    own = {"ignore_mismatched_sizes": True} if piece in OF_TRANSFORMERS else {}
    with _fitting(weights):
        cls = model_class(piece, read_json(folder / CONFIGS[piece]))
        model, info = cls.from_pretrained(folder, **own, **options)
    if info["mismatched_keys"]:
        name, found, expected = sorted(info["mismatched_keys"])[0]
        raise UserError(
            f"{weights}: {name} has shape {tuple(found)}, but config.json says {tuple(expected)}."
        )
    if info["missing_keys"]:
        raise UserError(
            f"{weights}: {sorted(info['missing_keys'])[0]} is missing, which config.json asks for."
        )
    _hold(model, weights)
    return model.eval().requires_grad_(False)


def _hold(model: torch.nn.Module, weights: Path) -> None:
    """Have in memory what lies elsewhere: cut short there, a file that is mapped would end this process."""
    if weights.is_symlink():
        for tensor in (*model.parameters(), *model.buffers()):
            tensor.data = tensor.data.clone()


@contextmanager
def _fitting(weights: Path) -> Iterator[None]:
    try:
        yield
    except Exception as error:  # of anybody's files: it may raise anything
        if is_out_of_memory(error):
            raise
        config = weights.with_name("config.json")
        raise UserError(f"{weights}: does not fit {config} ({_first_line(error)}).") from None


def _first_line(error: Exception) -> str:
    """The library's own words, without its advice for programmers."""
    if not str(error):
        return type(error).__name__
    return str(error).split(". If you want", 1)[0].strip().splitlines()[0][:300]


def _same(pieces: dict[str, Path], one: str, field: str, value: int, other: str, expected: int) -> None:
    if value != expected:
        raise UserError(
            f"{pieces[one]}: {field} is {value}, but {pieces[other]} has {expected}: "
            f"these pieces do not belong together."
        )
