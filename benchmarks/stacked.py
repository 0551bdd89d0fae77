"""Is a second U-Net worth it? The stacked one-step model beside a single one, and beside a deeper single one.

    make stacked-table
    python -m benchmarks.stacked --teacher pocket-2rf

All three are distilled from one teacher on the same pairs, with the same batches and rates, for as long as
the single one takes: the others make fewer steps in that time, by the pace that is measured at first. The
deeper one has as many parameters as the stacked one, in further transformer blocks of a stock U-Net, which
begin as nothing: so it starts as its teacher, as the single one does, and the stacked one as two of them.

It goes on where it was stopped, and trains nothing twice: pairs, pace and models stay in the folder, which is
refused under other settings. Nothing else should work on the machine meanwhile.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean, median
from typing import Any

import torch
from accelerate import Accelerator
from diffusers import UNet2DConditionModel
from diffusers.models.attention import BasicTransformerBlock
from torch import nn

from benchmarks.latency import machine
from benchmarks.table_folder import check_settings
from benchmarks.training import of_events
from rf_app.metrics.judge import BUNDLED
from rf_app.registry.checking import CONFIGS, read_json
from rf_app.registry.disk import write_text
from rf_app.registry.loading import load
from rf_app.registry.stacked import StackedUNet
from rf_app.settings.training import Distill, Pairs
from trainers import distill, evaluate, pairs
from trainers.common import command, events
from trainers.common.findings import markdown
from trainers.common.models import publish_unet, registry_into
from trainers.common.runs import alone_in, default_run

NETWORKS = ("single", "stacked", "deeper")
STAGES = ("l2", "lpips")
PACE_STEPS = 60  # of each stage, by which the pace is measured
Steps = dict[str, dict[str, int]]
"""Of each network's stages."""


@dataclass(frozen=True)
class Options:
    """What to compare, and on how much."""

    teacher: str = "pocket-2rf"
    folder: Path | None = None
    """Where all of it is kept (default: stacked-table under the user's runs)."""
    pairs: int = 20_480
    """Pairs that the teacher draws, in 8 steps at guidance 2."""
    l2_steps: int = Distill.l2_steps
    """Steps of the single one."""
    lpips_steps: int = Distill.lpips_steps
    """Steps of the single one."""
    l2_batch: int = Distill.l2_batch
    lpips_batch: int = Distill.lpips_batch
    seeds: tuple[int, ...] = (0, 1)
    prompts: int = 2_000
    """Held-out prompts that are measured on."""
    judge: Path = BUNDLED
    """Folder of the judge."""


def deeper(unet: UNet2DConditionModel, depth: int) -> UNet2DConditionModel:
    """The same function by a U-Net with `depth` transformer blocks in each attention, in place of one."""
    made = UNet2DConditionModel.from_config(unet.config, transformer_layers_per_block=depth)
    made.load_state_dict(unet.state_dict(), strict=False)
    for name, block in made.named_modules():
        if isinstance(block, BasicTransformerBlock) and not name.endswith(".0"):
            for layer in (block.attn1.to_out[0], block.attn2.to_out[0], block.ff.net[-1]):
                nn.init.zeros_(layer.weight)
                nn.init.zeros_(layer.bias)
    return made


def parameters(config: Mapping[str, Any], stacked: bool = False, depth: int = 1) -> int:
    """How many a U-Net of this config has, stacked, or deeper."""
    cls = StackedUNet if stacked else UNet2DConditionModel
    with torch.device("meta"):
        made = cls.from_config(dict(config), transformer_layers_per_block=depth)
    return sum(each.numel() for each in made.parameters())


class Comparison:
    """The three networks, trained in one folder."""

    def __init__(self, options: Options):
        """Raises UserError for a teacher that is not there."""
        self.options, self.folder = options, options.folder or default_run("stacked-table")
        self.registry = registry_into(self.folder / "models")
        config = read_json(self.registry.pieces(options.teacher)["unet"] / CONFIGS["unet"])
        one, two, wanted = parameters(config), parameters(config, depth=2), parameters(config, stacked=True)
        self.depth = 1 + round((wanted - one) / (two - one))
        self.parameters = {"single": one, "stacked": wanted, "deeper": parameters(config, depth=self.depth)}

    def prepare(self) -> None:
        """Have the pairs drawn, and the deeper teacher published."""
        teacher, made = self.options.teacher, {"count": self.options.pairs, "steps": 8, "guidance": 2.0}
        pairs.main(Pairs(teacher=teacher, output=self.folder / "pairs", **made))
        if not self._is_there(id := self._teacher("deeper")):
            card = self.registry.card(teacher)
            pipeline = load(self.registry.pieces(teacher), card.kind)
            card = replace(card, id=id, title=id, lineage=(*card.lineage, teacher))
            publish_unet(self.registry, deeper(pipeline.unet, self.depth), pipeline.scheduler, card, False)

    def train(self, network: str, output: str, steps: Mapping[str, int], seed: int = 0) -> None:
        """Distil one network, unless it is there."""
        if self._is_there(output):
            return
        distill.main(
            Distill(
                teacher=self._teacher(network),
                stacked=network == "stacked",
                pairs=self.folder / "pairs",
                output=output,
                run=self.folder / output,
                models=self.folder / "models",
                judge=self.options.judge,
                seed=seed,
                **{f"{stage}_steps": steps[stage] for stage in STAGES},
                **{f"{stage}_batch": getattr(self.options, f"{stage}_batch") for stage in STAGES},
            )
        )

    def steps(self) -> Steps:
        """Of each network in the time of the single one, as measured when they are first asked for."""
        path = self.folder / "steps.json"
        if not path.is_file():
            asked = {stage: getattr(self.options, f"{stage}_steps") for stage in STAGES}
            pace = {network: self._pace(network, asked) for network in NETWORKS}
            found = {
                network: {
                    stage: max(1, round(count * pace[network][stage] / pace["single"][stage])) if count else 0
                    for stage, count in asked.items()
                }
                for network in NETWORKS
            }
            write_text(path, json.dumps(found))
        return json.loads(path.read_text())

    def measure(self, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """The figures of `trainers.evaluate` by id."""
        path, options = self.folder / "figures.json", self.options
        evaluate.main(
            evaluate.EvaluateConfig(
                model=tuple(ids),
                prompts=options.prompts,
                judge=options.judge,
                models=self.folder / "models",
                json=path,
            )
        )
        return {each["model"]: each for each in json.loads(path.read_text())}

    def _pace(self, network: str, asked: Mapping[str, int]) -> dict[str, float]:
        """Samples a second in each stage."""
        output = f"pace-{network}"
        if not self._is_there(output):  # the clock of a run that was stopped begins anew
            shutil.rmtree(self.folder / output, ignore_errors=True)
        self.train(network, output, {stage: PACE_STEPS * bool(asked[stage]) for stage in STAGES})
        return {
            stage: of_events(
                events.read(self.folder / output / stage / "events.jsonl"),
                getattr(self.options, f"{stage}_batch"),
            ).samples
            for stage in STAGES
            if asked[stage]
        }

    def _teacher(self, network: str) -> str:
        return f"{self.options.teacher}-deeper" if network == "deeper" else self.options.teacher

    def _is_there(self, id: str) -> bool:
        return (self.folder / "models" / id).is_dir()


def table(
    of: Mapping[str, int],
    steps: Steps,
    found: Mapping[str, Sequence[Mapping[str, Any]]],
    seeds: Sequence[int],
) -> str:
    """In Markdown; of: parameters; found: by network the figures of each seed."""
    cells = []
    for network, rows in found.items():
        fid, right = [row["fid"] for row in rows], [row["fidelity"]["mean"] for row in rows]
        made = " + ".join(f"{count:,}" for count in steps[network].values())
        of_fid = f"{mean(fid):.2f} ({', '.join(f'{each:.2f}' for each in fid)})"
        of_right = f"{mean(right):.1%} ({', '.join(f'{each:.1%}' for each in right)})"
        seconds = f"{median(row['seconds_per_image'] for row in rows):.4f}"
        cells.append((network, f"{of[network] / 1e6:.2f} M", made, of_fid, of_right, seconds))
    fids = f"FID (seeds {', '.join(map(str, seeds))})"
    return markdown(("network", "parameters", "steps, L2 + LPIPS", fids, "fidelity", "s / image"), cells)


def main(options: Options) -> None:
    """Train what is not there yet, measure, and print the table."""
    comparison = Comparison(options)
    with alone_in(comparison.folder, Accelerator()):
        check_settings(comparison.folder, options, "--folder", ("folder", "seeds", "prompts"))
        comparison.prepare()
        steps = comparison.steps()
        ids = {network: [f"{network}-{seed}" for seed in options.seeds] for network in NETWORKS}
        for i, seed in enumerate(options.seeds):
            for network in NETWORKS:
                comparison.train(network, ids[network][i], steps[network], seed)
        figures = comparison.measure([id for own in ids.values() for id in own])
    found = {network: [figures[id] for id in own] for network, own in ids.items()}
    print(f"{machine()}\n\n{table(comparison.parameters, steps, found, options.seeds)}")


if __name__ == "__main__":
    command.run(main, Options)
