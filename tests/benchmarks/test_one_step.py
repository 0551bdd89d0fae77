"""The benchmark of one step measures what it says, on a tiny model."""

from dataclasses import replace
from statistics import median

from benchmarks.charts import bars
from benchmarks.one_step import PARTS, SIZES, STOCK, _psnr, measure, table
from rf_app.registry.models import Registry


def test_the_engines_draw_the_stock_pictures_and_are_timed(tiny_models):
    size = replace(SIZES["pocket"], model="tiny-instaflow", warm_up=1, batches=(2,), many=(STOCK,))
    stock, expected = measure(Registry([tiny_models]), STOCK, size, 2)
    half, pictures = measure(Registry([tiny_models]), "bfloat16", size, 2)
    half.psnr = _psnr(pictures, expected)
    assert 35 < half.psnr < 80
    assert _psnr(expected, expected[::-1]) < 35
    for found in (stock, half):
        assert found.memory > 1e8
        assert found.pictures_a_second["2"] > 0
        assert sum(median(found.seconds[part]) for part in PARTS) <= max(found.seconds["total"])
    assert stock.many > median(stock.seconds["total"])
    assert half.many is None
    assert stock.flop["decode"] > stock.flop["unet"] / 100 > 0
    assert "bfloat16" in table([stock, half], {"float32": 1e12})


def test_a_chart_shows_parts_totals_and_ratios():
    drawn = bars("One & all", [("stock", {"text": 1.0, "unet": 3.0}), ("quick", {"text": 0.5, "unet": 0.5})])
    assert "One &amp; all" in drawn
    assert "4.00 s, 1.0 x" in drawn
    assert "1.00 s, 4.0 x" in drawn or "1000 ms, 4.0 x" in drawn
    assert drawn.count('height="26"') == 4
