"""The curve of inversion: a real round trip on a tiny model, and what the chart shows."""

import json
import xml.etree.ElementTree as ElementTree

import torch

from benchmarks.inversion import (
    ADAPTIVE,
    EIGHT_BITS,
    LEARNED,
    LEARNED_STEPS,
    STEPPED,
    InversionOptions,
    Row,
    chart,
    main,
)
from rf_app.flow.learned_inversion import learned
from rf_app.flow.velocity import Velocity


def test_each_method_goes_there_and_back_and_is_counted(tiny_models, tmp_path):
    """Tiny flows have a gentle velocity: with corrections every step is undone to the last bits."""
    files = {"json": tmp_path / "found.json", "plot": tmp_path / "found.svg"}
    main(
        InversionOptions(
            model=("tiny-2rf",),
            models=tiny_models,
            prompts=2,
            steps=(1, 2),
            tolerance=(0.1,),
            learned=3,
            **files,
        )
    )
    rows = [Row(**row) for row in json.loads(files["json"].read_text())["rows"]]
    assert [(row.method, row.steps, row.calls) for row in rows[:-2]] == [
        (name, steps, calls * steps)
        for (name, _), calls in zip(STEPPED.items(), (2, 5, 10), strict=True)
        for steps in (1, 2)
    ]
    assert rows[-2].method == ADAPTIVE
    assert rows[-2].calls > 10
    assert (rows[-1].method, rows[-1].calls) == (LEARNED, 2 * 3 + LEARNED_STEPS)
    assert rows[2].psnr > rows[0].psnr
    assert all(0 < row.noise < 10 for row in rows)
    assert len(ElementTree.parse(files["plot"]).findall(".//{*}polyline")) == len(STEPPED) + 2


def test_the_chart_has_a_panel_a_model_and_ends_where_8_bits_do():
    rows = [Row(id, "Euler & co", n, None, 2.0 * n, 20.0 * n, 1.0) for id in ("a", "b") for n in (1, 8)]
    drawn = chart(rows)
    assert drawn.count("Euler &amp; co: 20.0 at 2") == 2
    assert drawn.count(f"Euler &amp; co: {EIGHT_BITS:.1f} at 16") == 2


def test_learned_noise_is_that_of_a_straight_flow_and_looks_like_noise():
    generator = torch.Generator().manual_seed(4)
    x0, away = torch.randn(2, 3, 256, generator=generator)
    x0, way = (x0 - x0.mean(1, keepdim=True)) / x0.std(1, keepdim=True), 3.0
    start = x0 + 0.3 * away
    straight: Velocity = lambda x, tau: torch.full_like(x, way)  # noqa: E731
    found = learned(straight, x0 + way, start, generator, iterations=800)
    assert found.evaluations == 2 * 800
    assert (found.x - x0).abs().max() < 0.05 < (start - x0).abs().max()
