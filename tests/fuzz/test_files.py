"""Files that anybody may hand in, with things wrong: LoRAs, pictures, folders and single files, pairs.

Each is taken or refused with a reason, and whoever looked at it goes on as before.
"""

import json
import random
import shutil
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from safetensors.torch import load as load_bytes
from safetensors.torch import load_file, save

from rf_app.actions.application import Application
from rf_app.actions.generate import Generate, generate
from rf_app.actions.import_model import ImportModel, import_model
from rf_app.actions.loras import rows, upload
from rf_app.actions.restore import restore
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.turns import result_of
from rf_app.plugins.picture import encode_map, read_picture
from rf_app.registry.checking import WEIGHTS
from rf_app.registry.models import Registry
from rf_app.settings.picture import Lora, PictureSettings
from tests.actions.test_foreign import A1111, COMFYUI, FOOOCUS, INVOKEAI, INVOKEAI_2, WORKFLOW
from tests.fuzz.spoiling import ODD, spoiled, spoiled_bytes
from tests.plugins.lora_files import EVERYWHERE, as_kohya, as_peft, random_lora
from tests.single_file import save_single_file
from tests.tiny import in_shards, load
from trainers.data.folder import finish
from trainers.data.shards import PairSettings, write_shard, write_sum
from trainers.data.store import Pairs

UNET = "unet/diffusion_pytorch_model.safetensors"
NUMBERS = (torch.nan, torch.inf, -torch.inf, 0.0, 3e38, -65504.0, 1e-45)
TYPES = (torch.float16, torch.bfloat16, torch.int64, torch.float64, torch.uint8, torch.bool)


def tried(attempt: Callable[[], object]) -> bool:
    """False where it is refused, in words that every output can show."""
    try:
        attempt()
    except UserError as error:
        if "the log has the details" in str(error):
            raise AssertionError("a defect") from error
        str(error).encode()
        return False
    return True


def packed(tensors: dict[str, torch.Tensor], metadata: dict[str, str] | None = None) -> bytes:
    return save({name: tensor.clone().contiguous() for name, tensor in tensors.items()}, metadata)


def with_header(content: bytes, rng: random.Random) -> bytes:
    """A safetensors file with things wrong in its header, which is as long as it says."""
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(spoiled(json.loads(content[8:end]), rng)).encode()
    return len(header).to_bytes(8, "little") + header + content[end:]


def with_tensors(content: dict[str, torch.Tensor], rng: random.Random) -> dict[str, torch.Tensor]:
    """Sound tensors that are not what is expected: values, types, shapes and names."""
    found = dict(content)
    for _ in range(rng.randint(1, 3)):
        name = rng.choice([*found])
        tensor, other = found[name], found[rng.choice([*found])]
        match rng.randrange(7):
            case 0 | 1:
                found[name] = tensor.clone()
                found[name].view(-1)[: rng.choice((1, None))] = rng.choice(NUMBERS)
            case 2:
                found[name] = tensor.to(rng.choice(TYPES))
            case 3:
                found[name] = rng.choice(
                    (tensor[None], tensor.flatten(), tensor.flatten()[:0], tensor.flatten()[:1], other)
                )
            case 4:
                del found[name]
            case 5:
                found[
                    rng.choice((name[:-1], f"{name}.", name.replace("unet", "text_encoder"), f"é{name}"))
                ] = other
            case 6:
                found[name.replace(".weight", ".alpha").replace("lora_A", "alpha")] = torch.tensor(
                    rng.choice(NUMBERS)
                )
        found = found or dict(content)
    return found


def of_every_form() -> dict[str, torch.Tensor]:
    """LoHa, LoKr, DoRA, Tucker's form, full differences and norms, also in the original code's names."""
    convolution, linear = "lora_unet_up_blocks_1_resnets_0_conv1", "diffusion_model.middle_block.1.proj_in"
    shapes = {
        f"{convolution}.hada_w1_a": (3, 16),
        f"{convolution}.hada_w1_b": (3, 48),
        f"{convolution}.hada_w2_a": (3, 16),
        f"{convolution}.hada_w2_b": (3, 48),
        f"{convolution}.hada_t1": (3, 3, 3, 3),
        f"{convolution}.hada_t2": (3, 3, 3, 3),
        f"{convolution}.dora_scale": (1, 48, 1, 1),
        f"{convolution}.diff_b": (16,),
        f"{linear}.lokr_w1": (4, 4),
        f"{linear}.lokr_w2_a": (8, 2),
        f"{linear}.lokr_w2_b": (2, 8),
        f"{linear}.alpha": (),
        "lora_unet_input_blocks_1_0_in_layers_2.lora_up.weight": (16, 2, 1, 1),
        "lora_unet_input_blocks_1_0_in_layers_2.lora_down.weight": (2, 16, 1, 1),
        "lora_unet_input_blocks_1_0_in_layers_2.lora_mid.weight": (2, 2, 3, 3),
        "lora_unet_mid_block_resnets_0_norm1.w_norm": (32,),
        "lora_unet_mid_block_resnets_0_norm1.b_norm": (32,),
        "lora_unet_time_embed_0.diff": (64, 16),
        "bundle_emb.words.string_to_param.*": (2, 32),
    }
    return {name: torch.randn(shape).mul(0.3) for name, shape in shapes.items()}


def header_said(rng: random.Random) -> dict[str, str]:
    """A header with things wrong in what is shown of it."""
    said = {
        "modelspec.trigger_phrase": "woodcut",
        "modelspec.usage_hint": "weight 0.8",
        "modelspec.title": "lcm 4 steps",
        "modelspec.thumbnail": f"data:image/png;base64,{encode_map(Image.new('RGB', (8, 8)))}",
        "ss_tag_frequency": json.dumps(spoiled({"1_a": {"woodcut": 3, "ink": 2}}, rng)),
    }
    said[rng.choice([*said])] = str(rng.choice(ODD))
    return {name: text.encode("utf-8", "replace").decode() for name, text in said.items()}


def test_a_mutated_lora_is_used_or_refused(
    app: Application, tmp_path: Path, rng: random.Random, rounds: range
) -> None:
    """And without it the model draws what it drew before."""

    def drawn(*loras: Lora) -> np.ndarray:
        wish = PictureSettings("a lake", "tiny-instaflow", loras=loras)
        return np.asarray(result_of(app.draw(wish)).image)

    def used(path: Path) -> None:
        found = upload(own, path, path.name, "tiny-instaflow")
        rows(own, [Lora(found.id)])
        try:
            results(
                generate(own, Generate(PictureSettings("a lake", "tiny-instaflow", loras=(Lora(found.id),))))
            )
        finally:
            own.worker.uploads.remove(own.visitor, found.id)

    own, path = app.seen_by("fuzz"), tmp_path / "a.safetensors"
    pipeline = load(app.registry, "tiny-instaflow")
    whole = random_lora(pipeline.unet, pipeline.text_encoder, layers=EVERYWHERE)
    formats = [whole, as_kohya(whole), as_kohya(whole, 2.0), as_peft(random_lora(pipeline.unet))]
    formats += [of_every_form()] * 3
    alphas = {"unet.lora_alpha": 4, "unet.alpha_pattern": {"to_q": 2}}
    said = {"lora_adapter_metadata": json.dumps(alphas)}
    before, answers = drawn(), set()
    for _ in rounds:
        tensors = rng.choice(formats)
        odd = json.dumps(spoiled(alphas, rng)).encode("utf-8", "replace").decode()
        metadata = rng.choice((None, said, header_said(rng), {"lora_adapter_metadata": odd}))
        match rng.randrange(4):
            case 0:
                content = spoiled_bytes(packed(tensors, metadata), rng)
            case 1:
                content = with_header(packed(tensors, metadata), rng)
            case _:
                content = packed(with_tensors(tensors, rng), metadata)
        path.write_bytes(content)
        answers.add(tried(lambda: used(path)))
    assert answers == {True, False}
    assert np.array_equal(drawn(), before)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def texts(text: bytes, rng: random.Random, name: bytes = b"instaflow") -> bytes:
    """A chunk of text in one of the three kinds that a PNG has, or nearly."""
    packed = zlib.compress(text)
    return rng.choice(
        (
            chunk(b"tEXt", name + b"\0" + text),
            chunk(b"zTXt", name + b"\0\0" + packed),
            chunk(b"zTXt", name + b"\0\x07" + packed[:-3]),
            chunk(b"iTXt", name + b"\0\0\0\0\0" + text),
            chunk(b"iTXt", name + b"\0\1\0en\0\xc3\x28\0" + packed),
            chunk(b"iTXt", name + b"\0\1\7\0\0" + packed),
            chunk(b"iTXt", name + b"\0\1"),
        )
    )


def test_a_mutated_picture_is_restored_and_read_or_refused(
    app: Application, tmp_path: Path, rng: random.Random, rounds: range
) -> None:
    settings = PictureSettings(
        "a lake", "tiny-sd", 2, 1.5, 7, "a tent", "ddim", loras=(Lora("no-such"),)
    ).as_json()
    keys = [{"prompt": "a lake", "seed": 1}, {"prompt": "a tent", "seed": 2}]
    way = {"interpolation": {"key_frames": keys, "position": [0.3], "model": "tiny-sd", "steps": 2}}
    image = BytesIO()
    Image.effect_noise((40, 30), 60).convert(rng.choice(("RGB", "RGBA", "P", "1"))).save(image, "PNG")
    bare, path, answers = image.getvalue(), tmp_path / "a.png", set()
    for _ in rounds:
        text = json.dumps(
            spoiled(rng.choice((settings, way, settings | way)), rng), ensure_ascii=rng.random() < 0.5
        )
        content = bare[:33] + texts(text.encode("utf-8", "replace"), rng) + bare[33:]
        sizes = struct.pack(">II", *rng.choices((0, 1, 2**31 - 1, 2**32 - 1, 65_000, 5_000), k=2))
        match rng.randrange(4):
            case 0:
                content = spoiled_bytes(content, rng)
            case 1:
                content = content[:8] + chunk(b"IHDR", sizes + content[24:29]) + content[33:]
        path.write_bytes(content)
        answers.add(tried(lambda: restore(app, path)))
        tried(lambda: read_picture(path.read_bytes()))
    assert answers == {True, False}


def test_a_mutated_picture_of_another_program_is_restored_or_refused(
    app: Application, tmp_path: Path, rng: random.Random, rounds: range
) -> None:
    said = {
        "prompt": COMFYUI,
        "workflow": WORKFLOW,
        "invokeai_metadata": INVOKEAI,
        "sd-metadata": INVOKEAI_2,
        "parameters": FOOOCUS,
    }
    image, answers = BytesIO(), set()
    Image.new("RGB", (8, 8)).save(image, "PNG")
    bare, path = image.getvalue(), tmp_path / "a.png"
    for _ in range(3 * len(rounds)):
        name = rng.choice([*said])
        text = json.dumps(spoiled(said[name], rng)).encode("utf-8", "replace")
        if rng.random() < 0.3:
            name, text = "parameters", spoiled_bytes(A1111.encode(), rng)
        if rng.random() < 0.3:
            exif, kind = Image.Exif(), rng.choice(("JPEG", "WEBP"))
            exif.get_ifd(0x8769)[0x9286] = rng.choice((b"UNICODE\0", b"ASCII\0\0\0", b"")) + text
            exif[0x0110] = b"prompt:" + text
            image = BytesIO()
            Image.new("RGB", (8, 8)).save(image, kind, exif=exif)
            path.write_bytes(rng.choice((image.getvalue(), spoiled_bytes(image.getvalue(), rng))))
        else:
            path.write_bytes(bare[:33] + texts(text, rng, name.encode()) + bare[33:])
        answers.add(tried(lambda: restore(app, path).note.encode()))
    assert answers == {True, False}


def spoil_folder(folder: Path, rng: random.Random) -> None:
    """Something wrong in a model's folder: in a config, a tokenizer or weights, or a file is not there."""
    path = rng.choice(sorted(each for each in folder.rglob("*") if each.is_file()))
    match rng.randrange(8):
        case 0 | 1 | 2 if path.suffix == ".json":
            path.write_text(json.dumps(spoiled(json.loads(path.read_text()), rng)))
        case 3:
            path.unlink()
            links = [lambda to=to: path.symlink_to(to) for to in ("/etc/passwd", path)]
            rng.choice((lambda: None, path.mkdir, *links))()
        case 4 if path.name in WEIGHTS.values():
            path.write_bytes(packed(with_tensors(load_file(path), rng)))
        case 5 if path.name in WEIGHTS.values():
            path.write_bytes(with_header(path.read_bytes(), rng))
        case 6:
            in_shards(folder / UNET)
            pieces = sorted((folder / "unet").glob("*-of-*"))
            index = folder / f"{UNET}.index.json"
            rng.choice(
                (
                    lambda: index.write_text(json.dumps(spoiled(json.loads(index.read_text()), rng))),
                    lambda: pieces[0].rename(folder / UNET),
                    pieces[-1].unlink,
                )
            )()
        case _:
            path.write_bytes(spoiled_bytes(path.read_bytes(), rng))


def test_a_mutated_folder_is_imported_or_refused(
    own_app: Application, tiny_models: Path, tmp_path: Path, rng: random.Random, rounds: range
) -> None:
    answers = set()
    for number in rounds[: len(rounds) // 4]:
        source = shutil.copytree(tiny_models / "tiny-sd", tmp_path / "source" / f"bad-{number}")
        spoil_folder(source, rng)
        answers.add(tried(lambda source=source: results(import_model(own_app, ImportModel(str(source))))))
        shutil.rmtree(source)
        shutil.rmtree(own_app.registry.folders[-1] / source.name, ignore_errors=True)
    assert {"tiny-sd", "tiny-2rf", "tiny-instaflow"} == {card.id for card in own_app.registry.cards()}
    assert answers == {True, False}


def test_a_mutated_single_file_is_imported_or_refused(
    own_app: Application, tmp_path: Path, rng: random.Random, rounds: range
) -> None:
    path, answers = tmp_path / "single.safetensors", set()
    save_single_file(own_app.registry.pieces("tiny-sd"), path)
    whole = path.read_bytes()
    tensors = load_bytes(whole)
    for _ in rounds[: len(rounds) // 8]:
        made = (with_header(whole, rng), spoiled_bytes(whole, rng), packed(with_tensors(tensors, rng)))
        path.write_bytes(rng.choice(made))
        answers.add(tried(lambda: results(import_model(own_app, ImportModel(str(path))))))
        shutil.rmtree(own_app.registry.folders[-1] / "single", ignore_errors=True)
    assert False in answers


def test_mutated_shards_are_trained_on_or_refused(
    tiny_registry: Registry, tmp_path: Path, rng: random.Random, rounds: range
) -> None:
    """Pairs: what Parquet holds, what stands beside it, and pieces of the file."""
    pipeline = load(tiny_registry, "tiny-sd")
    settings = PairSettings("tiny-sd", "0123", {}, 2, 1.5, "no", "pocket", 0, 6, (8, 12, 12))
    noise = np.random.default_rng(0).standard_normal((6, 8, 12, 12)).astype(np.float16)
    path, other = (tmp_path / f"pairs-0000{i}.parquet" for i in (0, 1))
    for first, each in ((0, path), (6, other)):
        write_shard(each, settings, ["a lake"] * 6, list(range(first, first + 6)), noise, noise)
    finish(tmp_path, 12)
    whole, table = path.read_bytes(), pq.read_table(path)
    said = json.loads(table.schema.metadata[b"instaflow"])
    answers = set()

    def with_columns() -> pa.Table:
        name = rng.choice(table.column_names)
        at = table.column_names.index(name)
        column = table[name]
        match rng.randrange(5):
            case 0:
                return table.drop_columns(name)
            case 1:
                return table.set_column(at, name, pa.nulls(6, column.type))
            case 2:
                return table.set_column(at, name, table[rng.choice(table.column_names)])
            case 3:
                return table.slice(0, 0)
            case _:
                return table.set_column(at, name, pa.array([rng.choice((1, None, 2**60))] * 6))

    for _ in rounds:
        match rng.randrange(3):
            case 0:
                path.write_bytes(spoiled_bytes(whole, rng))
            case 1:
                text = json.dumps(spoiled(said, rng))
                pq.write_table(table.replace_schema_metadata({"instaflow": text}), path)
            case _:
                pq.write_table(with_columns(), path)
        write_sum(path, path.read_bytes())
        mapped = rng.random() < 0.1
        answers.add(
            tried(lambda mapped=mapped: Pairs(tmp_path, pipeline, mapped).batch(torch.tensor([0, 7])))
        )
    assert answers == {True, False}
