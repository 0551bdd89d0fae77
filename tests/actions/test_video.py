"""Videos: what goes in comes out, no frame is kept, and only a whole file appears."""

import gc
import weakref
from xml.etree import ElementTree

import av
import numpy as np
import psutil
import pytest
from PIL import Image

from rf_app.actions.video import FORMATS, FRAMES_PER_SECOND, video_at


def write_video(path, form, images, comment):
    with video_at(path, form, comment) as add:
        for image in images:
            add(image)


def grey(level, side=96):
    return Image.new("RGB", (side, side), (level, level, level))


def marked(i, level):
    """A grey picture with a line that stands elsewhere in each: WebP joins frames that look alike."""
    image = grey(level)
    image.paste((255, 0, 0), (i, 0, i + 1, 96))
    return image


def decoded(path):
    """The frames of a video as arrays: WebP by Pillow, the rest by PyAV."""
    if path.suffix == ".webp":
        with Image.open(path) as image:
            frames = []
            for i in range(image.n_frames):
                image.seek(i)
                frames.append(np.asarray(image.convert("RGB")))
            return frames
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("count", [2, 61])
def test_every_frame_comes_out_in_order_and_enlarged(tmp_path, form, count):
    path = tmp_path / f"way.{form}"
    levels = np.linspace(20, 220, count)
    write_video(path, form, (marked(i, round(level)) for i, level in enumerate(levels)), "")
    frames = decoded(path)
    assert len(frames) == count
    assert frames[0].shape == (384, 384, 3)
    np.testing.assert_allclose([np.median(frame) for frame in frames], levels, atol=8)


def test_mp4_is_h264_at_its_speed_and_carries_the_comment(tmp_path):
    comment = 'a "lake" <b> & 湖'
    write_video(tmp_path / "way.mp4", "mp4", (grey(i) for i in range(48)), comment)
    with av.open(str(tmp_path / "way.mp4")) as container:
        video = container.streams.video[0]
        assert video.codec_context.name == "h264"
        assert video.average_rate == FRAMES_PER_SECOND
        assert float(container.duration / av.time_base) == pytest.approx(2)
        assert container.metadata["comment"] == comment


@pytest.mark.parametrize("comment", ["even", "odd", 'a "lake" <b> & 湖'])
def test_webp_repeats_and_carries_the_comment(tmp_path, comment):
    write_video(tmp_path / "way.webp", "webp", (grey(40 * i) for i in range(6)), comment)
    with Image.open(tmp_path / "way.webp") as image:
        assert image.n_frames == 6
        assert image.info["loop"] == 0
        tree = ElementTree.fromstring(image.info["xmp"])
    assert tree.find(".//{http://ns.adobe.com/exif/1.0/}UserComment").text == comment


def test_webp_of_frames_all_alike_is_a_picture(tmp_path):
    write_video(tmp_path / "way.webp", "webp", [grey(99)] * 5, "a comment")
    frames = decoded(tmp_path / "way.webp")
    np.testing.assert_allclose([np.median(frame) for frame in frames], 99, atol=8)


def test_big_pictures_keep_their_size(tmp_path):
    write_video(tmp_path / "way.mp4", "mp4", [grey(9, 512)] * 2, "")
    assert decoded(tmp_path / "way.mp4")[0].shape == (512, 512, 3)


@pytest.mark.parametrize("form", FORMATS)
def test_no_frame_is_kept(tmp_path, form):
    alive, most, sizes = set(), 0, {}

    def images():
        nonlocal most
        for i in range(400):
            image = grey(i % 200)
            alive.add(i)
            weakref.finalize(image, alive.discard, i)
            most = max(most, len(alive))
            if i in (100, 399):
                gc.collect()
                sizes[i] = psutil.Process().memory_info().rss
            yield image

    write_video(tmp_path / f"way.{form}", form, images(), "")
    assert most <= 3
    frame = 384 * 384 * 3  # enlarged frames kept anywhere would add 299 of these
    assert sizes[399] - sizes[100] < 60 * frame


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("after", [0, 1, 30])
def test_a_broken_off_video_leaves_what_was_there(tmp_path, form, after):
    path = tmp_path / f"way.{form}"
    path.write_text("the old one")

    def images():
        yield from (grey(i) for i in range(after))
        assert path.read_text() == "the old one"
        raise KeyError("the thirteenth frame")

    with pytest.raises(KeyError):
        write_video(path, form, images(), "")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    assert path.read_text() == "the old one"
