"""Files of weights that lie: each kind is refused by name, and what passes, the safetensors library reads."""

import json
import pickle
import random
import re
import struct
import sys
import zipfile
from collections import Counter
from io import BytesIO

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import load, save

from rf_app.errors import UserError
from rf_app.plugins.checking import MAX_HEADER_BYTES, read_header
from rf_app.plugins.lora import MAX_FILE_BYTES, MAX_PATTERNS, MAX_SETTINGS, read_lora
from tests.plugins.lora_files import write

PAIR = {"unet.a.to_q.lora_A.weight": torch.ones(2, 4), "unet.a.to_q.lora_B.weight": torch.ones(4, 2)}
GOOD = save(PAIR, {"format": "pt"})


class Watched(BytesIO):
    """A file that fails the test that reads past its end."""

    def read(self, count=-1):
        assert 0 <= count <= len(self.getbuffer()) - self.tell()
        return super().read(count)


def check(content):
    return read_header(Watched(content), len(content))


def entry(shape=(2,), dtype="F32", begin=0, end=None):
    size = {"F32": 4, "F16": 2, "BF16": 2, "I64": 8, "F64": 8, "C64": 8}[dtype]
    for each in shape:
        size *= each
    return {
        "dtype": dtype,
        "shape": list(shape),
        "data_offsets": [begin, begin + size if end is None else end],
    }


def packed(header, data=b"\0" * 8):
    """A file of a header, given as JSON text or what becomes one, and its data."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def test_a_good_file_passes_and_its_data_is_not_read():
    file = Watched(GOOD)
    header = read_header(file, len(GOOD))
    assert header.tensors["unet.a.to_q.lora_A.weight"].shape == (2, 4)
    assert header.metadata == {"format": "pt"}
    assert file.tell() == len(GOOD) - 2 * 8 * 4


@pytest.mark.parametrize("length", [0x280, 0x380, 0x480, 0x580])
def test_a_header_that_is_as_long_as_a_pickle_begins_is_none(length):
    text = json.dumps({"a": entry()}).encode()
    assert list(check(packed(text + b" " * (length - len(text)))).tensors) == ["a"]


def zipped():
    content = BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("archive/data.pkl", b"")
    return content.getvalue()


REFUSED = {
    "empty": (b"", "not a safetensors file, or only a part"),
    "a few bytes": (b"1234", "not a safetensors file"),
    "text": (b"<!DOCTYPE html><html></html>", "not a safetensors file"),
    "pickle": (pickle.dumps({"a": 1}), "This is a pickle, not safetensors: such a file can run any code"),
    "zip": (zipped(), "This is a zip archive, as PyTorch's"),
    "gguf": (b"GGUF" + b"\0" * 99, "a GGUF file"),
    "cut short": (GOOD[:-1], "the file is cut short"),
    "something behind": (GOOD + b"\0", "something is hidden at its end"),
    "header beyond the file": (struct.pack("<Q", 2**40) + b"{}", "not a safetensors file"),
    "huge header": (
        struct.pack("<Q", MAX_HEADER_BYTES + 1) + b"{" + b" " * MAX_HEADER_BYTES,
        "at most 4,194,304 are accepted",
    ),
    "no JSON": (packed(b"{nothing"), "not a JSON object"),
    "a list": (packed(b"[1]"), "not a JSON object"),
    "UTF-16": (packed('{"a":1}'.encode("utf-16")), "not a JSON object"),
    "nested without end": (packed(b'{"a":' + b"[" * 100_000), "not a JSON object"),
    "duplicate keys": (packed(b'{"a":{},"a":{}}'), "names 'a' twice"),
    "duplicate keys within": (packed(b'{"a":{"dtype":"F32","dtype":"F32"}}'), "names 'dtype' twice"),
    "no tensors": (packed({}, b""), "0 tensors"),
    "too many tensors": (packed({f"t{i}": {} for i in range(5001)}), "5,001 tensors; 1 to 5,000"),
    "a path": (packed({"../../etc/passwd": entry()}), "'../../etc/passwd' looks like a path"),
    "a Windows path": (packed({"C:\\x": entry()}), "looks like a path"),
    "dots": (packed({"a..b": entry()}), "looks like a path"),
    "HTML": (packed({"<img src=x onerror=alert(1)>": entry()}), "holds HTML"),
    "a long name": (packed({"a" * 300: entry()}), "300 letters; at most 256"),
    "a strange name": (packed({"a\n": entry()}), "a name has letters"),
    "complex": (packed({"a": entry((8,), "C64")}), "its type is 'C64'"),
    "half a surrogate pair in a name": (packed(b'{"\\ud800":7}'), "'\\ud800' is none; a name has letters"),
    "no such type": (packed({"a": entry() | {"dtype": ["F32"]}}), "its type is ['F32']"),
    "many dimensions": (packed({"a": entry((1, 1, 1, 1, 2))}), "up to 4 sizes"),
    "an empty tensor": (packed({"a": entry((0, 2))}, b""), "up to 4 sizes from 1"),
    "a negative size": (packed(b'{"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}'), "the number -2"),
    "minus zero": (packed(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[-0,8]}}'), "the number -0"),
    "a broken size": (packed(b'{"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}}'), "the number 2.0"),
    "no number": (packed(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,8]}}'), "the number NaN"),
    "true": (packed(b'{"a":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}'), "its shape is [True]"),
    "a huge size": (packed({"a": entry() | {"shape": [2**60]}}), "which no shape or place can have"),
    "another size": (packed({"a": entry(end=4)}), "takes 8 bytes, but its place has 4"),
    "three offsets": (packed({"a": entry() | {"data_offsets": [0, 4, 8]}}), "expected begin and end"),
    "more fields": (packed({"a": entry() | {"more": 1}}), "and nothing else"),
    "a hole": (packed({"a": entry((1,)), "b": entry((1,), begin=8)}, b"\0" * 12), "leaves a hole"),
    "an overlap": (packed({"a": entry(), "b": entry((2,), begin=4)}, b"\0" * 12), "overlaps"),
    "metadata of lists": (packed({"a": entry(), "__metadata__": {"b": []}}), "not an object of texts"),
    "half a surrogate pair": (packed(b'{"__metadata__":{"a":"\\ud800"}}'), "not an object of texts"),
}


@pytest.mark.parametrize(("content", "message"), REFUSED.values(), ids=REFUSED)
def test_what_is_refused_and_why(content, message):
    with pytest.raises(UserError, match=re.escape(message)):
        check(content)


def calls_of(function, *arguments):
    """How often each function was called, Python's and C's, until the end or a UserError."""
    calls = Counter()

    def count(frame, event, argument):
        if event == "call":
            calls[frame.f_code.co_name] += 1
        elif event == "c_call":
            calls[argument.__name__] += 1

    sys.setprofile(count)
    try:
        function(*arguments)
    except UserError:
        pass
    finally:
        sys.setprofile(None)
    return calls


def test_many_names_are_not_compared_with_each_other():
    content = packed(b"{%s}" % b",".join(b'"t%d":0' % name for name in [*range(20_000), 19_999]))
    with pytest.raises(UserError, match="names 't19999' twice"):
        check(content)
    assert calls_of(check, content)["count"] == 0


def sound(content):
    """Whether the check passes the content; what it passes, the library reads, tensor by tensor."""
    try:
        header = check(content)
    except UserError:
        return False
    read = load(content)
    assert {name: tuple(tensor.shape) for name, tensor in read.items()} == {
        name: info.shape for name, info in header.tensors.items()
    }
    return True


def mutated(chance):
    """GOOD with some of its header changed as `chance` has it: bytes, numbers, whole pieces; or cut short."""
    length = struct.unpack("<Q", GOOD[:8])[0]
    header, data = bytearray(GOOD[8 : 8 + length]), GOOD[8 + length :]
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(header))
        match chance.randrange(6):
            case 0:
                header[at] = chance.randrange(256)
            case 1:
                header[at] = chance.choice(b'0123456789{}[]",:-. eE')
            case 2:
                del header[at : at + chance.randint(1, 8)]
            case 3:
                header[at:at] = header[chance.randrange(len(header)) :][: chance.randint(1, 60)]
            case 4:
                numbers = [*re.finditer(rb"\d+", bytes(header))]
                if numbers:
                    found = chance.choice(numbers)
                    header[found.start() : found.end()] = str(chance.choice([0, 1, 2, 4, 8, 32, 64])).encode()
            case 5:
                header += b" " * chance.randint(1, 9)
    stated = chance.choice([len(header)] * 8 + [chance.randrange(2**64), chance.randrange(len(header) + 99)])
    content = struct.pack("<Q", stated) + bytes(header) + data
    return content[: chance.randrange(len(content))] if chance.random() < 0.2 else content


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.integers(0, 2**64 - 1))
def test_12_000_mutated_and_truncated_files(seed):
    """60 to an example, because drawing one costs more than checking it."""
    chance = random.Random(seed)
    for _ in range(60):
        sound(mutated(chance))


def test_some_mutations_are_sound_and_most_are_not():
    chance = random.Random(0)
    passed = sum(sound(mutated(chance)) for _ in range(1000))
    assert 10 < passed < 500


TEXTS = st.text(max_size=8) | st.sampled_from(
    ["dtype", "shape", "data_offsets", "__metadata__", "F32", "a.b"]
)
WHOLE = st.integers(-9, 99) | st.sampled_from([0, 4, 8, 2**31, 2**63, 2**64, 10**40])
JSON = st.recursive(
    st.none() | st.booleans() | WHOLE | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F32", "F16", "BF16", "I64", "F64"]) | JSON,
        "shape": st.lists(st.integers(0, 3), max_size=5) | JSON,
        "data_offsets": st.tuples(st.integers(0, 16), st.integers(0, 16)) | JSON,
    }
)


@settings(max_examples=600, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(TEXTS, ENTRY | JSON, max_size=3), st.integers(0, 40))
def test_any_header_is_answered(header, size):
    sound(packed(header, b"\0" * size))


@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_answered(content):
    sound(content)


def test_every_truncation_is_refused():
    for length in range(len(GOOD)):
        with pytest.raises(UserError):
            check(GOOD[:length])
        with pytest.raises(SafetensorError):
            load(GOOD[:length])


# What makes a sound file a LoRA.

BAD_LORAS = {
    "NaN": ({"unet.a.to_q.lora_A.weight": torch.full((2, 4), torch.nan)}, "not finite numbers"),
    "infinity": ({"unet.a.to_q.lora_A.weight": torch.full((2, 4), torch.inf)}, "not finite numbers"),
    "an alpha of NaN": (
        {"unet.a.to_q.alpha": torch.tensor(torch.nan)},
        "to_q.alpha holds values that are not",
    ),
    "two alphas": ({"unet.a.to_q.alpha": torch.ones(2)}, "an alpha is one number"),
    "huge rank": (
        {"unet.a.to_q.lora_A.weight": torch.ones(1025, 4), "unet.a.to_q.lora_B.weight": torch.ones(4, 1025)},
        "has rank 1,025; at most 1,024",
    ),
    "a half": (
        {"unet.b.to_q.lora_A.weight": torch.ones(2, 4)},
        "unet.b.to_q of the LoRA lacks a part: it has lora_down alone",
    ),
    "an alpha alone": ({"unet.b.to_q.alpha": torch.ones(())}, "lacks a part: it has alpha alone"),
    "a number for a half": ({"unet.a.to_q.lora_A.weight": torch.ones(())}, "is a single number"),
    "a half twice": ({"unet.a.to_q.lora_down.weight": torch.ones(2, 4)}, "has its lora_down twice"),
    "whole numbers": (
        {"unet.a.to_q.lora_A.weight": torch.ones(2, 4, dtype=torch.int64)},
        "its type is I64; accepted are BF16, F16, F32",
    ),
    "more than its type holds": (
        {"unet.a.to_q.lora_A.weight": torch.full((2, 4), 1e300, dtype=torch.float64)},
        "not finite numbers",
    ),
}


@pytest.mark.parametrize(("change", "message"), BAD_LORAS.values(), ids=BAD_LORAS)
def test_what_is_no_lora_and_why(tmp_path, change, message):
    with pytest.raises(UserError, match=re.escape(message)):
        read_lora(write(tmp_path / "a.safetensors", PAIR | change))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("unet.conv_in.weight", "is no part of a LoRA, which has pairs"),
        ("unet.a.to_q.oft_blocks", "belongs to OFT or BOFT; accepted are LoRA, DoRA, LoHa"),
        ("emb_params", "belongs to a textual inversion"),
    ],
)
def test_a_file_of_something_else_is_named(tmp_path, name, message):
    with pytest.raises(UserError, match=re.escape(message)):
        read_lora(write(tmp_path / "a.safetensors", {name: torch.ones(2, 4)}))


@pytest.mark.parametrize(
    "said", ["[]", "{", '{"unet.lora_alpha": NaN}', '{"unet.lora_alpha": {}}', "[" * 9999]
)
def test_what_is_said_of_alpha_must_be_a_number(tmp_path, said):
    with pytest.raises(UserError, match="lora_adapter_metadata does not say"):
        read_lora(write(tmp_path / "a.safetensors", PAIR, {"lora_adapter_metadata": said}))


def test_what_is_said_of_alpha_is_read_once(tmp_path):
    pairs = {name.replace(".a.", f".a{i}."): each for i in range(9) for name, each in PAIR.items()}
    said = json.dumps(
        {"unet.lora_alpha": 2, "unet.alpha_pattern": {f"a{i}.to_q": i for i in range(MAX_PATTERNS)}}
    )
    path = write(tmp_path / "a.safetensors", pairs, {"lora_adapter_metadata": said})
    assert read_lora(path).layers["unet.a8.to_q"].scale == 4.0
    assert calls_of(read_lora, path)["loads"] == 2  # the header, and what is said


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (
            {"unet.alpha_pattern": {f"a{i}": 1 for i in range(MAX_PATTERNS + 1)}},
            "'unet.alpha_pattern' is no object of up to 1,000",
        ),
        ({"unet.alpha_pattern": ["a"]}, "'unet.alpha_pattern' is no object"),
        ({"unet.lora_alpha": "1" * MAX_SETTINGS}, "letters; at most 262,144 are accepted"),
        ({"unet.lora_alpha": "1" * 9999}, "does not say its lora_alpha as a number"),
        ({"unet.lora_alpha": 10**999}, "does not say its lora_alpha as a number"),
    ],
)
def test_little_can_be_said_of_alpha(tmp_path, said, message):
    path = write(tmp_path / "a.safetensors", PAIR, {"lora_adapter_metadata": json.dumps(said)})
    with pytest.raises(UserError, match=re.escape(message)):
        read_lora(path)


def test_a_file_that_is_too_large_is_not_even_opened(tmp_path):
    path = tmp_path / "a.safetensors"
    with path.open("wb") as file:
        file.truncate(MAX_FILE_BYTES + 1)  # sparse
    path.chmod(0)
    with pytest.raises(UserError, match="at most 1,024 MB"):
        read_lora(path)
