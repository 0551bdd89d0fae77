"""Measure how well words change a picture and leave the rest of it, on held-out drawings of the pocket world.

    python -m trainers.evaluate_edit --prompts 200 --json edit.json

Each drawing's caption is written again with another time of day, or another colour of its object. An edit is
right if the judge sees the new value, and everything else as it sees it in the drawing. The judge sees what
is there and not where: how far forms stay in their place is the F1 of the drawing's edges and the edit's,
given at the strength that is right most often. Compared at one number of steps, each at several strengths:
SDEdit (arXiv 2108.01073: mixed with noise), DDIM inversion (followed back by the velocity at each step's end,
without correction), and `rf_app.flow.inversion`, as the Edit tab has it.

Then a disc in each drawing is drawn anew under the drawing's own words, as "Only here" does: how steep the
picture is along the border, in times of the drawings there (`trainers.common.redrawing`); 1 shows no seam.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.flow.inversion import CORRECTIONS, inverted
from rf_app.flow.path import interpolate, last_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import velocity_field
from rf_app.metrics.edges import canny, edge_f1
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.registry.card import ModelCard
from rf_app.registry.encoding import encoded
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.training import check_sampling
from trainers.common import command
from trainers.common.changes import changed, kept, reworded
from trainers.common.findings import markdown, write_found
from trainers.common.held_out import one_size
from trainers.common.models import decode, encode, load_frozen, noise_of, registry_into
from trainers.common.pixels import at_once, to_pixels, to_tensor
from trainers.common.redrawing import discs, redrawn, seam
from trainers.common.sight import seen
from trainers.pocket.first_edition.editions import world_of
from trainers.pocket.world import HELD_OUT

SHOWN = 8
METHODS = {"SDEdit": None, "DDIM inversion": 0, "corrected inversion": CORRECTIONS}
"""By name, how often a step back is corrected; None mixes with noise."""


@dataclass(frozen=True, kw_only=True)
class EvaluateEditConfig:
    """What to measure, and on how much."""

    model: tuple[str, ...] = ("pocket-sd", "pocket-2rf")
    prompts: int = 200
    """Number of drawings."""
    steps: int = 8
    """Steps of the whole path; the share of strength is taken, back and forth."""
    strength: tuple[float, ...] = (0.6, 0.7, 0.8, 0.9, 1.0)
    """How much may change; each method's best counts."""
    models: Path | None = None
    """Folder of models besides the bundled ones (default: the user's)."""
    judge: Path = BUNDLED
    """Folder of the judge."""
    json: Path | None = None
    """File for the figures."""
    sheet: Path | None = None
    """PNG file for pictures: the drawings, then a row for each method's best."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        if self.prompts < 1:
            raise UserError(f"--prompts must be 1 or more, not {self.prompts}.")
        check_sampling(self.steps, None)
        for strength in self.strength:
            if not 0 < strength <= 1:
                raise UserError(f"--strength must be above 0 and up to 1, not {strength:g}.")


@dataclass(frozen=True)
class EditRow:
    """Shares of pictures: with the new value, with all else as it was, and with both; and F1 of edges."""

    model: str
    method: str
    strength: float
    evaluations: int
    changed: float
    kept: float
    right: float
    edges: float


@dataclass(frozen=True)
class SeamRow:
    """How many times as steep as the drawings a part drawn anew is at its border."""

    model: str
    strength: float
    seam: float


@dataclass(frozen=True)
class Wish:
    """A drawing's words, other words, and the attribute in which they differ."""

    seed: int
    old: str
    new: str
    attribute: str
    value: str


def wishes(world: ModuleType, kinds: Mapping[str, Sequence[str]], count: int) -> list[Wish]:
    """The first `count` held-out seeds whose captions state a time or a colour, which is another one then."""
    found: list[Wish] = []
    seed = HELD_OUT
    while len(found) < count:
        scene, caption = world.describe(seed)
        attribute = ("time", "colour")[seed % 2]
        now = getattr(scene, attribute)
        if attribute in caption.stated and now != "none":
            others = [each for each in kinds[attribute] if each not in (now, "none")]
            value = others[seed // 2 % len(others)]
            found.append(Wish(seed, caption.text, reworded(world, seed, attribute, value), attribute, value))
        seed += 1
    return found


def edges_of(images: Tensor) -> list[np.ndarray]:
    """Where images [N, 3, H, W] in -1..1 have edges, bool [H, W] each."""
    return [canny(each) for each in to_pixels(images)]


@torch.no_grad()
def edited(
    pipeline,
    card: ModelCard,
    drawings: Tensor,
    asked: Sequence[Wish],
    config: EvaluateEditConfig,
    strength: float,
) -> dict[str, tuple[Tensor, int]]:
    """For each method the new pictures [N, 3, H, W], and the evaluations of the U-Net for each."""
    schedule, null = schedule_of(pipeline.scheduler), encode(pipeline, [""])
    taus = last_taus(config.steps, strength)
    made: dict[str, list[Tensor]] = {name: [] for name in METHODS}
    parts = torch.arange(len(asked)).split(at_once(card.resolution))
    for some in tqdm(parts, desc=f"{card.id}, {strength:g}", mininterval=2):
        some = some.tolist()
        old, new = (encode(pipeline, [getattr(asked[i], name) for i in some]) for name in ("old", "new"))
        x1 = encoded(pipeline.vae, drawings[some].to(pipeline.device))
        noise = noise_of([asked[i].seed for i in some], x1.shape[1:]).to(x1)
        back = velocity_field(pipeline.unet, old, schedule=schedule)
        forth = velocity_field(pipeline.unet, new, null, max(card.guidance, 1.0), schedule)
        for name, corrections in METHODS.items():
            if corrections is None:
                x = interpolate(noise, x1, taus[0])
            else:
                x = inverted(back, x1, taus, corrections=corrections).x
            made[name].append(decode(pipeline, euler(forth, x, taus).x).float().clamp(-1, 1).cpu())
    guided = 2 if card.guidance > 1 else 1
    calls = {name: (len(taus) - 1) * (guided + (0 if n is None else 1 + n)) for name, n in METHODS.items()}
    return {name: (torch.cat(images), calls[name]) for name, images in made.items()}


def main(config: EvaluateEditConfig) -> None:
    """Measure, print a table, write what was asked for."""
    registry, judge = registry_into(config.models), Judge.load(config.judge)
    cards = [registry.card(id) for id in config.model]
    size, world = one_size(cards), world_of(judge.kinds)
    asked = wishes(world, judge.kinds, config.prompts)
    seeds, attributes = [each.seed for each in asked], [each.attribute for each in asked]
    rows: list[EditRow] = []
    seams: list[SeamRow] = []
    shown: list[Tensor] = []
    pixels = np.stack([world.picture(seed, size) for seed in seeds])
    drawings, masks = to_tensor(pixels), discs(seeds, size)
    before, lines = seen(judge, drawings), edges_of(drawings)
    for card in cards:
        pipeline = load_frozen(registry, card.id)
        best: dict[str, tuple[float, Tensor]] = {}
        for strength in config.strength:
            for name, (images, calls) in edited(pipeline, card, drawings, asked, config, strength).items():
                after = seen(judge, images)
                new = changed(after, attributes, [each.value for each in asked])
                old = kept(before, after, attributes)
                right = [a and b for a, b in zip(new, old, strict=True)]
                same = [edge_f1(*pair) for pair in zip(lines, edges_of(images), strict=True)]
                shares = (float(np.mean(each)) for each in (new, old, right, same))
                row = EditRow(card.id, name, strength, calls, *shares)
                rows.append(row)
                best[name] = max(
                    best.get(name, (-1.0, images)), (row.right, images), key=lambda pair: pair[0]
                )
            how = card.guidance, config.steps, strength
            anew = redrawn(pipeline, pixels, masks, [each.old for each in asked], seeds, *how)
            seams.append(SeamRow(card.id, strength, seam(pixels, anew, masks)))
        shown += [drawings[:SHOWN], *(images[:SHOWN] for _, images in best.values()), to_tensor(anew[:SHOWN])]
    print(table(rows))
    cells = ((row.model, f"{row.strength:g}", f"{row.seam:.2f}") for row in seams)
    print(f"\n{markdown(('model', 'strength', 'seam'), cells)}")
    found = {"edits": [asdict(row) for row in rows], "seams": [asdict(row) for row in seams]}
    write_found(config, found, shown)


def table(rows: Sequence[EditRow]) -> str:
    """Each method at its best strength, as Markdown."""
    best: dict[tuple[str, str], EditRow] = {}
    for row in rows:
        key = row.model, row.method
        best[key] = max(best.get(key, row), row, key=lambda each: each.right)
    cells = []
    for row in best.values():
        shares = (f"{share:.1%}" for share in (row.changed, row.kept, row.right))
        how = row.model, row.method, f"{row.strength:g}", row.evaluations
        cells.append((*how, *shares, f"{row.edges:.2f}"))
    headings = ("model", "method", "strength", "U-Net calls", "changed", "kept", "both", "edges, F1")
    return markdown(headings, cells)


if __name__ == "__main__":
    command.run(main, EvaluateEditConfig)
