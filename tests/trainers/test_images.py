"""Folders of captioned pictures: both forms, and what is wrong with them."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image

from rf_app.errors import UserError
from tests.tiny import tiny_vae
from trainers.data.images import ImageFolder, latents_of


def draw(path: Path, size: tuple[int, int] = (96, 96), colour: str = "red") -> None:
    Image.new("RGB", size, colour).save(path)


def listed(folder: Path, *lines: object) -> None:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (folder / "metadata.jsonl").write_text(text)


def test_metadata_names_pictures_and_captions(tmp_path: Path) -> None:
    draw(tmp_path / "b.png")
    draw(tmp_path / "a.png", colour="blue")
    line = json.dumps({"file_name": "b.png", "text": " a red\u2028square "}, ensure_ascii=False)
    listed(tmp_path, line, {"file_name": "a.png", "text": ""})
    folder = ImageFolder(tmp_path, 32)
    assert folder.captions == ["a red\u2028square", ""]
    assert folder.pixels([1, 0])[:, 0, 0].tolist() == [[0, 0, 255], [255, 0, 0]]


def test_texts_stand_beside_pictures(tmp_path: Path) -> None:
    draw(tmp_path / "one.jpg")
    draw(tmp_path / "two.webp")
    draw(tmp_path / "without.png")
    for name, suffix in (("one", "txt"), ("two", "TXT")):
        (tmp_path / f"{name}.{suffix}").write_text(f"picture {name}\n")
    folder = ImageFolder(tmp_path, 32)
    assert [(path.name, text) for path, text in zip(folder.paths, folder.captions, strict=True)] == [
        ("one.jpg", "picture one"),
        ("two.webp", "picture two"),
    ]


def test_a_table_or_the_names_caption_pictures_too(tmp_path: Path) -> None:
    for name in ("Red-tent_2.png", "a lake.jpg", "0017.png", ".hidden.png", "ein Ba\u0308r.png"):
        draw(tmp_path / name)
    named = ImageFolder(tmp_path, 32)
    assert sorted(named.captions) == ["a lake", "a picture", "ein bär", "red tent"]
    (tmp_path / "metadata.csv").write_text('file_name,text\n0017.png,"a red, red square"\n')
    assert ImageFolder(tmp_path, 32).captions == ["a red, red square"]
    (tmp_path / "metadata.csv").write_text('file_name;text\n0017.png;"a red,\nred square"\n')  # Excel's
    assert ImageFolder(tmp_path, 32).captions == ["a red,\nred square"]
    (tmp_path / "metadata.csv").write_text("name,text\n0017.png,x\n")
    with pytest.raises(UserError, match=r"metadata.csv, line 2: expected the columns file_name and text"):
        ImageFolder(tmp_path, 32)
    (tmp_path / "metadata.csv").write_text(f'file_name,text\n0017.png,"a red{" square" * 20_000}\n')
    with pytest.raises(UserError, match=r"metadata.csv, line \d: expected the columns"):
        ImageFolder(tmp_path, 32)


def test_what_is_left_out_is_said(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("x")
    assert ImageFolder(tmp_path, 32).left_out == []
    draw(tmp_path / "b.gif")
    draw(tmp_path / "c.png")
    (tmp_path / "b.txt").write_text("x")
    (tmp_path / "captions.csv").write_text("file_name,text\nc.png,x\n")  # has another name than it must
    assert ImageFolder(tmp_path, 32).left_out == ["b.gif", "c.png", "captions.csv"]
    listed(tmp_path, {"file_name": "c.png", "text": "x"})
    assert ImageFolder(tmp_path, 32).left_out == ["a.png", "b.gif", "captions.csv"]


def test_coco_s_annotations_lie_beside_the_folder(tmp_path: Path) -> None:
    """The first caption of each picture counts, by its number."""
    folder, annotations = tmp_path / "val2017", tmp_path / "annotations" / "captions_val2017.json"
    folder.mkdir()
    annotations.parent.mkdir()
    for name in ("b.jpg", "a.jpg", "c.jpg"):
        draw(folder / name)
    said = [(3, 7, "second"), (2, 7, " first\n"), (5, 8, "other")]
    content = {
        "images": [{"id": 7, "file_name": "b.jpg"}, {"id": 8, "file_name": "a.jpg"}],
        "annotations": [{"id": id, "image_id": image, "caption": text} for id, image, text in said],
    }
    annotations.write_text(json.dumps(content) + " " * 92 * 2**20)  # as large as those of train2017
    found = ImageFolder(folder, 32)
    assert [path.name for path in found.paths] == ["a.jpg", "b.jpg"]
    assert found.captions == ["other", "first"]
    assert found.left_out == ["c.jpg"]
    content["images"][0]["file_name"] = "../annotations/captions_val2017.json"
    annotations.write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"there is no picture '\.\./annotations"):
        ImageFolder(folder, 32)
    for broken in ({}, {"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": []}):
        annotations.write_text(json.dumps(broken))
        with pytest.raises(UserError, match="expected COCO's captions"):
            ImageFolder(folder, 32)


def test_a_byte_order_mark_is_no_part_of_a_caption(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a tent", encoding="utf-8-sig")
    assert ImageFolder(tmp_path, 32).captions == ["a tent"]
    line = json.dumps({"file_name": "a.png", "text": "a lake"})
    (tmp_path / "metadata.jsonl").write_text(line, encoding="utf-8-sig")
    assert ImageFolder(tmp_path, 32).captions == ["a lake"]


def test_the_middle_square_is_taken(tmp_path: Path) -> None:
    wide = np.zeros((50, 100, 3), np.uint8)
    wide[:, 25:75] = 255
    Image.fromarray(wide).save(tmp_path / "wide.png")
    (tmp_path / "wide.txt").write_text("x")
    assert (ImageFolder(tmp_path, 50).pixels([0]) == 255).all()


def test_transparent_is_white_and_16_bits_are_scaled(tmp_path: Path) -> None:
    Image.new("RGBA", (32, 32), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    palette = Image.new("P", (32, 32))
    palette.putpalette([0, 0, 0, 255, 0, 0])
    palette.save(tmp_path / "clear-palette.png", transparency=0)
    Image.fromarray(np.full((32, 32), 128 * 257, np.uint16)).save(tmp_path / "deep.png")
    for path in list(tmp_path.iterdir()):
        path.with_suffix(".txt").write_text("x")
    corners = ImageFolder(tmp_path, 32).pixels([0, 1, 2])[:, 0, 0]
    assert corners.tolist() == [[255] * 3, [255] * 3, [128] * 3]


def test_a_digest_tells_folders_apart(tmp_path: Path) -> None:
    draw(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("one")
    first = ImageFolder(tmp_path, 32).digest()
    assert ImageFolder(tmp_path, 32).digest() == first
    (tmp_path / "a.txt").write_text("two")
    second = ImageFolder(tmp_path, 32).digest()
    draw(tmp_path / "a.png", colour="blue")
    assert len({first, second, ImageFolder(tmp_path, 32).digest()}) == 3
    (tmp_path / "b.png").symlink_to("nowhere")  # left out later on
    (tmp_path / "b.txt").write_text("gone")
    assert ImageFolder(tmp_path, 32).digest()


@pytest.mark.parametrize("tiny", [False, True])
def test_latents_are_the_autoencoder_s_and_kept(tmp_path: Path, tiny: bool) -> None:
    """A tiny one's, too, which has no distribution."""
    vae = (AutoencoderTiny(encoder_block_out_channels=(8,) * 4) if tiny else tiny_vae()).eval()
    pictures = np.random.default_rng(0).integers(0, 256, (3, 96, 96, 3), dtype=np.uint8)
    file = tmp_path / "latents.safetensors"
    found = latents_of(vae, lambda picks: pictures[list(picks)], 3, file)
    image = torch.from_numpy(pictures[2]).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        said = vae.encode(image)
        expected = (said.latents if tiny else said.latent_dist.mean) * vae.config.scaling_factor
    assert torch.allclose(found[2:], expected, atol=1e-4)
    assert torch.equal(latents_of(vae, lambda picks: pytest.fail("encoded again"), 3, file), found)


def test_large_pictures_are_encoded_few_at_a_time(tmp_path: Path) -> None:
    """64 of them took 43 GB in Stable Diffusion's autoencoder, four take 2.7."""
    asked = []

    def pixels(picks: Sequence[int]) -> np.ndarray:
        asked.append(len(picks))
        return np.zeros((len(picks), 512, 512, 3), np.uint8)

    found = latents_of(tiny_vae().eval(), pixels, 6, tmp_path / "latents.safetensors")
    assert (len(found), max(asked)) == (6, 4)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("not JSON", "line 2: expected"),
        ("[" * 100_000, "line 2: expected"),
        ({"file_name": "a.png"}, "line 2: expected"),
        ({"file_name": 7, "text": "x"}, "line 2: expected"),
        ({"file_name": "a.png", "text": 7}, "line 2: 'a.png' must be"),
        ({"file_name": "a.png", "text": "\ud800"}, "line 2: expected"),
        ({"file_name": f"{'a' * 5000}.png", "text": "x"}, "line 2: expected"),
        ({"file_name": "../a.png", "text": "x"}, "must be a file of this folder"),
        ({"file_name": "/etc/passwd", "text": "x"}, "must be a file of this folder"),
        ({"file_name": "gone.png", "text": "x"}, "no picture 'gone.png'"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: object, said: str) -> None:
    draw(tmp_path / "a.png")
    listed(tmp_path, {"file_name": "a.png", "text": "x"}, line)
    with pytest.raises(UserError, match=said):
        ImageFolder(tmp_path, 32)


def test_an_empty_folder_and_a_broken_picture_are_named(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(UserError, match="holds no captioned pictures"):
            ImageFolder(folder, 32)
    (tmp_path / "a.png").write_bytes(b"no picture")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(UserError, match=r"a\.png cannot be read"):
        ImageFolder(tmp_path, 32).pixels([0])
    (tmp_path / "a.png").write_text(
        "%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\nshowpage\n"
    )
    with pytest.raises(UserError, match=r"a\.png cannot be read \(EPS"):
        ImageFolder(tmp_path, 32).pixels([0])
    Image.effect_noise((300, 300), 90).save(tmp_path / "a.png")
    whole, _, rest = (tmp_path / "a.png").read_bytes().rpartition(b"IDAT")
    (tmp_path / "a.png").write_bytes(whole + b"\0\1\2\3" + rest)  # Pillow calls that a SyntaxError
    with pytest.raises(UserError, match=r"a\.png cannot be read \(broken PNG"):
        ImageFolder(tmp_path, 32).pixels([0])
