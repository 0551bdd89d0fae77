"""A picture followed back along a flow to the noise it may have come from, and drawn again from there.

How near it comes back says how far the flow can be trusted with it, and in how many steps.

python -m rf_app invert photo.png "a lake at sunset" --model pocket-2rf --steps 8 --inversion learned
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.edit import Edit, edit
from rf_app.actions.edit import answer as edited
from rf_app.actions.edit import ask as ask_edit
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Events, result_in
from rf_app.flow.learned_inversion import DECODED_FROM
from rf_app.settings.picture import Lora
from rf_app.settings.start import CORRECTED, LEARNED, Start


@dataclass(frozen=True)
class Inverted:
    """The picture drawn again; psnr: in dB, to what the autoencoder alone makes of it; None where no level
    differs.
    """

    again: Picture
    psnr: float | None


def ask(
    image: File,
    prompt: str,
    model: str = "",
    steps: int | None = None,
    inversion: str = CORRECTED,
    seed: int = 0,
    width: int | None = None,
    height: int | None = None,
    loras: tuple[Lora, ...] = (),
) -> Edit:
    """The wish of a program.

    Args:
        image: The picture; what does not fit the shape of the model's is cut off.
        prompt: What it shows.
        model: Id of the model (default: a rectified flow, else a diffusion model).
        steps: Steps there, and as many back (default: the model's).
        inversion: How it is followed back: corrected, step by step; or learned (iRFDS), which looks for the
            noise that agrees with the whole way, in some 2,000 calls of the model.
        seed: The whole number that learning begins with.
        width: Width in pixels (default: the model's own).
        height: Height in pixels (default: the model's own).
        loras: Up to 8 objects of "id", as upload_lora gives it, and "strength" (-2 to 2, default 1).
    """
    # What is learned is learned from tau = DECODED_FROM on.
    strength = 1 - DECODED_FROM if inversion == LEARNED else 1.0
    common = {"model": model, "steps": steps, "guidance": 1.0, "seed": seed, "inversion": inversion}
    return ask_edit(image, prompt, strength, prompt, width=width, height=height, loras=loras, **common)


def invert(app: Application, wish: Edit) -> Events[Inverted]:
    """Follow a picture back to the noise it may have come from, and draw it again from there."""
    again = yield from result_in(edit(app, wish))
    kept = yield from result_in(edit(app, replace(wish, start=Start(wish.start.image, 0.0))))
    levels = (np.asarray(each.drawn.image, float) for each in (again, kept))
    error = np.square(np.subtract(*levels)).mean()
    yield Inverted(again, float(10 * np.log10(255**2 / error)) if error else None)


def answer(app: Application, found: list[Inverted]) -> tuple[File, dict[str, Any]]:
    """The PNG file of the picture drawn again; and its settings, with its PSNR in dB to what the autoencoder
    alone makes of the picture, null where they are the same.
    """
    [made] = found
    file, said = edited(app, [made.again])
    return file, said | {"psnr": made.psnr}
