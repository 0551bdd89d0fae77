"""The table in Markdown, our figures beside the paper's."""

from collections.abc import Sequence

from benchmarks.flow_table.experiment import Row
from benchmarks.flow_table.settings import DISTILLED, EULER, RK45
from trainers.common.findings import markdown

PAPER: dict[str, dict[str, tuple[int, float, float]]] = {
    "1-RF": {EULER: (1, 378, 0.0), DISTILLED: (1, 6.18, 0.45), RK45: (127, 2.58, 0.57)},
    "2-RF": {EULER: (1, 12.21, 0.34), DISTILLED: (1, 4.85, 0.50), RK45: (110, 3.36, 0.54)},
    "3-RF": {EULER: (1, 8.15, 0.41), DISTILLED: (1, 5.21, 0.51), RK45: (104, 3.96, 0.53)},
    "VP": {EULER: (1, 451, 0.0), DISTILLED: (1, 16.23, 0.29), RK45: (140, 3.93, 0.51)},
    "sub-VP": {EULER: (1, 451, 0.0), DISTILLED: (1, 14.32, 0.35), RK45: (146, 3.16, 0.55)},
}
"""Evaluations, FID and recall on CIFAR-10: arXiv 2209.03003, table 1(a)."""


def table(rows: Sequence[Row], limit: tuple[float, float]) -> str:
    """limit: FID and recall of pictures that no flow has made."""
    headings = ("flow", "solved by", "evaluations", "FID", "recall", "paper: evaluations", "FID", "recall")
    cells = []
    for row in rows:
        evaluations, fid, covered = PAPER[row.flow][row.solver]
        ours = f"{row.evaluations:.0f}", f"{row.fid:.2f}", f"{row.recall:.2f}"
        cells.append((row.flow, row.solver, *ours, evaluations, f"{fid:g}", f"{covered:.2f}"))
    others = ("other pictures", "", "", *(f"{each:.2f}" for each in limit), "", "", "")
    return markdown(headings, [*cells, others])
