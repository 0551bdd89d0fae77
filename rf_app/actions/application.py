"""The application, as an action is given it: models and plug-ins at hand, the worker, the jobs, and who
asks.
"""

import os
import re
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from threading import Lock, Semaphore, Thread

from rf_app.actions.detached import Detached
from rf_app.actions.sizes import Sizes
from rf_app.actions.words import duration
from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.pipeline.checking import check, check_count, check_size, check_whole
from rf_app.pipeline.drawn import Drawn, Observer
from rf_app.pipeline.history import History
from rf_app.pipeline.pace import LIVE, SMALL
from rf_app.pipeline.small_work import small_work
from rf_app.pipeline.turns import NOBODY, Line, Turn, Turns, result_of
from rf_app.pipeline.worker import Worker
from rf_app.pipeline.zero_gpu import ZeroGpuWorker
from rf_app.plugins.picture import encode_map, read_base64, read_picture
from rf_app.plugins.preprocessors import cut
from rf_app.registry.card import ModelCard
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.decoders import DecoderCard, Decoders
from rf_app.registry.loras import Loras
from rf_app.registry.models import Registry
from rf_app.registry.permission import Permission
from rf_app.registry.store import Store
from rf_app.registry.translations import Translations
from rf_app.registry.vocabulary import vocabulary
from rf_app.schedulers.solvers import TITLES, solvers
from rf_app.settings.alternatives import expanded
from rf_app.settings.engine import on_zero_gpu
from rf_app.settings.picture import MAX_CONTROLS, MAX_SEED, CheckedSettings, Control, Lora, PictureSettings
from rf_app.settings.start import Start
from rf_app.settings.way import Way

FAVOURITE = "pocket-instaflow"  # the model the page opens with, if it is there
OPENS_WITH = "INSTAFLOW_MODEL"  # an environment variable, where it is to be another
WORLD = "It knows one small world: {}, and more of the kind."
SAID = 5  # topics
WARM = 3  # pictures: the first is no measure
LOOKED_AT = 8  # uploaded LoRAs, of up to 256 MB where strangers are
SLOW = "A picture takes about {} here"
ON_LOAN = "Each picture takes of the GPU time that you have here a day"
UNKNOWN = "How long a picture takes here is not known yet"
NOT_LIVE = "{}, too long to follow the typing, so Live is off: press Generate."
NOT_LIVE_YET = "{}, so Live is off: press Generate."
KIND_TITLES = {
    "one-step": "One step",
    "one-step-diffusion": "One-step diffusion",
    "turbo": "Turbo",
    "consistency": "Consistency",
    "trajectory-consistency": "Trajectory consistency",
    "few-step": "Few steps",
    "piecewise-flow": "Piecewise flow",
    "rectified-flow": "Rectified flow",
    "diffusion": "Diffusion",
}
ORDER = {kind: i for i, kind in enumerate(KIND_TITLES)}  # quickest first


@dataclass(frozen=True)
class Preset:
    """What the page sets when a model is chosen."""

    steps: int
    guidance: float
    solvers: tuple[tuple[str, str], ...]  # (title, name), the model's own first
    slow: str  # why its pictures do not follow the typing, or nothing
    about: str  # one line
    sizes: Sizes
    decoders: tuple[tuple[str, str], ...]  # (title, id) of the tiny ones that fit


@dataclass(frozen=True)
class Application:
    """visitor: the session that asks, whose uploads a wish may name. It is a secret, and goes nowhere.

    line: their address and session, as for `Turns`. one_picture: held while a picture of theirs is in memory,
    which may have 64 million pixels. enlarging: likewise, from before one is read until the larger one is a
    file. saving: held while presets are, as two windows may save at one moment. looking: held while an
    uploaded LoRA is looked at, of which there is a copy meanwhile; by LOOKED_AT at once.
    """

    worker: Worker
    jobs: Database = field(default_factory=Database)
    permission: Permission = field(default_factory=Permission)
    visitor: str = ""
    line: Line = NOBODY
    one_picture: Lock = field(default_factory=Lock)
    enlarging: Lock = field(default_factory=Lock)
    saving: Lock = field(default_factory=Lock)
    looking: Semaphore = field(default_factory=partial(Semaphore, LOOKED_AT))
    history: History = field(default_factory=History)
    detached: Detached = field(default_factory=Detached)
    small_work: Turns = field(default_factory=small_work)

    @classmethod
    def on(
        cls,
        registry: Registry,
        device: str | None = None,
        allow_training: bool = False,
        open_to_strangers: bool = False,
        safety_checker: bool = False,
    ) -> "Application":
        """The application on a registry; device and safety_checker: as for `Worker`, the others: as for
        `Permission`.
        """
        worker = (
            ZeroGpuWorker(registry, safety_checker)
            if on_zero_gpu()
            else Worker(registry, device, safety_checker=safety_checker)
        )
        return cls(worker, permission=Permission(allow_training, open_to_strangers))

    def seen_by(self, visitor: str, line: Line = NOBODY) -> "Application":
        """The same, asked by a session; "" for a call without one, as MCP's are."""
        return replace(self, visitor=visitor, line=line)

    def draw(
        self,
        settings: PictureSettings,
        between: Way | None = None,
        observe: Observer | None = None,
        start: Start | None = None,
    ) -> Turn[Drawn]:
        """A picture when it is the turn of who asks, and with their uploads; the rest is as for `Worker`."""
        asked = self.expanded(settings), self.visitor, between, observe, self.line, start
        return self.worker.draw(*asked)

    def expanded(self, settings: PictureSettings) -> PictureSettings:
        """The same, where the prompts have alternatives, with those that the seed chooses."""
        try:
            seed = check_whole("seed", settings.seed, 0, MAX_SEED)
        except UserError:  # whoever draws says so
            return settings
        texts = {"prompt": settings.prompt, "negative_prompt": settings.negative_prompt}
        made = {k: expanded(text, seed) for k, text in texts.items() if isinstance(text, str)}
        return replace(settings, **made)

    @property
    def registry(self) -> Registry:
        """The models."""
        return self.worker.registry

    @property
    def on_loan(self) -> bool:
        """Whether each picture is drawn on a GPU lent for it, and counted: none is drawn unasked then."""
        return isinstance(self.worker, ZeroGpuWorker)

    @property
    def loras(self) -> Loras:
        """The LoRAs for all."""
        return self.worker.loras

    @property
    def controlnets(self) -> ControlNets:
        """The ControlNets."""
        return self.worker.controlnets

    @property
    def decoders(self) -> Decoders:
        """The tiny decoders."""
        return self.worker.decoders

    @property
    def translations(self) -> Translations:
        """The translations between two kinds of pictures."""
        return self.worker.translations

    @property
    def stores(self) -> tuple[Store, ...]:
        """All that is at hand lies in one of these."""
        return self.registry, self.loras, self.controlnets, self.decoders, self.translations

    def check(self, settings: PictureSettings) -> CheckedSettings:
        """The settings in force on their model, and what computes them; raises UserError as `check` does."""
        return replace(check(settings, self.card(settings)), engine=self.worker.engine)

    def card(self, settings: PictureSettings) -> ModelCard:
        """The card of the settings' model, as their LoRAs make it; raises UserError where they cannot."""
        return self.worker.as_drawn(self.registry.card(settings.model), settings.loras, self.visitor)

    def models(self) -> list[tuple[str, str]]:
        """(title, id) of every usable model, quickest kind first; ids make equal titles distinct."""
        cards = sorted(self.registry.cards(), key=lambda card: (ORDER[card.kind], card.title, card.id))
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
        wanted = (os.environ.get(OPENS_WITH), FAVOURITE)
        return next((id for id in wanted if id in ids), ids[0])

    def prepared(self, settings: PictureSettings) -> PictureSettings:
        """The same on the model to open with, where none is named, and with pictures made into condition
        maps.
        """
        check_count("controls", settings.control, MAX_CONTROLS)
        settings = settings if settings.model else replace(settings, model=self.first_model())
        control = tuple(self.with_map(each, settings) for each in settings.control)
        return replace(settings, control=control)

    def with_map(self, control: Control, settings: PictureSettings) -> Control:
        """The control with its picture made into a condition map of the size of the settings' picture.

        Raises UserError for a bad picture, preprocessor or threshold, a size that the model cannot draw, and
        weights that are not here.
        """
        own = {card.id: card.preprocessor for card in self.controlnets.cards()}
        how = control.preprocessor or own.get(control.model, "none")
        size = self.size(settings)
        thresholds = {"low": control.low, "high": control.high} if how == "canny" else {}
        with self.one_picture:
            picture = cut(read_picture(read_base64(control.image)), how, size)
        map = self.worker.condition_map(picture, how, size, **thresholds)  # a detector waits for its turn
        return replace(control, image=encode_map(map), preprocessor="none")

    def size(self, settings: PictureSettings) -> tuple[int, int]:
        """Width and height of the settings' picture; raises UserError for one that the model cannot draw."""
        card = self.registry.card(settings.model)
        width, height = check_size(settings.width, settings.height, card).values()
        return width or card.resolution, height or card.resolution

    def decoders_for(self, model: str) -> list[DecoderCard]:
        """The tiny decoders that read the latents of a model."""
        vae = self.registry.pieces(model)["vae"]
        return [card for card in self.decoders.cards() if self.decoders.reads(card.id, vae)]

    def preset(self, model: str, loras: tuple[Lora, ...] = ()) -> Preset:
        """The recommended settings of a model with LoRAs."""
        card = self.card(PictureSettings("", model, loras=loras))
        names = tuple((TITLES[name], name) for name in solvers(card.kind))
        known = vocabulary(self.registry, model)
        what = known and WORLD.format(", ".join(each[0] for each in [*known.topics.values()][:SAID]))
        slow, sizes = self.slow(PictureSettings("", model, loras=loras)), Sizes.of(card)
        tiny = tuple((each.title, each.id) for each in self.decoders_for(model))
        return Preset(card.steps, card.guidance, names, slow, _about(card, what), sizes, tiny)

    def slow(self, settings: PictureSettings) -> str:
        """Why a picture does not follow the typing, by what was measured here; "" where it does."""
        why = self.keeps_waiting(self.typed(settings))
        return why and (NOT_LIVE_YET if why in (UNKNOWN, ON_LOAN) else NOT_LIVE).format(why)

    def keeps_waiting(self, settings: PictureSettings) -> str:
        """Why a picture is not drawn unasked, by what was measured here; "" where it is there at once."""
        if self.on_loan:
            return ON_LOAN
        seconds = self._seconds(settings)
        if seconds is None:
            small = self.worker.device.type != "cpu" or max(self.size(settings)) <= SMALL
            return "" if small else UNKNOWN
        return "" if seconds <= LIVE else SLOW.format(duration(seconds))

    def typed(self, settings: PictureSettings) -> PictureSettings:
        """The same while it is typed: with a tiny decoder, where the model's own takes too long."""
        tiny = self.decoders_for(settings.model) if settings.decoder is None else []
        if not tiny or (self._seconds(settings) or LIVE + 1) <= LIVE:
            return settings
        return replace(settings, decoder=tiny[0].id)

    def _seconds(self, settings: PictureSettings) -> float | None:
        """What the picture of settings takes; None where that is not known."""
        width, height = self.size(settings)
        asked = replace(settings, prompt=settings.prompt or "-", control=())
        return self.worker.pace.expected(check(asked, self.card(settings)), width * height)

    def warm_up(self) -> None:
        """Load the first model and use it once, in the background, so that no visitor waits for it."""
        if not self.on_loan:
            Thread(target=self._warm_up, daemon=True).start()

    def _warm_up(self) -> None:
        # A model that does not load is reported to the first person who asks for it.
        with suppress(UserError):
            for _ in range(WARM):
                drawn = result_of(self.worker.draw(PictureSettings("warming up", self.first_model())))
                if drawn.timings.total > LIVE:
                    return


def _about(card: ModelCard, knows: str | None) -> str:
    steps = "one step" if card.steps == 1 else f"{card.steps} steps"
    said = knows or re.split(r"(?<=[.!?])\s", card.description.strip(), maxsplit=1)[0]
    return f"{card.resolution}×{card.resolution}, {steps}. {said}".strip().replace("`", "")
