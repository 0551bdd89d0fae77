"""One thread owns the device and the models; everybody else sends it settings and waits for the pictures.

Loading weights on two threads at once corrupts modules, and schedulers keep the state of a run: so all of it
happens here, one picture after the other. Every image is sampled on its own: in a batch its last bits would
depend on the number of its neighbours, and a seed must give the same pixels always.

    worker = Worker(Registry.default())
    drawn = result_of(worker.draw(PictureSettings("a lake at sunset", "pocket-instaflow")))
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLImg2ImgPipeline
from PIL import Image
from torch import Tensor

from rf_app.pipeline.checking import check, check_way
from rf_app.pipeline.decoding import check_safe, decode
from rf_app.pipeline.mixing import mixed_noise, mixed_text
from rf_app.pipeline.prompts import embed, of_one_length, unread
from rf_app.pipeline.turns import NOBODY, Line, Report, Step, Turn, Turns
from rf_app.plugins.controlnet import ControlNetPlugin
from rf_app.plugins.lora import LoraFile
from rf_app.plugins.merging import Merger, signature
from rf_app.plugins.plugging import LoraPlugs, Plugged
from rf_app.plugins.preprocessors import DETECTORS, condition_map
from rf_app.plugins.uploads import Uploads
from rf_app.registry.card import ModelCard
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.disk import Files, Stamp, stamp
from rf_app.registry.loading import load
from rf_app.registry.loras import Loras, with_loras
from rf_app.registry.models import Registry
from rf_app.registry.refiner import load_refiner
from rf_app.registry.vocabulary import Vocabulary, vocabulary
from rf_app.schedulers.solvers import ETA, fresh, straight
from rf_app.settings.picture import CheckedSettings, Lora, PictureSettings
from rf_app.settings.way import Way

CACHED_TEXTS = 256
ENLARGED = 2  # times, before it is refined
ROOM = 12 * 2**30  # bytes of a GPU for the refiner: 6 GiB of weights, and a picture of 1024x1024


@dataclass(frozen=True)
class Timings:
    """Seconds the worker spent on a picture; total counts what lies between, too."""

    text: float
    unet: float
    decode: float
    total: float

    def __add__(self, other: "Timings") -> "Timings":
        """Those of two pictures together."""
        return Timings(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass(frozen=True)
class Drawn:
    """A picture and what made it.

    way: its place between key frames, if it has one. unknown_words: those the model has not learned. unread:
    the end of a prompt that is too long for its text encoder, or nothing.
    """

    image: Image.Image
    settings: CheckedSettings
    way: Way | None
    timings: Timings
    unknown_words: tuple[str, ...]
    unread: str


@dataclass(frozen=True)
class Moment:
    """What an observer sees of a picture on its way, on the worker's thread; first the noise, with done = 0.

    latents: [1, C, h, w]. velocity: of the step that led here, where the path is the straight one.
    """

    done: int
    of: int
    latents: Tensor
    velocity: Tensor | None
    decode: Callable[[Tensor], Image.Image]


Observer = Callable[[Moment], None]


class ResidentPipeline(StableDiffusionPipeline):
    """The stock pipeline of a model that stays where it is.

    The stock property walks through all modules in search of offloading hooks, five times a call: 3 ms that a
    one-step picture feels.
    """

    @property
    def _execution_device(self) -> torch.device:
        return self.unet.conv_in.weight.device


@dataclass(frozen=True)
class Resident:
    """A model in memory, and the folders it came from as they were."""

    card: ModelCard
    pipeline: StableDiffusionPipeline
    vocabulary: Vocabulary | None
    stamps: frozenset[Stamp]
    text_stamp: Stamp  # which text encoder it has, for the cache of embeddings


class Worker:
    """The pipeline worker. Its methods may be called from any thread."""

    def __init__(
        self,
        registry: Registry,
        device: str | torch.device | None = None,
        resident: int = 3,
        safety_checker: bool = False,
    ):
        """device: None takes CUDA, then Apple's GPU, then the CPU. resident: models kept in memory.

        safety_checker: hold back what a model's own, where it brings one, does not let through.
        """
        self.registry = registry
        self.device = torch.device(device or _best_device())
        self.dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        self._size, self._safety_checker = resident, safety_checker
        self._models: OrderedDict[str, Resident] = OrderedDict()
        self._pieces: WeakValueDictionary[Files, Any] = WeakValueDictionary()
        self._texts: OrderedDict[tuple[Any, ...], Tensor] = OrderedDict()
        self.loras, self.uploads = Loras.beside(registry), Uploads.beside(registry)
        self._plugs = LoraPlugs(self.loras, self.uploads, self.device)
        self._merger = Merger()
        self.controlnets = ControlNets.beside(registry)
        self._controlled = ControlNetPlugin(self.controlnets, self.device, self.dtype)
        self._refiner: StableDiffusionXLImg2ImgPipeline | None = None
        self._turns = Turns()

    def draw(
        self,
        settings: PictureSettings,
        visitor: str = "",
        between: Way | None = None,
        observe: Observer | None = None,
        line: Line = NOBODY,
    ) -> Turn[Drawn]:
        """One picture, when its turn comes: the generator yields steps and returns it.

        visitor: the session whose uploads `settings.loras` may name. between: a way with key frames; noise
        and text are mixed from theirs, and its picture takes the place of `settings`. observe: sees every
        moment of Euler's method on the straight path, whatever the solver in `settings`. line: whose turn it
        is. Raises UserError for what the user can put right, HeldBack for a picture that the model's safety
        checker does not let through; another error is a defect, and the worker lives on.
        """
        return self._turns.take(lambda report: self._draw(settings, visitor, between, observe, report), line)

    def refine(self, drawn: Drawn, strength: float, steps: int, line: Line = NOBODY) -> Turn[Drawn]:
        """A picture at ENLARGED its side, refined with its own prompts and seed; in turn as `draw`.

        strength: the share of the refiner's steps that are taken, in 0..1; one at least. Raises as `draw`,
        and UserError where there is no refiner, or none that is whole.
        """
        return self._turns.take(lambda report: self._refine(drawn, strength, steps, report), line)

    def condition_map(
        self, picture: Image.Image, preprocessor: str, size: tuple[int, int], **thresholds: float
    ) -> Image.Image:
        """As `rf_app.plugins.preprocessors.condition_map`; what loads a model takes its turn."""
        if preprocessor not in tuple(DETECTORS):  # a program may send what no dict can look up
            return condition_map(picture, preprocessor, size, **thresholds)
        return self._turns.wait_for(lambda: condition_map(picture, preprocessor, size))

    def as_drawn(self, card: ModelCard, loras: Sequence[Lora], visitor: str) -> ModelCard:
        """The card of a model as LoRAs make it; raises as `with_loras`."""
        return with_loras(card, list(self._plugs.cards(loras, visitor).values()))

    def few_step_loras(self, loras: Sequence[Lora], visitor: str) -> set[str]:
        """The ids of those that make a diffusion model one of another kind."""
        return {id for id, card in self._plugs.cards(loras, visitor).items() if card.kind}

    def trigger_words(self, loras: Sequence[Lora], visitor: str) -> list[str]:
        """The words that call those that act."""
        return [card.trigger for card in self._plugs.cards(loras, visitor).values()]

    def inspect_lora(self, file: Path, model: str) -> LoraFile:
        """Read a LoRA's file that may come from anyone, and see that it fits a model; in turn as `draw`.

        Raises UserError with the reason where it is no LoRA or does not fit.
        """
        return self._turns.wait_for(lambda: self._plugs.inspect(self._model(model).pipeline, file))

    def close(self) -> None:
        """Finish the picture at hand, drop those that wait, end the thread."""
        self._turns.close()

    @torch.inference_mode()
    def _draw(
        self,
        settings: PictureSettings,
        visitor: str,
        between: Way | None,
        observe: Observer | None,
        report: Report,
    ) -> Drawn:
        settings = between.picture if between else settings
        model = self._model(settings.model)
        card = self.as_drawn(model.card, settings.loras, visitor)
        way = check_way(between, card) if between else None
        settings = way.picture if way else check(settings, card)
        own = model.pipeline.scheduler
        scheduler = straight(own) if observe else fresh(own, card.kind, settings.solver)
        size = self._latent_size(model, settings)
        pipeline, control = self._controlled.attach(model.pipeline, settings.control, settings.steps, size)
        plugged = self._plugs.plugged(model.pipeline, settings.loras, visitor)
        start = self._now()
        # After the noise some samplers draw more from it, as in the stock pipeline.
        generator = torch.Generator("cpu").manual_seed(settings.seed)
        noise = self._noise(model, generator, size)
        guided = settings.guidance > 1
        alone = way.at_key_frame() if way else settings  # a key frame's length is not that of its neighbours
        prompts = [alone.prompt] if alone else [key.prompt for key in way.key_frames]
        texts = self._embed(model, [*prompts, *([settings.negative_prompt] * guided)], plugged)
        null_embeds = texts.pop() if guided else None
        embeds = texts[0] if alone else mixed_text(way, texts)
        if way:
            seeded = [torch.Generator("cpu").manual_seed(key.seed) for key in way.key_frames]
            noise = mixed_noise(way, [self._noise(model, each, size) for each in seeded])
        text_done = self._now()
        self._merger.give(model.pipeline.unet, plugged.unet)
        done = 0

        def after_step(pipeline: StableDiffusionPipeline, _: int, __: Tensor, tensors: dict) -> dict:
            nonlocal done
            done += 1
            see(tensors["latents"])
            report(Step(done, len(pipeline.scheduler.timesteps)))
            return tensors

        def see(latents: Tensor) -> None:
            if observe:
                velocity = scheduler.velocity
                observe(Moment(done, settings.steps, latents, velocity, lambda x: decode(pipeline, x)))

        see(noise)
        pipeline.scheduler = scheduler  # lent
        try:
            latents = pipeline(
                prompt_embeds=embeds,
                negative_prompt_embeds=null_embeds,
                num_inference_steps=settings.steps,
                guidance_scale=settings.guidance,
                latents=noise,
                generator=generator,
                eta=ETA.get(settings.solver, 0.0),
                output_type="latent",
                callback_on_step_end=after_step,
                **control,
            ).images
        finally:
            model.pipeline.scheduler = own
        sampled = self._now()
        image = decode(model.pipeline, latents)
        decoded = self._now()
        called, known = self.trigger_words(settings.loras, visitor), model.vocabulary
        return Drawn(
            image=image,
            settings=settings,
            way=way,
            timings=Timings(text_done - start, sampled - text_done, decoded - sampled, decoded - start),
            unknown_words=tuple(known.unknown(settings.prompt, called)) if known else (),
            unread=unread(model.pipeline.tokenizer, settings.prompt, weighted=known is None),
        )

    @torch.inference_mode()
    def _refine(self, drawn: Drawn, strength: float, steps: int, report: Report) -> Drawn:
        if self._refiner is None:
            # It is larger than they are: both stay where a GPU has the room.
            if self.device.type != "cuda" or torch.cuda.mem_get_info(self.device)[0] < ROOM:
                self._models.clear()
            self._refiner = load_refiner(self.device, self.dtype)
        start = sampled = self._now()

        def after_step(pipeline: StableDiffusionXLImg2ImgPipeline, done: int, _: Any, tensors: dict) -> dict:
            nonlocal sampled
            sampled = self._now()
            report(Step(done + 1, pipeline.num_timesteps))
            return tensors

        settings, size = drawn.settings, tuple(ENLARGED * side for side in drawn.image.size)
        image = self._refiner(
            prompt=settings.prompt,
            negative_prompt=settings.negative_prompt,
            image=drawn.image.resize(size, Image.Resampling.LANCZOS),
            strength=strength,
            num_inference_steps=steps,
            generator=torch.Generator("cpu").manual_seed(settings.seed),
            callback_on_step_end=after_step,
        ).images[0]
        end = self._now()
        if self._safety_checker:
            check_safe(self._model(settings.model).pipeline, image)
        timings = drawn.timings + Timings(0, sampled - start, end - sampled, end - start)
        return replace(drawn, image=image, timings=timings)

    def _model(self, id: str) -> Resident:
        """The model, from memory if its folders are still what they were."""
        folder = self.registry.folder(id)
        found = self._models.get(id)
        if found and stamp(folder) in found.stamps and all(_unchanged(old) for old in found.stamps):
            self._models.move_to_end(id)
            return found
        self._models.pop(id, None)
        self._refiner = None  # it would leave too little room
        while len(self._models) >= self._size:
            self._models.popitem(last=False)
        model = self._load(id)
        while not all(_unchanged(old) for old in model.stamps):
            model = self._load(id)  # it was replaced meanwhile: some pieces may be the old one's
        self._models[id] = model
        return model

    def _load(self, id: str) -> Resident:
        """The model from its folders, whose stamps are taken before anything is read."""
        folder, pieces = self.registry.folder(id), self.registry.pieces(id)
        stamps = frozenset(stamp(path) for path in {folder, *(piece.parent for piece in pieces.values())})
        text_stamp = stamp(pieces["text_encoder"])
        card = self.registry.card(id)
        stock = load(pieces, card.kind, self.device, self.dtype, self._pieces, self._safety_checker)
        pipeline = ResidentPipeline(**stock.components, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
        return Resident(
            card=card,
            pipeline=pipeline,
            vocabulary=vocabulary(self.registry, id),
            stamps=stamps,
            text_stamp=text_stamp,
        )

    def _embed(self, model: Resident, texts: Sequence[str], plugged: Plugged) -> list[Tensor]:
        """The texts' embeddings, all of one length, each from memory if it was asked for lately with the same
        LoRAs.
        """
        found = [self._embed_one(model, text, plugged) for text in texts]
        if len({each.shape for each in found}) > 1:
            found = of_one_length(found, self._embed_one(model, "", plugged))
        return found

    def _embed_one(self, model: Resident, text: str, plugged: Plugged) -> Tensor:
        weighted = model.vocabulary is None
        key = model.text_stamp, signature(plugged.text_encoder), weighted, text
        if key in self._texts:
            self._texts.move_to_end(key)
            return self._texts[key]
        self._merger.give(model.pipeline.text_encoder, plugged.text_encoder)
        self._texts[key] = embed(model.pipeline, text, weighted)
        if len(self._texts) > CACHED_TEXTS:
            self._texts.popitem(last=False)
        return self._texts[key]

    def _latent_size(self, model: Resident, settings: CheckedSettings) -> tuple[int, int]:
        """Height and width of the latents."""
        if settings.width is None:
            return (model.pipeline.unet.config.sample_size,) * 2
        factor = model.pipeline.vae_scale_factor
        return settings.height // factor, settings.width // factor

    def _noise(self, model: Resident, generator: torch.Generator, size: tuple[int, int]) -> Tensor:
        """The noise [1, C, h, w] that the stock pipeline draws; size: height and width."""
        channels = model.pipeline.unet.config.in_channels
        return torch.randn((1, channels, *size), generator=generator, dtype=self.dtype).to(self.device)

    def _now(self) -> float:
        """The clock, once the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()
        return time.perf_counter()


def _unchanged(old: Stamp) -> bool:
    try:
        return stamp(old[0]) == old
    except OSError:
        return False


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
