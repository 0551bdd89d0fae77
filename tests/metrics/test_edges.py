"""Edges and their agreement: by hand on small maps."""

import numpy as np
import pytest

from rf_app.metrics.edges import canny, edge_f1, edge_recall


def line(column: int, rows: int = 20) -> np.ndarray:
    edges = np.zeros((20, 40), bool)
    edges[:rows, column] = True
    return edges


@pytest.mark.parametrize(("away", "expected"), [(0, 1.0), (2, 1.0), (3, 0.0)])
def test_two_pixels_are_near_enough(away: int, expected: float) -> None:
    assert edge_f1(line(10), line(10 + away)) == expected


def test_precision_and_recall_are_what_they_say() -> None:
    """Half a line found is 10 pixels and 2 within reach of 20; a second line that nobody wants is half."""
    assert edge_f1(line(10), line(10, 10)) == pytest.approx(2 * 0.6 / 1.6)
    both = line(10) | line(30)
    assert edge_f1(line(10), both) == pytest.approx(2 * 0.5 / 1.5)
    assert edge_f1(both, line(10)) == pytest.approx(2 * 0.5 / 1.5)


def test_recall_forgives_what_else_there_is() -> None:
    assert edge_recall(line(10), line(10, 10) | line(30)) == pytest.approx(0.6)
    assert edge_recall(line(10), line(10) & False) == 0


def test_nothing_agrees_with_nothing_only() -> None:
    empty = np.zeros((20, 40), bool)
    assert edge_f1(empty, empty) == 1
    assert edge_f1(line(10), empty) == edge_f1(empty, line(10)) == 0


def test_canny_draws_around_a_square() -> None:
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[8:24, 8:24] = 255
    edges = canny(picture)
    assert edges.dtype == bool
    assert edges[8:24, 7:9].any(1).all()
    assert not edges[10:22, 10:22].any()
    assert not canny(picture // 255 * 10).any()
    assert canny(picture // 255 * 10, 5, 10).any()
