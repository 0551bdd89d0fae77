"""Colours of models: by the name alone, apart from each other for whoever sees colours differently, too."""

import re
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest

from rf_app.ui.parts.colours import COLOURS, DASHES, FAMILY, colour_of

STYLE = (Path(__file__).parents[2] / "assets" / "style.css").read_text(encoding="utf-8")
PAPER = {"light": "#ffffff", "dark": "#16211b"}
# What is seen without one kind of cones, of linear RGB: Machado, Oliveira, Fernandes 2009, severity 1.
SEEN = {
    "all": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
}


def palette(scheme):
    """The colours c0, c1, … of the style sheet."""
    rule = re.findall(r"\{ (--c0:[^}]+)\}", STYLE)[("light", "dark").index(scheme)]
    return re.findall(r"--c\d: (#[0-9a-f]{6})", rule)


def linear(colour):
    """RGB, as light adds up."""
    share = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def oklab(rgb):
    """Where equal distances look equal (Ottosson 2020)."""
    cones = np.array(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
    )
    space = np.array(
        [
            [0.2104542553, 0.7936177850, -0.0040720468],
            [1.9779984951, -2.4285922050, 0.4505937099],
            [0.0259040371, 0.7827717662, -0.8086757660],
        ]
    )
    return space @ np.cbrt(cones @ rgb)


@pytest.mark.parametrize("scheme", PAPER)
def test_colours_are_apart_whoever_looks_and_stand_out_from_the_paper(scheme):
    colours = palette(scheme)
    assert len(colours) == COLOURS
    for matrix in SEEN.values():
        places = [oklab(np.clip(matrix @ linear(each), 0, 1)) for each in colours]
        assert min(np.linalg.norm(a - b) for a, b in combinations(places, 2)) > 0.05
    light = [linear(each) @ [0.2126, 0.7152, 0.0722] + 0.05 for each in (*colours, PAPER[scheme])]
    assert all(max(each, light[-1]) / min(each, light[-1]) >= 3 for each in light[:-1])


def test_a_model_s_colour_is_its_own_and_none_of_the_bundled_family_s():
    assert [colour_of(id) for id in FAMILY] == [f"c{i} d0" for i in range(4)]
    assert (colour_of("my-boats"), colour_of("tiny-sd")) == ("c4 d1", "c5 d1")  # as ever
    others = {colour_of(f"my-model-{i}") for i in range(300)}
    assert others == {f"c{c} d{d}" for c in range(4, COLOURS) for d in range(DASHES)}
