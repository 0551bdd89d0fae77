"""What the Generate tab and the API do, without a browser: pictures with settings, hints, presets, restoring.

studio = Studio(registry, worker)
shown = studio.generate(GenerateRequest("a snowy mountain", model="pocket-instaflow"))
shown.pictures[0].png  # the bytes of a PNG that carries its own settings
"""

import io
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from PIL import Image

from rf_app.errors import UserError
from rf_app.pipeline.png import parse_settings, read_settings, save_png
from rf_app.pipeline.requests import Control, GenerateRequest, GenerateResult, Lora, Timings
from rf_app.pipeline.worker import Worker
from rf_app.plugins.picture import encode_map
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from rf_app.registry.vocabulary import split_words, vocabulary
from rf_app.schedulers.solvers import TITLES, solvers
from rf_app.workflows.control import control_settings, control_summary, controlnets, read_control
from rf_app.workflows.loras import LoraDesk, lora_settings, read_loras

FAVOURITE = "pocket-instaflow"  # the model the page opens with, if it is there
LIVE_STEPS = 4  # up to so many steps, a picture follows the typing


@dataclass(frozen=True)
class Preset:
    """What the page sets when a model is chosen."""

    steps: int
    guidance: float
    solvers: tuple[tuple[str, str], ...]  # (title, name), the model's own first
    live: bool  # quick enough to follow the typing
    about: str  # one line


@dataclass(frozen=True)
class Picture:
    """One finished picture; `settings` are those that make exactly this picture again, alone."""

    image: Image.Image
    settings: dict[str, Any]

    @property
    def name(self) -> str:
        """A file name that says what it is: "instaflow-a-snowy-mountain-42.png"."""
        words = re.sub(r"[^a-z0-9]+", "-", self.settings["prompt"].lower()).strip("-")[:40].strip("-")
        return "-".join(filter(None, ("instaflow", words, str(self.settings["seed"])))) + ".png"

    @property
    def png(self) -> bytes:
        """The PNG file, settings included."""
        buffer = io.BytesIO()
        save_png(self.image, buffer, self.settings)
        return buffer.getvalue()


@dataclass(frozen=True)
class Hint:
    """Words of the prompt that the model has not learned, and by topic what it knows."""

    words: tuple[str, ...]
    topics: dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class Shown:
    """What the page shows for a request."""

    pictures: tuple[Picture, ...]
    request: GenerateRequest
    timings: Timings
    hint: Hint | None
    unread: str  # the end of a prompt that is too long for the model

    def as_json(self) -> dict[str, Any]:
        """What a program gets beside the files: settings, seeds, seconds, what was not understood."""
        return {
            "prompt": self.request.prompt,
            "negative_prompt": self.request.negative_prompt,
            "model": self.request.model,
            "steps": self.request.steps,
            "guidance": self.request.guidance,
            "solver": self.request.solver,
            "loras": lora_settings(self.request.loras),
            "control": control_summary(self.request.control),
            "seeds": [picture.settings["seed"] for picture in self.pictures],
            "seconds": asdict(self.timings),
            "unknown_words": list(self.hint.words) if self.hint else [],
            "unread": self.unread,
        }


@dataclass(frozen=True)
class Restored:
    """Settings of a picture, ready to use; `note` says what could not be restored, or nothing."""

    prompt: str
    negative_prompt: str
    model: str
    steps: int
    guidance: float
    solver: str
    seed: int
    loras: tuple[Lora, ...]
    control: tuple[Control, ...]
    note: str


class Studio:
    """The Generate workflow on one registry and one worker."""

    def __init__(self, registry: Registry, worker: Worker):
        """Both may be shared with other workflows."""
        self.registry = registry
        self.worker = worker
        self.loras = LoraDesk(worker)

    def models(self) -> list[tuple[str, str]]:
        """(title, id) of every usable model, quickest kind first; ids make equal titles distinct."""
        order = {"one-step": 0, "rectified-flow": 1, "diffusion": 2}
        cards = sorted(self.registry.cards(), key=lambda card: (order[card.kind], card.title, card.id))
        titles = [card.title for card in cards]
        return [
            (card.title if titles.count(card.title) == 1 else f"{card.title} ({card.id})", card.id)
            for card in cards
        ]

    def first_model(self) -> str:
        """The model to open with; raises UserError where there is none."""
        ids = [id for _, id in self.models()]
        if not ids:
            problems = "".join(f"\n- {id}: {why}" for id, why in self.registry.problems().items())
            raise UserError(f"No usable model was found; `make weights` trains the pocket models.{problems}")
        return FAVOURITE if FAVOURITE in ids else ids[0]

    def preset(self, model: str) -> Preset:
        """The recommended settings of a model."""
        card = self.registry.card(model)
        names = tuple((TITLES[name], name) for name in solvers(card.kind))
        return Preset(card.steps, card.guidance, names, card.steps <= LIVE_STEPS, _about(card))

    def generate(
        self,
        request: GenerateRequest,
        typing: bool = False,
        progress: Callable[[int, int], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Shown:
        """Make the pictures; raises UserError with a message for the person who asked.

        typing: the last word may be unfinished, so it gives no hint while a known word begins with it.
        """
        result = self.worker.generate(request, progress, cancelled)
        return Shown(
            pictures=tuple(
                Picture(image, _settings(result, seed))
                for image, seed in zip(result.images, result.seeds, strict=True)
            ),
            request=result.request,
            timings=result.timings,
            hint=self._hint(result, typing),
            unread=result.unread,
        )

    def condition_map(self, picture: Image.Image, model: str, preprocessor: str, **thresholds: float) -> str:
        """The condition map of an RGB picture at a model's resolution, for a `Control`.

        thresholds: low and high, of canny. Raises UserError for bad ones, an unknown model or preprocessor,
        and a detector whose weights are not here.
        """
        size = self.registry.card(model).resolution
        return encode_map(self.worker.condition_map(picture, preprocessor, size, **thresholds))

    def warm_up(self) -> None:
        """Load the first model and use it once, in the background, so that no visitor waits for it."""
        Thread(target=self._warm_up, daemon=True).start()

    def _warm_up(self) -> None:
        # A model that does not load is reported to the first person who asks for it.
        with suppress(UserError):
            self.generate(GenerateRequest("warming up", self.first_model()))

    def restore(self, path: Path, session: str = "") -> Restored:
        """The settings a picture carries; raises UserError where it carries none or they make no sense.

        session: whose uploads may be among its LoRAs.
        """
        found = read_settings(path)
        if found is None:
            raise UserError(
                "This picture carries no InstaFlow settings. Drop a PNG that was saved here, unchanged."
            )
        if not found:
            raise UserError("This picture lies between others: open it in the Interpolate tab.")
        return self._restored(found, session)

    def restore_sent(self, text: str, session: str = "") -> Restored:
        """The settings that another tab sent as JSON text; raises UserError where they make no sense."""
        return self._restored(parse_settings(text), session)

    def _restored(self, found: dict[str, Any], session: str) -> Restored:
        """Settings of a model, LoRA or ControlNet that is not here give everything else, with a note."""
        model, note = str(found.get("model")), ""
        solver = found.get("solver")
        if model not in (card.id for card in self.registry.cards()):
            note = (
                f"The picture was made with “{model}”, which is not in the model list; the rest is restored."
            )
            model, solver = self.first_model(), None
        loras = read_loras(found.get("loras", []))
        absent = self.loras.gone(loras, session)
        if absent:
            note += f" It used the LoRA “{absent[0].id}”, which is not here; it is left out."
        control = read_control(found.get("control", []))
        here = [card.id for card in controlnets(self.registry)] if control else []
        gone = [each.model for each in control if each.model not in here]
        if gone:
            note += f" It followed “{gone[0]}”, a ControlNet that is not here; it is left out."
        request = GenerateRequest(
            prompt=found.get("prompt", ""),
            model=model,
            steps=found.get("steps"),
            guidance=found.get("guidance"),
            seed=found.get("seed", 0),
            negative_prompt=found.get("negative_prompt", ""),
            solver=solver,
            loras=tuple(each for each in loras if each not in absent),
            control=tuple(each for each in control if each.model in here),
        ).checked(self.registry.card(model))
        return Restored(
            prompt=request.prompt,
            negative_prompt=request.negative_prompt,
            model=model,
            steps=request.steps,
            guidance=request.guidance,
            solver=request.solver,
            seed=request.seed,
            loras=request.loras,
            control=request.control,
            note=note.strip(),
        )

    def _hint(self, result: GenerateResult, typing: bool) -> Hint | None:
        words = result.unknown_words
        if not words:
            return None
        known = vocabulary(self.registry, result.request.model)
        last = split_words(result.request.prompt)[-1]
        if typing and any(word.startswith(last) for word in known.words):
            words = tuple(word for word in words if word != last)
        return Hint(words, known.topics) if words else None


def _settings(result: GenerateResult, seed: int) -> dict[str, Any]:
    request = result.request
    plugged = {"loras": lora_settings(request.loras)} if request.loras else {}
    if request.control:
        plugged["control"] = control_settings(request.control)
    return {
        "prompt": request.prompt,
        "negative_prompt": request.negative_prompt,
        "model": request.model,
        "steps": request.steps,
        "guidance": request.guidance,
        "solver": request.solver,
        "seed": seed,
        **plugged,
    }


def _about(card: ModelCard) -> str:
    steps = "one step" if card.steps == 1 else f"{card.steps} steps"
    first_sentence = re.split(r"(?<=[.!?])\s", card.description.strip(), maxsplit=1)[0]
    return f"{card.resolution}×{card.resolution}, {steps}. {first_sentence}".strip().replace("`", "")
