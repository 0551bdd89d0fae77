"""Table 1 of the Rectified Flow paper (arXiv 2209.03003) at pocket scale: unconditional flows, measured.

    python -m benchmarks.flow_table                   (or: make flow-table)
    python -m benchmarks.flow_table --pictures cifar10 --inception inception.safetensors

Flows along the straight path, VP's and sub-VP's learn from the same pictures; the straight one is rectified
twice more, on its own pairs; each is distilled on its own pairs, too. All are measured in one Euler step, in
one step once distilled, and by Runge-Kutta 45. Sized for six hours on two cores; Ctrl-C stops, the same
command resumes. RUN then holds flow-table.json, .md, .svg, and .png: pictures of the same noise, three rows
a flow.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from accelerate import Accelerator
from torch import Tensor

from benchmarks.charts import dots
from benchmarks.flow_table.diary import Diary
from benchmarks.flow_table.experiment import Experiment, Row
from benchmarks.flow_table.network import Flow
from benchmarks.flow_table.pairs import Pairs
from benchmarks.flow_table.pictures import Pictures, cifar10, drawings
from benchmarks.flow_table.settings import FLOWS, FlowTable, costs
from benchmarks.flow_table.table import table
from benchmarks.latency import machine
from benchmarks.table_folder import check_settings
from rf_app.registry.disk import write_text
from trainers.common import command
from trainers.common.precision import accelerator_in
from trainers.common.runs import alone_in
from trainers.common.sheets import write_sheet


def main(config: FlowTable) -> None:
    """Learn, solve, distil, measure; write the table."""
    accelerator = accelerator_in(config.precision)
    with alone_in(config.run, accelerator):
        check_settings(config.run, config, "--run", ("run", "checkpoint_every", "compile", "tracker"))
        diary = Diary(config.run / "seconds.json", costs(config))
        with diary.stage("pictures"):
            pictures = pictures_of(config, accelerator)
            experiment = Experiment(config, pictures, accelerator)
            limit = experiment.figures(pictures.others)
        flows: dict[str | None, Flow] = {}
        pairs: dict[str | None, Pairs] = {}
        rows: list[Row] = []
        sheet: list[Tensor] = []
        for name, (_, before) in FLOWS.items():
            with diary.stage(f"{name}: flow"):
                flows[name] = experiment.flow(name, flows.get(before), pairs.get(before))
            with diary.stage(f"{name}: pairs"):
                pairs[name] = experiment.pairs(name, flows[name])
            with diary.stage(f"{name}: distillation"):
                student = experiment.distilled(name, flows[name], pairs[name])
            with diary.stage(f"{name}: figures"):
                rows += experiment.rows(name, flows[name], pairs[name], student)
                sheet += experiment.shown(flows[name], student)
                write_sheet(config.run / "flow-table.png", sheet)  # to look at before the end
        write(config, rows, limit, diary.seconds)


def pictures_of(config: FlowTable, accelerator: Accelerator) -> Pictures:
    """What is learned, with the network that looks at it."""
    folder = config.run / config.pictures
    if config.inception:
        return cifar10(config.measured, folder, config.inception, accelerator)
    counts = config.drawings, config.measured
    return drawings(*counts, folder, config.autoencoder, config.judge, accelerator)


def write(
    config: FlowTable, rows: Sequence[Row], limit: tuple[float, float], seconds: dict[str, float]
) -> None:
    """Write JSON, Markdown and chart, and print the table."""
    settings = {name: value for name, value in asdict(config).items() if not isinstance(value, Path)}
    found = {
        "machine": machine(),
        "settings": settings,
        "seconds": seconds,
        "limit": dict(zip(("fid", "recall"), limit, strict=True)),
        "rows": [asdict(row) for row in rows],
    }
    fids = [(name, {row.solver: row.fid for row in rows if row.flow == name}) for name in FLOWS]
    written = {
        "json": json.dumps(found, indent=1) + "\n",
        "md": table(rows, limit) + "\n",
        "svg": dots("FID of unconditional flows (less is better)", fids),
    }
    for suffix, text in written.items():
        write_text(config.run / f"flow-table.{suffix}", text)
    print(f"{written['md']}\n{sum(seconds.values()) / 3600:.1f} hours; {config.run}", flush=True)


if __name__ == "__main__":
    command.run(main, FlowTable)
