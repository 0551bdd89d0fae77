"""Charts: points where they belong, round numbers on the axes, and no text that is markup."""

import re

import pytest

from rf_app.ui.parts.chart import LEFT, RIGHT, TOP, WIDTH, Axis, Point, Series, chart


def corners(scale, low, middle):
    x, y = Axis("x", low, 100, scale), Axis("y", low, 100, scale)
    points = tuple(Point(v, v, "tip") for v in (low, middle, 100))
    html = chart("title", [Series("name", "c1", points)], x, y, height=200)
    found = re.search(r'class="c1"><polyline points="([^"]+)"', html)[1]
    return [tuple(map(float, point.split(","))) for point in found.split()]


@pytest.mark.parametrize("scale", [("linear", 0, 50), ("log", 1, 10), ("sqrt", 0, 25)])
def test_points_stand_where_the_axes_say(scale):
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    assert corners(*scale) == [(LEFT, TOP + 200), (middle, TOP + 100), (WIDTH - RIGHT, TOP)]


def test_the_order_of_points_is_kept():
    points = tuple(Point(x, 0.5, "") for x in (0, 1, 0.5))
    html = chart("t", [Series("n", "c0", points)], Axis("x", 0, 1), Axis("y", 0, 1))
    xs = [float(x) for x in re.findall(r"([\d.]+),", re.search(r'points="([^"]+)"', html)[1])]
    assert xs[0] < xs[2] < xs[1]


@pytest.mark.parametrize(
    ("axis", "marks"),
    [
        (Axis("x", 0, 1), (0, 0.2, 0.4, 0.6, 0.8, 1)),
        (Axis("x", -0.23, 0.41), (-0.2, 0, 0.2, 0.4)),
        (Axis("x", 0, 331_000), (0, 100_000, 200_000, 300_000)),
        (Axis("x", 0.03, 1.2, scale="log"), (0.05, 0.1, 0.2, 0.5, 1)),
        (Axis("x", 15, 900, scale="log"), (20, 50, 100, 200, 500)),
        (Axis("x", 0, 3100, scale="sqrt"), (0, 100, 400, 900, 1600, 2500)),
        (Axis("x", 1, 30, scale="log", ticks=(1, 4, 25)), (1, 4, 25)),
    ],
)
def test_axes_carry_round_numbers(axis, marks):
    assert axis.marks() == pytest.approx(marks)


def test_every_text_is_escaped():
    nasty = '"><img src=x>'
    html = chart(nasty, [Series(nasty, "c0", (Point(0, 0, nasty),))], Axis(nasty, 0, 1), Axis(nasty, 0, 1))
    assert "<img" not in html
