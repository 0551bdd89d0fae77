"""Models as HTML: the shelf of cards, one of them in full, and its family tree.

What a card says may come from anyone: every text is escaped here.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from functools import lru_cache
from html import escape
from pathlib import Path
from typing import Any

from rf_app.registry.card import ModelCard
from rf_app.ui.send import send_button
from rf_app.workflows import words
from rf_app.workflows.quality import figures
from rf_app.workflows.samples import settings_of, thumbnail
from rf_app.workflows.shelf import KIND_TITLES, Relative

SMALL, LARGE = 256, 512  # pixels a side
MAX_ROWS = 200  # of a card's figures
EMPTY = '<div class="lead"><p>No model has all of these words. Try fewer.</p></div>'


def shelf(cards: Sequence[ModelCard], samples: Mapping[str, Path | None], more: int, chosen: str) -> str:
    """The cards in a grid; more: how many others were found, chosen: the id of the one shown in full."""
    if not cards:
        return EMPTY
    rest = f'<p class="rest">{more:,} more: search, or show more of them.</p>' if more else ""
    return (
        f'<div class="shelf">{"".join(_card(card, samples[card.id], chosen) for card in cards)}</div>{rest}'
    )


def _card(card: ModelCard, sample: Path | None, chosen: str) -> str:
    facts = [f"{card.resolution}×{card.resolution}", words.steps(card.steps), card.license]
    best = _best(card)
    return (
        f'<article class="model{" chosen" if card.id == chosen else ""}" data-model="{escape(card.id)}">'
        f"{_picture(card, sample, SMALL)}"
        f'<h4><button data-act-model="open" data-id="{escape(card.id)}">{escape(card.title)}</button></h4>'
        f'<p class="badge {card.kind}">{KIND_TITLES[card.kind]}</p>'
        f"<p>{escape(' · '.join(facts))}</p>"
        f"<p>{escape(best)}</p>"
        f'<div class="links">{_links(card, sample)}</div></article>'
    )


def full(
    card: ModelCard, sample: Path | None, tree: Relative, size: int, needed_by: Sequence[str], bundled: bool
) -> str:
    """One model with everything its card says."""
    facts = {
        "Id": card.id,
        "Pictures": f"{card.resolution}×{card.resolution}",
        "Recommended": f"{words.steps(card.steps)}, guidance {card.guidance:g}",
        "Licence": card.license,
        "On disk": in_bytes(size) + (f", the rest is {card.base_model}’s" if card.base_model else ""),
    }
    if bundled:
        facts["Comes with"] = "the program"
    if needed_by:
        facts["Needed by"] = ", ".join(needed_by)
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    return (
        f"{_picture(card, sample, LARGE)}<h3>{escape(card.title)}</h3>"
        f'<p class="badge {card.kind}">{KIND_TITLES[card.kind]}</p>'
        f"<p>{escape(card.description.replace('`', ''))}</p>"
        f'<div class="links">{_links(card, sample)}</div><dl>{rows}</dl>'
        f'<h4>Family</h4><ul class="family">{_branch(tree, card.id)}</ul>{_figures(card)}'
    )


def in_bytes(size: float) -> str:
    """For people: 8.3 MB, 2.1 GB."""
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit in ("B", "kB") else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"


def _picture(card: ModelCard, sample: Path | None, side: int) -> str:
    if sample is None:
        return '<div class="blank"><span>No sample yet</span></div>'
    return f'<img src="{_data_url(sample, side)}" alt="Drawn by {escape(card.title)}" loading="lazy">'


@lru_cache(maxsize=256)
def _data_url(sample: Path, side: int) -> str:
    """Whoever types into the search sees the same pictures again; a new one has another path."""
    buffer = io.BytesIO()
    thumbnail(sample, side).save(buffer, "WEBP", quality=88)
    return f"data:image/webp;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def _links(card: ModelCard, sample: Path | None) -> str:
    settings = settings_of(sample, card.id)
    against = {"against": card.lineage[-1]} if card.lineage else {}
    return send_button("generate", settings, "Use in Generate") + send_button("compare", settings | against)


def _best(card: ModelCard) -> str:
    """What was measured at the recommended steps, or else at the nearest."""
    rows = figures([card])
    if not rows:
        return "Not measured yet"
    row = min(rows, key=lambda row: abs(row.steps - card.steps))
    return f"fidelity {row.fidelity:.1%} · FID {row.fid:.1f} · {words.duration(row.seconds)}"


def _branch(tree: Relative, chosen: str) -> str:
    title = escape(tree.card.title if tree.card else tree.id)
    if tree.id == chosen:
        name = f"<b>{title}</b>"
    elif tree.card:
        name = f'<button data-act-model="open" data-id="{escape(tree.id)}">{title}</button>'
    else:
        name = f"<span>{title}, not here</span>"
    steps = f" <small>{words.steps(tree.card.steps)}</small>" if tree.card else ""
    below = "".join(_branch(child, chosen) for child in tree.children)
    return f"<li>{name}{steps}{f'<ul>{below}</ul>' if below else ''}</li>"


def _figures(card: ModelCard) -> str:
    rows = [
        f"<tr><td>{escape(name)}</td><td>{escape(text)}</td></tr>"
        for heading in ("measured", "settings")
        for name, text in _flat(getattr(card, heading))
    ][:MAX_ROWS]
    if not rows:
        return ""
    return f"<details><summary>Figures and settings</summary><table>{''.join(rows)}</table></details>"


def _flat(values: Mapping[Any, Any], before: str = "") -> list[tuple[str, str]]:
    found = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            found += _flat(value, f"{before}{name} ")
        else:
            text = f"{value:.4g}" if isinstance(value, float) else str(value)
            found.append((f"{before}{name}", text[:200]))
    return found
