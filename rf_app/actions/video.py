"""Videos of pictures that come one by one: H.264 in MP4, and WebP that repeats, encoded as they come.

Small pictures are enlarged: players blur a 96x96 video by their own means, and badly.
"""

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

import av
from PIL import Image

FRAMES_PER_SECOND = 24
MIN_SIDE = 384  # pixels; smaller pictures are enlarged by a whole number
XMP = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/">'
    "<exif:UserComment>{}</exif:UserComment></rdf:Description></rdf:RDF></x:xmpmeta>"
)


@dataclass(frozen=True)
class Format:
    """How PyAV makes a kind of file."""

    codec: str
    pixels: str
    codec_options: dict[str, str]
    container_options: dict[str, str] = field(default_factory=dict)


FORMATS = {
    # A player can start before the whole file is there.
    "mp4": Format("libx264", "yuv420p", {"crf": "16", "preset": "fast"}, {"movflags": "+faststart"}),
    "webp": Format("libwebp_anim", "yuv420p", {"quality": "90"}, {"loop": "0"}),
}


@contextmanager
def video_at(path: Path, form: str, comment: str) -> Iterator[Callable[[Image.Image], None]]:
    """Gives what adds an RGB image; all have one size, and `FRAMES_PER_SECOND` of them make a second.

    form: one of FORMATS. comment: any text; the file keeps it (MP4: tag "comment", WebP: XMP's UserComment).
    An image is encoded as it comes and not kept. The file appears when it is whole; when the block raises or
    is left, nothing is.
    """
    unfinished = path.with_name(f".{path.name}.part")
    how = FORMATS[form]
    try:
        with av.open(str(unfinished), "w", format=form, options=how.container_options) as container:
            container.metadata["comment"] = comment
            stream = container.add_stream(how.codec, rate=FRAMES_PER_SECOND, options=how.codec_options)

            def add(image: Image.Image) -> None:
                factor = math.ceil(MIN_SIDE / min(image.size))
                size = image.width * factor, image.height * factor
                if not stream.codec_context.is_open:
                    stream.width, stream.height, stream.pix_fmt = *size, how.pixels
                image = image.resize(size, Image.Resampling.LANCZOS)
                container.mux(stream.encode(av.VideoFrame.from_image(image)))

            yield add
            container.mux(stream.encode())
        if form == "webp":
            _add_xmp(unfinished, XMP.format(escape(comment)).encode("utf-8"))
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _add_xmp(path: Path, xmp: bytes) -> None:
    """Append a chunk with metadata to an animated WebP (RIFF: name, little-endian size, even length)."""
    with path.open("r+b") as file:
        start = file.read(21)
        if start[12:16] != b"VP8X":  # frames all alike make a plain picture, which has no metadata
            return
        flags = start[20]
        file.seek(20)
        file.write(bytes([flags | 0b100]))
        file.seek(0, os.SEEK_END)
        file.write(b"XMP " + len(xmp).to_bytes(4, "little") + xmp + b"\0" * (len(xmp) % 2))
        size = file.tell() - 8
        file.seek(4)
        file.write(size.to_bytes(4, "little"))
