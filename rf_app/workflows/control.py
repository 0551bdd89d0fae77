"""Controls as JSON: what a picture carries of them, and what tabs and programs send."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rf_app.errors import UserError
from rf_app.pipeline.requests import MAX_CONTROLS, Control
from rf_app.plugins.picture import digest, read_base64, read_picture
from rf_app.registry.card import check_id
from rf_app.registry.controlnets import ControlNetCard, ControlNets
from rf_app.registry.models import Registry

if TYPE_CHECKING:
    from rf_app.workflows.generate import Studio

NUMBERS = ("strength", "start", "end")
THRESHOLDS = ("low", "high")
WISH = ("model", "image", "preprocessor", *THRESHOLDS, *NUMBERS)


def controlnets(registry: Registry) -> list[ControlNetCard]:
    """The ControlNets that belong to a registry's models."""
    return ControlNets.beside(registry).cards()


def read_control(found: Any) -> tuple[Control, ...]:
    """The controls in JSON that may come from anyone, as `control_settings` gives it.

    One with "on" false is left out. Raises UserError where it has no such form. Values still have to pass
    `GenerateRequest.checked`.
    """
    try:
        return tuple(
            Control(each["model"], each["image"], **{name: each[name] for name in NUMBERS if name in each})
            for each in found
            if each.get("on", True)
        )
    except (TypeError, KeyError, AttributeError):
        raise UserError("The settings of this picture's ControlNets are not readable.") from None


def wished_control(studio: Studio, found: Any, model: str) -> tuple[Control, ...]:
    """The controls in JSON of a program: a list of objects of WISH, each with model and image at least.

    image: a picture as base64; preprocessor: how it becomes a map (default: the ControlNet's own way), which
    is made for `model`. Raises UserError for what cannot be read. Numbers still have to pass `checked`.
    """
    if not isinstance(found, list) or len(found) > MAX_CONTROLS:
        raise UserError(f'control must be a list of up to {MAX_CONTROLS} of {{"model": …, "image": …}}.')
    own = {card.id: card.preprocessor for card in controlnets(studio.registry)}
    controls = []
    for each in found:
        if not isinstance(each, dict) or not {"model", "image"} <= set(each) <= set(WISH):
            raise UserError(
                f"{each!r:.80} is no control; give an object of model and image, and if you like of "
                f"{', '.join(WISH[2:])}."
            )
        id = check_id(each["model"], "ControlNet")
        how = each.get("preprocessor") or own.get(id, "none")
        picture = read_picture(read_base64(each["image"]))
        thresholds = {name: each[name] for name in THRESHOLDS if name in each}
        map = studio.condition_map(picture, model, how, **thresholds)
        controls.append(Control(id, map, **{name: each[name] for name in NUMBERS if name in each}))
    return tuple(controls)


def control_settings(control: Sequence[Control]) -> list[dict[str, Any]]:
    """What a picture carries of its controls: all that makes it again, the maps too, each with its digest."""
    return [asdict(each) | {"map": digest(each.image)} for each in control]


def control_summary(control: Sequence[Control]) -> list[dict[str, Any]]:
    """The same without the maps themselves."""
    return [
        {name: value for name, value in each.items() if name != "image"} for each in control_settings(control)
    ]
