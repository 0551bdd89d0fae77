"""Measure models of a world of one's own, without a judge: by its held-out pictures and captions.

    python -m trainers.evaluate_world --images my-run/pictures --network my-run/contrastive/network \\
        --model my-world-teacher:25 my-world:1 --sheet sheet.png --json figures.json

Says of the pictures that models draw of held-out captions, beside the same of real pictures they never saw:
- sharpness: Laplacian energy, of the real pictures' (1 is as sharp; less is blurred, more is rough);
- far: the Frechet distance to real pictures, of that of as many other real ones (1 is as like; 8 and more is
  mush), in the features of the pocket world's judge;
- words: how often the own caption fits better than nine other held-out ones, as the network has it (.1 is by
  chance); none of them has been learned;
- new: how far the nearest picture learned from is, of a held-out one's (0 is learned by heart).
What nobody would call good stands there, too: noise, grey, one picture repeated, blobs; and each model's
figures in words.
The sheet has, from above: real pictures, their reconstructions, what each model draws of their captions, and
the picture learned from that is nearest to the last.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rf_app.errors import UserError
from rf_app.metrics.judge import Judge
from trainers.common import command
from trainers.common.contrastive import Contrastive
from trainers.common.findings import markdown, write_found, write_measured
from trainers.common.held_out import one_size, sampled
from trainers.common.likeness import REAL, Figures, Measures, in_words, mush
from trainers.common.models import decode, drawn, load_frozen, registry_into
from trainers.common.pixels import at_once, psnr, to_tensor
from trainers.common.reconstruction import reconstructed
from trainers.data.source import of_folder
from trainers.pocket.world import HELD_OUT

SHOWN = 8
MOST_LEARNED = 2_000  # of the pictures learned from, to compare with


@dataclass(frozen=True)
class EvaluateWorldConfig:
    """What to measure, and by what."""

    images: Path
    """Folder of captioned pictures that the models learned from."""
    network: Path
    """Folder of the network that trainers.contrastive made of them."""
    model: tuple[str, ...]
    """Models, each id or id:steps."""
    prompts: int = 256
    """Pictures that each draws: of held-out captions, again from other noise where there are fewer."""
    json: Path | None = None
    """File for the figures."""
    sheet: Path | None = None
    """PNG file for the contact sheet."""
    write_card: bool = False
    """Put the figures into the models' cards."""
    models: Path | None = None
    """Folder of models besides the bundled ones (default: the user's)."""

    def __post_init__(self) -> None:
        """Raises UserError for too few prompts."""
        if self.prompts < 2:
            raise UserError(f"--prompts must be at least 2, not {self.prompts}.")


@torch.no_grad()
def main(config: EvaluateWorldConfig) -> None:
    """Measure, print a table, write what was asked for."""
    registry = registry_into(config.models)
    models = sampled(registry, config.model)
    size = one_size([which.card for which in models])
    images, held = of_folder(config.images, size)
    learned = to_tensor(images.pixels(range(min(len(images), MOST_LEARNED))))
    pixels = held.pixels(range(len(held)))
    held_out, captions = to_tensor(pixels), [held.caption(i) for i in range(len(held))]
    network = Contrastive.load(config.network)
    measures = Measures(network, Judge.load(), (learned, images.captions), (held_out, captions))
    numbers = [i % len(held) for i in range(config.prompts)]
    rows: dict[str, Figures] = {REAL: measures.of(held_out, range(len(held)))}
    shown = [held_out[:SHOWN]]
    for i, which in enumerate(models):
        pipeline = load_frozen(registry, which.card.id)
        if i == 0:
            back = to_tensor(reconstructed(pipeline.vae, pixels))
            error = {"psnr": psnr(back, held_out).mean().item()}
            rows["reconstructed"] = measures.of(back, range(len(held))) | error
            shown.append(back[:SHOWN])
        parts = []
        for part in np.array_split(np.arange(config.prompts), -(-config.prompts // at_once(size))):
            texts = [captions[numbers[n]] for n in part]
            latents = drawn(
                pipeline, texts, [HELD_OUT + int(n) for n in part], which.card.guidance, which.steps
            )
            parts.append(decode(pipeline, latents).float().clamp(-1, 1).cpu())
        pictures = torch.cat(parts)
        rows[which.name] = found = measures.of(pictures, numbers)
        shown.append(pictures[:SHOWN])
        if config.write_card:
            told = {name: float(f"{value:.4g}") for name, value in found.items()}
            name = which.name.removeprefix(f"{which.card.id} ")
            card = registry.card(which.card.id)
            write_measured(registry.folder(card.id), card, card.measured | {name: told})
    for name, pictures in mush(held_out, config.prompts).items():
        rows[name] = measures.of(pictures, numbers)
    said = [in_words(rows, which.name, len(held)) for which in models]
    print("\n".join([table(rows), "", *said]), flush=True)
    columns = min(SHOWN, len(held), config.prompts)
    shown.append(learned[measures.nearest(shown[-1])])
    write_found(config, {"rows": rows, "said": said}, [row[:columns] for row in shown])


def table(rows: dict[str, Figures]) -> str:
    """The rows as a Markdown table."""
    names = ("psnr", "sharpness", "far", "words", "new")
    cells = (
        (name, *(f"{row[each]:.3g}" if each in row else "–" for each in names)) for name, row in rows.items()
    )
    return markdown(("pictures", *names), cells)


if __name__ == "__main__":
    command.run(main, EvaluateWorldConfig)
