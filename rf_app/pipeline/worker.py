"""One thread owns the device and the models; everybody else sends it settings and waits for the pictures.

Loading weights on two threads at once corrupts modules, and schedulers keep the state of a run: so all of it
happens here, one picture after the other. Every image is sampled on its own: in a batch its last bits would
depend on the number of its neighbours, and a seed must give the same pixels always.

    worker = Worker(Registry.default())
    drawn = result_of(worker.draw(PictureSettings("a lake at sunset", "pocket-instaflow")))
"""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from diffusers import StableDiffusionPipeline
from PIL import Image
from torch import Tensor

from rf_app.pipeline.checking import check, check_way
from rf_app.pipeline.decoding import check_safe, decode
from rf_app.pipeline.drawn import Drawn, Moment, Observer, Timings, now
from rf_app.pipeline.engine import dtype_of, graphs_of, name_of
from rf_app.pipeline.enlarging import Enlarger
from rf_app.pipeline.mixing import mixed_noise, mixed_text
from rf_app.pipeline.models import Resident, ResidentControlNets, ResidentDecoders, ResidentModels
from rf_app.pipeline.pace import Pace
from rf_app.pipeline.prompts import unread
from rf_app.pipeline.residence import Residence
from rf_app.pipeline.start import known_way, steps_back
from rf_app.pipeline.texts import Texts
from rf_app.pipeline.translating import Carried, Translator
from rf_app.pipeline.turns import NOBODY, Line, Report, Step, Turn, Turns
from rf_app.plugins.controlnet import controlled
from rf_app.plugins.lora import LoraFile
from rf_app.plugins.mask import pasted
from rf_app.plugins.merging import Merger
from rf_app.plugins.picture import decode_map
from rf_app.plugins.plugging import LoraPlugs
from rf_app.plugins.preprocessors import DETECTORS, condition_map
from rf_app.plugins.uploads import Uploads
from rf_app.registry.card import ModelCard
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.decoders import Decoders
from rf_app.registry.loras import Loras, with_loras
from rf_app.registry.models import Registry
from rf_app.registry.translations import Translations
from rf_app.schedulers.solvers import ETA, fresh, straight
from rf_app.settings.engine import OPENVINO, asked
from rf_app.settings.picture import CheckedSettings, Lora, PictureSettings
from rf_app.settings.start import Start
from rf_app.settings.way import Way


class Asked(NamedTuple):
    """A picture as `Worker.draw` was asked for it."""

    settings: PictureSettings
    visitor: str
    between: Way | None
    observe: Observer | None
    start: Start | None


class Worker:
    """The pipeline worker. Its methods may be called from any thread."""

    def __init__(
        self,
        registry: Registry,
        device: str | torch.device | None = None,
        budget: int | None = None,
        safety_checker: bool = False,
        engine: str | None = None,
    ):
        """device: None takes CUDA, then Apple's GPU, then the CPU. budget: as of `Residence`.

        safety_checker: hold back what a model's own, where it brings one, does not let through. engine: one
        of ENGINES; None takes what the user has asked for, then what is quick on the device.
        """
        self.registry = registry
        self.device = torch.device(device or _best_device())
        engine = engine or asked()
        self.dtype, self._graphs = dtype_of(engine, self.device), graphs_of(engine, self.device)
        self._safety_checker = safety_checker
        self._residence = Residence(self.device, budget)
        self._models = ResidentModels(registry, self._residence, self.dtype, safety_checker)
        self.loras, self.uploads = Loras.beside(registry), Uploads.beside(registry)
        self._plugs = LoraPlugs(self.loras, self.uploads, self.device)
        self._merger = Merger()
        self._texts = Texts(self._merger)
        self.controlnets = ControlNets.beside(registry)
        self._nets = ResidentControlNets(self.controlnets, self._residence)
        self.decoders = Decoders.beside(registry)
        self._tiny = ResidentDecoders(self.decoders, self._residence, self.dtype)
        self._enlarger = Enlarger(self._residence, self.dtype)
        self.translations = Translations.beside(registry)
        self._translator = Translator(self.translations, self._residence, self.dtype)
        self.pace = Pace()
        self._turns = Turns()

    def draw(
        self,
        settings: PictureSettings,
        visitor: str = "",
        between: Way | None = None,
        observe: Observer | None = None,
        line: Line = NOBODY,
        start: Start | None = None,
    ) -> Turn[Drawn]:
        """One picture, when its turn comes: the generator yields steps and returns it.

        visitor: the session whose uploads `settings.loras` may name. between: a way with key frames; noise
        and text are mixed from theirs, and its picture takes the place of `settings`. observe: sees every
        moment of Euler's method on the straight path, whatever the solver in `settings`. line: whose turn it
        is. start: begin from a picture, checked and of the settings' size; on that path, too.

        Raises UserError for what the user can put right, HeldBack for a picture that the model's safety
        checker does not let through; another error is a defect, and the worker lives on.
        """
        return self._take(
            Asked(between.picture if between else settings, visitor, between, observe, start), line
        )

    def _take(self, asked: Asked, line: Line) -> Turn[Drawn]:
        return self._turns.take(lambda report: self._drawn(asked, report), line)

    def _drawn(self, asked: Asked, report: Report) -> Drawn:
        return self._residence.twice(lambda: self._draw(asked, report), f"{asked.settings.model!s:.80}")

    def refine(self, drawn: Drawn, strength: float, steps: int, line: Line = NOBODY) -> Turn[Drawn]:
        """A picture at twice its side, refined with its own prompts and seed; in turn as `draw`.

        strength: the share of the refiner's steps that are taken, in 0..1; one at least. Raises as `draw`,
        and UserError where there is no refiner, or none that is whole.
        """

        @torch.inference_mode()
        def refined(report: Report) -> Drawn:
            found = self._enlarger.refined(drawn, strength, steps, report)
            if self._safety_checker:
                check_safe(self._models.get(drawn.settings.model).pipeline, found.image)
            return found

        def work(report: Report) -> Drawn:
            return self._residence.twice(lambda: refined(report), "The refiner")

        return self._turns.take(work, line)

    def upscale(
        self, image: Image.Image, factor: int, file: Path | None, line: Line = NOBODY
    ) -> Turn[Image.Image]:
        """An RGB picture at `factor` times its side, by the upscaler in a file or else by Lanczos; in turn as
        `draw`, a step being a tile.

        Raises UserError for a file that is none, and where memory does not suffice.
        """

        def work(report: Report) -> Image.Image:
            if file is None:
                return image.resize((factor * image.width, factor * image.height), Image.Resampling.LANCZOS)
            return self._residence.twice(
                lambda: self._enlarger.upscaled(image, factor, file, report), file.stem
            )

        return self._turns.take(work, line)

    def translate(
        self, id: str, image: Image.Image, steps: int, frames: int = 0, line: Line = NOBODY
    ) -> Turn[Carried]:
        """A picture of its base's size carried over by a translation; in turn as `draw`.

        steps: of Euler's method. frames: pictures on the way, evenly in time, 2 or more, or 0 for none.
        Raises as `draw`, and UserError for a translation, or a base of it, that is not there or broken.
        """

        @torch.inference_mode()
        def carried(report: Report) -> Carried:
            base = self._models.get(self.translations.card(id).base_model)
            null = self._texts.embed(base, "", self._plugs.plugged(base.pipeline, (), ""))
            return self._translator.carried(id, base, null, image, steps, frames, report)

        return self._turns.take(lambda report: self._residence.twice(lambda: carried(report), id), line)

    def condition_map(
        self, picture: Image.Image, preprocessor: str, size: tuple[int, int], **thresholds: float
    ) -> Image.Image:
        """As `rf_app.plugins.preprocessors.condition_map`; what loads a model takes its turn."""
        if preprocessor not in tuple(DETECTORS):  # a program may send what no dict can look up
            return condition_map(picture, preprocessor, size, **thresholds)
        return self._turns.wait_for(lambda: condition_map(picture, preprocessor, size))

    @property
    def engine(self) -> str | None:
        """What the settings of its pictures say of what computed them."""
        return OPENVINO if self._graphs else name_of(self.dtype)

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

        def work() -> LoraFile:
            return self._plugs.inspect(self._models.get(model).pipeline, file)

        return self._turns.wait_for(lambda: self._residence.twice(work, model))

    def close(self) -> None:
        """Finish the picture at hand, drop those that wait, end the thread."""
        self._turns.close()

    @torch.inference_mode()
    def _draw(self, asked: Asked, report: Report) -> Drawn:
        settings, visitor, between, observe, start = asked
        model = self._models.get(settings.model)
        card = self.as_drawn(model.card, settings.loras, visitor)
        way = check_way(between, card) if between else None
        settings = way.picture if way else check(settings, card)
        own = model.pipeline.scheduler
        scheduler = straight(own) if observe or start else fresh(own, card.kind, settings.solver)
        steps = max(1, round(settings.steps * start.strength)) if start else settings.steps
        size = self._latent_size(model, settings)
        acting = [each for each in settings.control if each.strength > 0]
        nets = [self._nets.get(each.model, model.pipeline) for each in acting]
        pipeline, control = controlled(model.pipeline, acting, nets, steps, size)
        plugged = self._plugs.plugged(model.pipeline, settings.loras, visitor)
        vae = model.pipeline.vae
        if settings.decoder:
            vae = self._tiny.get(settings.decoder, self.registry.pieces(model.card.id)["vae"])
        tiled = self._residence.room_for(model.pipeline.unet, vae, size, settings.guidance > 1)
        # LoRAs, ControlNets and tiny decoders would be graphs of their own, and a U-Net may be told guidance.
        bare = not (acting or plugged.unet or settings.decoder or tiled)
        graphs = self._graphs if bare and not model.pipeline.unet.config.time_cond_proj_dim else None
        settings = replace(settings, engine=OPENVINO if graphs else name_of(self.dtype))
        way = way and replace(way, picture=settings)
        began = now(self.device)
        # After the noise some samplers draw more from it, as in the stock pipeline.
        generator = torch.Generator("cpu").manual_seed(settings.seed)
        noise = self._noise(model, generator, size)
        guided = settings.guidance > 1
        alone = way.at_key_frame() if way else settings  # a key frame's length is not that of its neighbours
        prompts = [alone.prompt] if alone else [key.prompt for key in way.key_frames]
        texts = self._texts.embeds(model, [*prompts, *([settings.negative_prompt] * guided)], plugged)
        null_embeds = texts.pop() if guided else None
        embeds = texts[0] if alone else mixed_text(way, texts)
        if way:
            seeded = [torch.Generator("cpu").manual_seed(key.seed) for key in way.key_frames]
            noise = mixed_noise(way, [self._noise(model, each, size) for each in seeded])
        self._merger.give(model.pipeline.unet, plugged.unet)
        done, back, past = 0, 0, None

        def go_on() -> None:
            report(None)

        def after_step(pipeline: StableDiffusionPipeline, _: int, __: Tensor, tensors: dict) -> dict:
            nonlocal done
            done += 1
            if past:
                tensors["latents"] = past.kept(tensors["latents"], done)
            see(tensors["latents"])
            report(Step(back + done, back + len(pipeline.scheduler.timesteps)))
            return tensors

        def see(latents: Tensor) -> None:
            if observe:
                velocity = scheduler.velocity
                shown = partial(decode, pipeline, vae=vae, tiled=tiled, go_on=go_on)
                observe(Moment(done, settings.steps, latents, velocity, shown))

        with graphs.computing(model, size, embeds.shape[1]) if graphs else nullcontext():
            text_done = now(self.device)
            if start:
                back, shown = steps_back(start, steps), None
                if back:
                    shown = self._texts.embed(model, start.shows, plugged)
                past = known_way(
                    *(start, model.pipeline, scheduler, noise, steps, shown, settings.seed),
                    report=lambda i: report(Step(i, back + steps)),
                )
                noise = past.points[0]
            see(noise)
            pipeline.scheduler = scheduler  # lent
            try:
                latents = pipeline(
                    prompt_embeds=embeds,
                    negative_prompt_embeds=null_embeds,
                    num_inference_steps=steps,
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
            sampled = now(self.device)
            image = decode(model.pipeline, latents, vae, tiled, go_on)
            if start and start.mask:
                image = pasted(image, *map(decode_map, (start.image, start.mask)))
            decoded = now(self.device)
        if not (acting or observe or start):  # which take their own time
            self.pace.note(settings, image.width * image.height, sampled - text_done, decoded - sampled)
        called, known = self.trigger_words(settings.loras, visitor), model.vocabulary
        return Drawn(
            image=image,
            settings=settings,
            way=way,
            timings=Timings(text_done - began, sampled - text_done, decoded - sampled, decoded - began),
            unknown_words=tuple(known.unknown(settings.prompt, called)) if known else (),
            unread=unread(model.pipeline.tokenizer, settings.prompt, weighted=known is None),
            tiled=tiled,
            start=start,
        )

    def _latent_size(self, model: Resident, settings: CheckedSettings) -> tuple[int, int]:
        """Height and width of the latents."""
        if settings.width is None:
            return (model.pipeline.unet.config.sample_size,) * 2
        factor = model.pipeline.vae_scale_factor
        return settings.height // factor, settings.width // factor

    def _noise(self, model: Resident, generator: torch.Generator, size: tuple[int, int]) -> Tensor:
        """The noise [1, C, h, w] that the stock pipeline draws; size: height and width."""
        channels = model.pipeline.unet.config.in_channels
        return torch.randn((1, channels, *size), generator=generator).to(self.device)


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
