"""What made pictures, in the words that stand under them."""

from collections.abc import Sequence
from dataclasses import dataclass

from rf_app.actions.application import Application
from rf_app.actions.loras import known
from rf_app.actions.picture import Picture
from rf_app.actions.words import steps
from rf_app.settings.picture import PictureSettings


@dataclass(frozen=True)
class Caption:
    """made: model, steps, size and seeds, and what made the pixels where it is not the model's own.

    active: each LoRA and ControlNet that acts, with its strength."""

    made: tuple[str, ...]
    active: tuple[str, ...]


def caption(app: Application, pictures: Sequence[Picture]) -> Caption:
    """The words for pictures of one wish; raises UserError for what is gone since they were drawn."""
    settings, image = pictures[0].drawn.settings, pictures[0].drawn.image
    seeds = f"seed {settings.seed}"
    if len(pictures) > 1:
        seeds = f"seeds {settings.seed} to {pictures[-1].drawn.settings.seed}"
    size = f"{image.width}×{image.height}"
    refined = ("refined",) if pictures[0].refined else ()
    pixels = (f"pixels by {app.decoders.card(settings.decoder).title}",) if settings.decoder else ()
    pixels += ("decoded in parts",) if pictures[0].drawn.tiled else ()
    return Caption(
        (app.registry.card(settings.model).title, steps(settings.steps), size, seeds, *pixels, *refined),
        active(app, settings),
    )


def active(app: Application, settings: PictureSettings) -> tuple[str, ...]:
    """The words for LoRAs and ControlNets that act; raises UserError for one that is not at hand."""
    styles = [(known(app, each.id).title, each.strength) for each in settings.loras]
    maps = [(app.controlnets.card(each.model).title, each.strength) for each in settings.control]
    return tuple(f"{title} {strength:g}" for title, strength in styles + maps if strength)
