"""Text-conditioned reflow: straighten a model's flow on pairs of its own sampling (2-RF; repeat for k-RF).

    python -m trainers.reflow --teacher pocket-sd --pairs pairs/pocket-sd --output pocket-2rf

Minimises E ||(x1 - x0) - v(X_tau, tau | text)||^2 on the straight path between a pair's noise and latent
(`objectives.reflow_loss`; InstaFlow, arXiv 2309.06380, equation 5). Ctrl-C stops; the same command resumes
and gives the same weights, and with more --steps and --overwrite a finished training goes on.
"""

from contextlib import suppress
from dataclasses import replace

import torch
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from rf_app.settings.training import Reflow
from trainers.common import command
from trainers.common.models import encode
from trainers.common.objectives import draw_tau, drop_text, reflow_loss
from trainers.common.runs import default_run
from trainers.common.student import PairsStudent

GUIDANCE = 1.5  # recommended for the result, as in InstaFlow: it brings back what the regression softens


def main(config: Reflow) -> None:
    """Train and publish."""
    student = PairsStudent(config, config.batch)
    batches = student.batches(config.batch, config.seed)
    null = encode(student.pipeline, [""])

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        batch = batches(draw)
        tau = draw_tau(config.density, config.batch, generator).to(batch.x0.device)
        batch = replace(batch, text=drop_text(batch.text, null, generator))
        return reflow_loss(model, batch, tau, student.schedule, config.loss)

    run = config.run or default_run(f"reflow/{config.output}")
    student.learn_pairs(run, loss, (1, 4), "loss", "density")
    oldest = (*student.teacher.lineage, student.teacher.id)[0]
    student.publish_flow(
        kind="rectified-flow",
        title=f"{times_rectified(student.registry, student.teacher)}-rectified flow of {oldest}",
        description=f"Reflow of `{config.teacher}` on {student.made}. Its paths are nearly straight: few "
        "Euler steps do.",
        steps=8,
        guidance=GUIDANCE,
    )


def times_rectified(registry: Registry, teacher: ModelCard) -> int:
    """How often a flow trained from `teacher` was rectified: 2 where there was none before, as Liu counts.

    Ancestors that are gone are not counted, nor are flows that only had something merged into their weights.
    """
    line = [teacher]
    for ancestor in teacher.lineage:
        with suppress(UserError):
            line.append(registry.card(ancestor))
    return 2 + sum(
        card.kind == "rectified-flow" and not {"merged", "lora"} & card.settings.keys() for card in line
    )


if __name__ == "__main__":
    command.run(main, Reflow)
