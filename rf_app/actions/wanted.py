"""Which files of something on the Hub are needed, told by their names."""

from collections.abc import Collection, Mapping
from pathlib import Path

from rf_app.errors import UserError
from rf_app.plugins.checkpoint import weights_names
from rf_app.registry.checking import BORROWED, CONFIGS, OPTIONAL, OWN, WEIGHTS, no_weights
from rf_app.registry.recognition import INDEX, LORA_WEIGHTS, PEFT_CONFIG, PEFT_WEIGHTS

TOKENIZER = (
    *("tokenizer_config.json", "tokenizer.json", "vocab.json", "merges.txt"),
    *("special_tokens_map.json", "added_tokens.json"),
)
EXTRAS = ("README.md", "vocabulary.json")
MAX_LISTED = 8


def file_names(piece: str) -> tuple[str, ...]:
    """The files of a piece that are no weights."""
    return TOKENIZER if piece == "tokenizer" else (CONFIGS[piece],)


def wanted(sizes: Mapping[str, int], file: str = "") -> dict[str, int]:
    """Of the files of something on the Hub, with sizes, those to fetch: weights last, of half size if any.

    file: the one that is meant. Raises UserError where there is nothing that can be used, and for a piece
    whose weights are not one safetensors file.
    """
    chosen = [name for name in (*EXTRAS, INDEX) if name in sizes]
    if file or not any(name.startswith("unet/") for name in sizes):
        chosen = [*chosen[:1], *_one_piece(sizes, file)]
    else:
        for piece in (*OWN, *BORROWED, *OPTIONAL):
            names = file_names(piece)
            if piece in WEIGHTS:
                beside = [name.removeprefix(f"{piece}/") for name in sizes if name.startswith(f"{piece}/")]
                if piece in OPTIONAL and not any(name.endswith(".safetensors") for name in beside):
                    continue
                names = (*names, *_weights(piece, beside))
            chosen += [f"{piece}/{name}" for name in names if f"{piece}/{name}" in sizes]
    return {name: sizes[name] for name in sorted(chosen, key=lambda name: name.endswith(".safetensors"))}


def is_piece(names: Collection[str]) -> bool:
    """Whether the files of these names are one piece in diffusers' layout, as a ControlNet is."""
    begun = any(name.startswith("diffusion_pytorch_model") for name in names)
    return CONFIGS["controlnet"] in names and begun and not any(name.startswith("unet/") for name in names)


def _weights(piece: str, beside: Collection[str]) -> list[str]:
    """The name of a piece's weights among its files, if there are any files."""
    half, whole = weights_names(piece)
    name = half if half in beside else whole
    if beside and name not in beside:
        raise no_weights(Path(piece, name), beside)
    return [name] if beside else []


def _one_piece(sizes: Mapping[str, int], file: str) -> list[str]:
    """A file that is meant, a ControlNet, or the one safetensors file that there is."""
    files = [name for name in sizes if name.endswith(".safetensors")]
    top = [name for name in sizes if "/" not in name]
    if file:
        if file not in files:
            raise UserError(f"There is no {file} there; there are {_listed(files)}.")
        return [file]
    if is_piece(sizes):
        return [CONFIGS["controlnet"], *_weights("controlnet", top)]
    if LORA_WEIGHTS in files:
        return [LORA_WEIGHTS]
    if len(files) != 1:
        raise UserError(
            "It is no diffusers model: it has no folder unet/. To import one of its files, give "
            f"OWNER/NAME/FILE; there are {_listed(files)}."
        )
    return [*[PEFT_CONFIG] * (files == [PEFT_WEIGHTS] and PEFT_CONFIG in sizes), *files]


def _listed(files: list[str]) -> str:
    shown = ", ".join(files[:MAX_LISTED]) or "no safetensors files"
    return f"{shown} and {len(files) - MAX_LISTED} more" if len(files) > MAX_LISTED else shown
