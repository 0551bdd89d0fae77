"""What stays in memory, by its bytes; and what happens where there is too little: tried, told, survived."""

import gc
import weakref
from itertools import pairwise

import numpy as np
import pytest
import torch

from rf_app.errors import UserError
from rf_app.pipeline import residence
from rf_app.pipeline.memory import decoding_bytes, sampling_bytes
from rf_app.pipeline.turns import result_of
from rf_app.settings.picture import PictureSettings
from tests.plugins.test_controlnet import LINE


def draw(worker, model="tiny-instaflow", **values):
    return result_of(worker.draw(PictureSettings("a lake", model, **values)))


def kept(worker):
    return [key[1] for key in worker._residence if key[0] == "model"]


def unet_of(worker, model):
    return worker._models.get(model).pipeline.unet


def out_of_memory(*_):
    torch.empty(2**50)  # what PyTorch itself raises


def test_bytes_are_counted_once_and_least_recently_used_ones_leave_for_real(worker):
    sizes = []
    for model in ("tiny-sd", "tiny-2rf", "tiny-instaflow"):
        draw(worker, model)
        sizes.append(worker._residence.used)
    unet = sum(each.nbytes for each in unet_of(worker, "tiny-2rf").parameters())
    assert sizes[0] > unet
    assert [b - a for a, b in pairwise(sizes)] == [unet, unet]  # the rest is shared

    gone = weakref.ref(unet_of(worker, "tiny-2rf"))
    before = draw(worker, "tiny-sd").image
    draw(worker, "tiny-instaflow")
    worker._residence.budget = sizes[1]
    draw(worker, "tiny-instaflow", control=(LINE,))  # needs room: the oldest goes
    assert kept(worker) == ["tiny-instaflow"] or "tiny-2rf" not in kept(worker)
    gc.collect()
    assert gone() is None
    assert draw(worker, "tiny-sd").image.tobytes() == before.tobytes()
    assert worker._residence.used <= sizes[2]


def test_where_memory_runs_out_what_is_not_in_use_leaves_and_it_is_tried_once_more(worker):
    draw(worker, "tiny-sd")
    before = draw(worker).image
    tries = []

    def fail_once(*_):
        tries.append(kept(worker))
        if len(tries) == 1:
            out_of_memory()

    hook = unet_of(worker, "tiny-instaflow").register_forward_pre_hook(fail_once)
    assert draw(worker).image.tobytes() == before.tobytes()
    assert tries == [["tiny-sd", "tiny-instaflow"], ["tiny-instaflow"]]
    hook.remove()

    hook = unet_of(worker, "tiny-instaflow").register_forward_pre_hook(out_of_memory)
    with pytest.raises(UserError, match="tiny-instaflow: there is not enough memory; try a smaller picture"):
        draw(worker)
    hook.remove()
    assert draw(worker).image.tobytes() == before.tobytes()


def test_a_picture_is_decoded_in_tiles_or_refused_by_its_size_where_memory_is_short(worker, monkeypatch):
    whole = draw(worker, width=192, height=144)
    assert not whole.tiled
    pipeline = worker._models.get("tiny-instaflow").pipeline
    size, needed = (18, 24), sampling_bytes(pipeline.unet, (18, 24), 1)
    most, least = (decoding_bytes(pipeline.vae, size, tiled) for tiled in (False, True))
    assert least < most
    free = residence.SPARE + max(needed, least)
    monkeypatch.setattr(residence, "available", lambda device: free)
    if max(needed, least) < most:
        tiled = draw(worker, width=192, height=144)
        assert tiled.tiled
        assert tiled.image.size == whole.image.size
        assert not draw(worker).tiled
        assert np.asarray(tiled.image).std() > 0
    monkeypatch.setattr(residence, "available", lambda device: free - 1)
    with pytest.raises(UserError, match=r"A picture of 192×144 takes about .* choose a smaller size"):
        draw(worker, width=192, height=144)
    monkeypatch.setattr(residence, "available", lambda device: residence.SPARE)
    worker._residence.drop(("model", "tiny-2rf"))
    with pytest.raises(UserError, match=r"Tiny 2Rf: takes 0\.0 GB of memory, and 0\.0 GB are free"):
        draw(worker, "tiny-2rf")
