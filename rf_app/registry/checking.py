"""Is a model folder whole and harmless? Looked up in file names and headers, without loading a weight."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from rf_app.errors import UserError

OWN = ("unet", "scheduler")  # every model folder carries these
BORROWED = ("vae", "text_encoder", "tokenizer")  # these may come from base_model
OPTIONAL = ("safety_checker",)  # as these may, which a model need not have
TINY = "AutoencoderTiny"  # as configs name an autoencoder in TAESD's layout
OF_DIFFUSERS = ("unet", "controlnet", "decoder", "vae")
OF_TRANSFORMERS = ("text_encoder", "text_encoder_2", "safety_checker", "clip")
WEIGHTS = {
    **dict.fromkeys(OF_DIFFUSERS, "diffusion_pytorch_model.safetensors"),
    **dict.fromkeys(OF_TRANSFORMERS, "model.safetensors"),
}
CONFIGS = {
    **dict.fromkeys(WEIGHTS, "config.json"),
    "scheduler": "scheduler_config.json",
    "tokenizer": "tokenizer_config.json",
}
WITH_PICKLES = ("controlnet", "decoder", "safety_checker", "clip")
PICKLES = {".bin", ".ckpt", ".pickle", ".pkl", ".pt", ".pth"}
MAX_JSON_BYTES = 64 * 2**20
NUMBERS = {
    "unet sample_size": (1, 512),  # latents a side
    "sample_size": (1, 4096),
    "in_channels": (1, 64),
    "out_channels": (1, 64),
    "latent_channels": (1, 64),
    "num_train_timesteps": (1, 10_000),
    "steps_offset": (0, 100),
    "solver_order": (1, 3),
    "model_max_length": (1, 1024),
    "max_position_embeddings": (1, 1024),
    "vocab_size": (1, 1_000_000),
    "hidden_size": (1, 8192),
    "intermediate_size": (1, 32_768),
    "num_hidden_layers": (1, 64),
    "projection_dim": (1, 8192),
    "image_size": (1, 1024),
    "patch_size": (4, 64),
}
"""What a whole number of a config may be, by its key: each makes a library take memory, or time, for it."""
LISTS = {
    "block_out_channels": (1, 8192),
    "encoder_block_out_channels": (1, 8192),  # these four are AutoencoderTiny's
    "decoder_block_out_channels": (1, 8192),
    "num_encoder_blocks": (1, 16),
    "num_decoder_blocks": (1, 16),
    "conditioning_embedding_out_channels": (1, 8192),
    "layers_per_block": (1, 16),
    "transformer_layers_per_block": (1, 32),
    "attention_head_dim": (1, 1024),
    "num_attention_heads": (1, 256),
    "cross_attention_dim": (1, 8192),
}
"""Those that may be lists, too, of up to MAX_BLOCKS."""
MAX_BLOCKS = 16
ATTENTION = ("eager", "sdpa")  # others fetch code, or need a library


def check_piece(folder: Path, piece: str | None = None) -> None:
    """Check a piece of a model, such as `pocket-sd/unet`; raises UserError naming the file and the fault.

    piece: what it is, one of CONFIGS, where the folder's name does not say it. A pickle in it is refused, but
    not beside the safetensors file of one of WITH_PICKLES: the Hub has both in one folder, and it is never
    read.
    """
    piece = piece or folder.name
    if not folder.is_dir():
        raise UserError(f"{folder}: this folder is missing.")
    beside = piece in WITH_PICKLES and weights_file(folder, piece).is_file()
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in PICKLES and not beside:
            raise UserError(
                f"{path}: a pickle can run any code when it is read, so only safetensors are accepted: "
                f"convert the file, or remove it if there is a safetensors file beside it."
            )
    check_config(folder, piece)
    if piece in WEIGHTS:
        _check_weights(weights_file(folder, piece))
    if piece == "tokenizer" and not (folder / "tokenizer.json").is_file():
        for name in ("vocab.json", "merges.txt"):
            if not (folder / name).is_file():
                raise UserError(f"{folder / name}: this file is missing (or give tokenizer.json).")


def check_config(folder: Path, piece: str) -> None:
    """Check the config of a piece alone; raises UserError naming the file and the fault."""
    path = folder / CONFIGS[piece]
    config = read_json(path)
    try:
        _check_config(config, piece)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def _check_config(config: dict, piece: str) -> None:
    """Raises UserError for a value that would abort the process, fetch code, or never come to an end."""
    if config.get("quantization_config"):
        raise UserError("its weights are quantized; expected floating-point ones.")
    inner = [pair for value in config.values() if isinstance(value, dict) for pair in value.items()]
    for key, value in [*config.items(), *inner]:  # as of text_config
        bounds = NUMBERS.get(f"{piece} {key}") or NUMBERS.get(key) or LISTS.get(key)
        if value is None:
            continue
        if key in ("_attn_implementation", "attn_implementation") and value not in ATTENTION:
            raise UserError(f"{key} is {value!a:.60}; expected {' or '.join(ATTENTION)}.")
        values = _listed(value, key)
        if bounds and not (
            values and all(type(each) is int and bounds[0] <= each <= bounds[1] for each in values)
        ):
            raise UserError(f"{key} is {value!a:.60}; expected {bounds[0]} to {bounds[1]:,}.")


def _listed(value: Any, key: str) -> list:
    """The value, or those in it where it may be a list, and in that lists of a block's own."""
    if key not in LISTS or not isinstance(value, list) or len(value) > MAX_BLOCKS:
        return [value]
    return [each for inner in value for each in (inner if isinstance(inner, list) else [inner])]


def weights_file(folder: Path, piece: str) -> Path:
    """Where the weights of a piece lie, or should; they may be there in half size only."""
    path = folder / WEIGHTS[piece]
    half = path.with_suffix(".fp16.safetensors")
    return half if half.is_file() and not path.is_file() else path


def no_weights(path: Path, beside: Iterable[str]) -> UserError:
    """Why there are no weights at `path`, told by the names of the files that are beside it."""
    if path.is_symlink():
        return UserError(
            f"{path}: is a link to {path.readlink()}, which is gone. Put that file back, or import it again."
        )
    beside = list(beside)
    if any(".safetensors.index." in name for name in beside):
        return UserError(
            f"{path.parent}: its weights are in shards, which are not read; expected one file {path.name}, "
            'as save_pretrained(folder, max_shard_size="100GB") of diffusers writes it.'
        )
    for ending, what in ((".xml", "OpenVINO's"), (".onnx", "ONNX's")):
        if any(name.endswith(ending) for name in beside):
            return UserError(
                f"{path.parent}: its weights are {what}, which are not read; expected {path.name}."
            )
    if any(Path(name).suffix.lower() in PICKLES for name in beside):
        return UserError(
            f"{path.parent}: has its weights as a pickle only, which can run any code when it is read."
        )
    return UserError(f"{path}: this file is missing.")


def read_json(path: Path, most: int = MAX_JSON_BYTES) -> dict:
    """The JSON object in a file of up to `most` bytes; raises UserError where there is none."""
    try:
        if path.stat().st_size > most:
            raise UserError(f"{path}: larger than the {most // 2**20} MB that are accepted.")
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise UserError(f"{path}: this file is missing.") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None
    except (ValueError, RecursionError) as error:
        if isinstance(error, UserError):
            raise
        raise UserError(f"{path}: not valid JSON ({error}).") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(value).__name__}.")
    return value


def _check_weights(path: Path) -> None:
    if not path.is_file():
        raise no_weights(path, (each.name for each in path.parent.iterdir()))
    try:
        # Opening checks the header, and that it covers the file to its last byte.
        with safe_open(path, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a complete safetensors file ({error}).") from None
