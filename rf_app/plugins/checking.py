"""Is a file of weights from anyone what it says? Judged by its header, as bytes, before torch sees it.

A safetensors file is the header's length (8 bytes, little endian), the header (a JSON object of tensor names
with dtype, shape and place) and the data. What passes here, the safetensors library reads.
"""

import json
import re
from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import Any, BinaryIO

from rf_app.errors import UserError

MAX_HEADER_BYTES = 4 * 2**20
MAX_TENSORS = 5000
MAX_DIMENSIONS = 4
ITEM_BYTES = {
    **{"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1},
    **{"I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1},
}
# At its end a textual inversion may have a star.
NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*(\.\*)?")
MAX_NAME = 256
OTHER_FILES = (  # by how they begin
    (b"PK\x03\x04", "a zip archive, as PyTorch's .pt, .pth, .ckpt and .bin files are"),
    (b"\x80\x02", "a pickle"),
    (b"\x80\x03", "a pickle"),
    (b"\x80\x04", "a pickle"),
    (b"\x80\x05", "a pickle"),
    (b"GGUF", "a GGUF file"),
)
PICKLE_ADVICE = "such a file can run any code when it is read, so only safetensors are accepted"


@dataclass(frozen=True)
class TensorInfo:
    """A tensor as the header has it; dtype: one of ITEM_BYTES."""

    dtype: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Header:
    """The tensors by name, in the order of the header, and what the file says of itself."""

    tensors: dict[str, TensorInfo]
    metadata: dict[str, str]


def read_header(file: BinaryIO, size: int) -> Header:
    """The header of a safetensors file of `size` bytes, read from its start; the data is not read.

    Raises UserError with the reason where the file is anything but sound: each tensor of a known type, with
    at most 4 dimensions, and all of them without holes to the last byte of the file.
    """
    first = file.read(min(9, size))
    for beginning, kind in OTHER_FILES:
        # A header of 640 bytes begins as a pickle does.
        if first.startswith(beginning) and first[8:] != b"{":
            advice = "" if kind.startswith("a GGUF") else f": {PICKLE_ADVICE}"
            raise UserError(f"This is {kind}, not safetensors{advice}.")
    length = int.from_bytes(first[:8], "little")
    if len(first) < 9 or not 2 <= length <= size - 8:
        raise UserError("This is not a safetensors file, or only a part of one.")
    if length > MAX_HEADER_BYTES:
        raise UserError(
            f"The header has {length:,} bytes; at most {MAX_HEADER_BYTES:,} are accepted, which is plenty."
        )
    header = _parsed(first[8:] + file.read(length - 1))
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(
        _is_text(text) for pair in metadata.items() for text in pair
    ):
        raise UserError("The header's __metadata__ is not an object of texts.")
    if not 1 <= len(header) <= MAX_TENSORS:
        raise UserError(f"The file has {len(header):,} tensors; 1 to {MAX_TENSORS:,} are accepted.")
    spans: list[tuple[int, int, str]] = []
    tensors = {}
    for name, entry in header.items():
        _check_name(name)  # before a message has it
        tensors[name], span = _tensor(name, entry)
        spans.append((*span, name))
    end = 0
    for begin, after, name in sorted(spans):
        if begin != end:
            fault = "overlaps the tensor before it" if begin < end else "leaves a hole before it"
            raise UserError(f"The data of tensor {name} {fault}.")
        end = after
    if end != size - 8 - length:
        raise UserError(
            f"The tensors take {end:,} bytes, but {size - 8 - length:,} follow the header: "
            "the file is cut short, or something is hidden at its end."
        )
    return Header(tensors, metadata)


def _parsed(raw: bytes) -> dict[str, Any]:
    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            ((twice, _),) = Counter(name for name, _ in pairs).most_common(1)
            raise UserError(f"The header names {twice!r:.80} twice.")
        return found

    def whole(text: str) -> int:
        if not text.isascii() or not text.isdigit() or len(text) > 15:
            raise UserError(f"The header has the number {text:.40}, which no shape or place can have.")
        return int(text)

    try:
        # Spaces may follow the object, nothing may precede it.
        if raw[:1] != b"{":
            raise ValueError
        return json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=unique,
            parse_int=whole,
            parse_float=whole,
            parse_constant=whole,
        )
    except UserError:
        raise
    except (ValueError, RecursionError):
        raise UserError("The header is not a JSON object in UTF-8.") from None


def _is_text(value: Any) -> bool:
    """Text without half surrogate pairs, which JSON can write and UTF-8 cannot."""
    return isinstance(value, str) and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME:
        raise UserError(f"The tensor name {name!r:.80}… has {len(name)} letters; at most {MAX_NAME}.")
    if not NAME.fullmatch(name):
        fault = (
            "looks like a path"
            if re.search(r"[/\\]|\.\.|^[.~]|^\w:", name)
            else "is a token, as textual inversions have, which are not read"
            if re.fullmatch(r"<[\w-]+>", name)
            else "holds HTML"
            if re.search(r"[<>&]", name)
            else "is none"
        )
        raise UserError(
            f"The tensor name {name!r:.80} {fault}; a name has letters, digits, '_' and '-', parted by dots."
        )


def _tensor(name: str, entry: Any) -> tuple[TensorInfo, tuple[int, int]]:
    if not isinstance(entry, dict) or set(entry) != {"dtype", "shape", "data_offsets"}:
        raise UserError(f"Tensor {name}: expected dtype, shape and data_offsets, and nothing else.")
    dtype, shape, place = entry["dtype"], entry["shape"], entry["data_offsets"]
    if not isinstance(dtype, str) or dtype not in ITEM_BYTES:
        raise UserError(f"Tensor {name}: its type is {dtype!r:.40}; accepted are {', '.join(ITEM_BYTES)}.")
    empty = _is_whole_list(shape) and 0 in shape and len(shape) > 1  # of one dimension it may be a mark
    if not _is_whole_list(shape) or len(shape) > MAX_DIMENSIONS or empty:
        raise UserError(
            f"Tensor {name}: its shape is {shape!r:.80}; accepted are up to {MAX_DIMENSIONS} sizes from 1."
        )
    if not _is_whole_list(place) or len(place) != 2:
        raise UserError(f"Tensor {name}: its data_offsets are {place!r:.80}; expected begin and end.")
    begin, end = place
    if end - begin != prod(shape) * ITEM_BYTES[dtype]:
        raise UserError(
            f"Tensor {name}: shape {shape} of {dtype} takes {prod(shape) * ITEM_BYTES[dtype]:,} bytes, "
            f"but its place has {end - begin:,}."
        )
    return TensorInfo(dtype, tuple(shape)), (begin, end)


def _is_whole_list(value: Any) -> bool:
    # `whole` has made every number of the header an int; true and false are ints to Python.
    return isinstance(value, list) and all(type(each) is int for each in value)
