"""What is at hand as HTML: the shelf of cards, one of them in full, and its family tree.

What a card says may come from anyone: every text is escaped here.
"""

from collections.abc import Sequence
from functools import lru_cache
from html import escape
from pathlib import Path

from rf_app.actions import words
from rf_app.actions.application import Application
from rf_app.actions.collection import SHELVES, Relative, Thing, family
from rf_app.actions.measure import figures
from rf_app.actions.samples import opening_settings, sample_at_hand, thumbnail
from rf_app.plugins.picture import encoded
from rf_app.registry.card import Card, ModelCard, flat
from rf_app.registry.decoders import DecoderCard
from rf_app.registry.translations import TranslationCard
from rf_app.ui.parts.colours import colour_of
from rf_app.ui.parts.image import data_url
from rf_app.ui.parts.send import send_button

SMALL, LARGE = 256, 512  # pixels a side
MAX_ROWS, MAX_TEXT = 200, 200  # of a card's figures, and characters of one
EMPTY = '<div class="lead"><p>Nothing here has all of these words. Try fewer.</p></div>'

FIGURES = (
    "Fidelity: how much of what a prompt says is in the picture. "
    "FID: how unlike real drawings the pictures are; lower is better."
)


def shelf(app: Application, things: Sequence[Thing], more: int, chosen: str) -> str:
    """The cards in a grid; more: how many others were found, chosen: the key of the one shown in full."""
    if not things:
        return EMPTY
    rest = f'<p class="rest">{more:,} more: search, or show more of them.</p>' if more else ""
    return f'<div class="shelf">{"".join(_card(app, each, chosen) for each in things)}</div>{rest}'


def _card(app: Application, thing: Thing, chosen: str) -> str:
    sample, key, title = sample_at_hand(app, thing), escape(thing.key), escape(thing.card.title)
    return (
        f'<article class="model{" chosen" if thing.key == chosen else ""}" data-model="{key}">'
        f"{_picture(thing.card, sample, SMALL)}"
        f'<h4><button data-act-model="open" data-id="{key}">{title}</button></h4>{_badge(thing)}'
        f"<p>{escape(' · '.join(_facts(thing.card)))}</p>"
        f'<p title="{FIGURES}">{escape(_best(thing.card))}</p>'
        f'<div class="links">{_links(app, thing, sample)}</div></article>'
    )


def full(app: Application, thing: Thing) -> str:
    """One of them with everything its card says."""
    card, sample = thing.card, sample_at_hand(app, thing)
    lent = f", the rest is {card.base_model}’s" if card.base_model and isinstance(card, ModelCard) else ""
    facts = {
        "Id": card.id,
        **_own_facts(card),
        "Licence": card.license,
        "On disk": words.in_bytes(thing.size) + lent,
    }
    if thing.linked and app.permission:  # a path of this computer does not concern strangers
        facts["Weights in"] = str(thing.linked)
    if thing.store.is_bundled(card.id):
        facts["Comes with"] = "the program"
    if thing.needed_by:
        facts["Needed by"] = ", ".join(thing.needed_by)
    rows = "".join(f"<dt>{name}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
    related = tree(app.registry.cards(), card.id) if isinstance(card, ModelCard) else ""
    return (
        f"{_picture(card, sample, LARGE)}<h3>{escape(card.title)}</h3>{_badge(thing)}"
        f"<p>{escape(_plain(card))}</p>"
        f'<div class="links">{_links(app, thing, sample)}</div><dl>{rows}</dl>{related}{_figures(card)}'
    )


def _plain(card: Card) -> str:
    return card.description.replace("`", "")


def tree(cards: Sequence[ModelCard], id: str) -> str:
    """A model's family."""
    return f'<h4>Family</h4><ul class="family">{_branch(family(cards, id), id)}</ul>'


def _badge(thing: Thing) -> str:
    return f'<p class="badge {thing.kind}">{SHELVES[thing.kind]}</p>'


def _facts(card: Card) -> list[str]:
    if isinstance(card, ModelCard):
        return [f"{card.resolution}×{card.resolution}", words.steps(card.steps), card.license]
    return [*([f"for {card.base_model}"] if card.base_model else []), card.license]


def _own_facts(card: Card) -> dict[str, str]:
    if isinstance(card, ModelCard):
        return {
            "Pictures": f"{card.resolution}×{card.resolution}",
            "Recommended": f"{words.steps(card.steps)}, guidance {card.guidance:g}",
        }
    own = {"Trigger words": getattr(card, "trigger", ""), "Follows": getattr(card, "preprocessor", "")}
    own |= {"From": getattr(card, "source", ""), "To": getattr(card, "target", "")}
    own["For" if isinstance(card, DecoderCard) else "Trained on"] = card.base_model or ""
    return {name: text for name, text in own.items() if text}


def _picture(card: Card, sample: Path | None, side: int) -> str:
    if sample is None:
        return '<div class="blank"><span>No sample yet</span></div>'
    return f'<img src="{_address(sample, side)}" alt="Drawn by {escape(card.title)}" loading="lazy">'


@lru_cache(maxsize=256)
def _address(sample: Path, side: int) -> str:
    """Whoever types into the search sees the same pictures again; a new one has another path."""
    return data_url(encoded(thumbnail(sample, side), "WEBP", quality=88), "webp")


def _links(app: Application, thing: Thing, sample: Path | None) -> str:
    settings = opening_settings(app, thing, sample)
    if isinstance(thing.card, TranslationCard):
        return send_button("edit", settings, "Translate a picture")
    lineage = getattr(thing.card, "lineage", ())
    against = {"against": lineage[-1]} if lineage else {}
    return send_button("generate", settings, "Use in Generate") + send_button("compare", settings | against)


def _best(card: Card) -> str:
    """What was measured at the recommended steps, or else at the nearest."""
    rows = figures([card]) if isinstance(card, ModelCard) else []
    if not rows:
        return "Not measured yet" if isinstance(card, ModelCard) else _plain(card).split(". ")[0]
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
    return f'<li><i class="{colour_of(tree.id)}"></i>{name}{steps}{f"<ul>{below}</ul>" if below else ""}</li>'


def _figures(card: Card) -> str:
    rows = [
        f"<tr><td>{escape(name)}</td><td>{escape(text[:MAX_TEXT])}</td></tr>"
        for heading in ("measured", "settings")
        for name, text in flat(getattr(card, heading))
    ][:MAX_ROWS]
    if not rows:
        return ""
    return f"<details><summary>Figures and settings</summary><table>{''.join(rows)}</table></details>"
