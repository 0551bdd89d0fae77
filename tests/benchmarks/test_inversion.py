"""The curve of inversion: a real round trip on a tiny model, and what the chart shows."""

import json
import xml.etree.ElementTree as ElementTree

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
