"""One thread owns the device and the models; everybody else sends it requests and waits for the results.

Loading weights on two threads at once corrupts modules, and schedulers keep the state of a run: so all of it
happens here, one request after the other. Every image is sampled on its own: in a batch its last bits would
depend on the number of its neighbours, and a seed must give the same pixels always.

    worker = Worker(Registry.default())
    result = worker.generate(GenerateRequest("a lake at sunset", "pocket-instaflow"))
"""

import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

import torch
from diffusers import SchedulerMixin, StableDiffusionPipeline
from PIL import Image
from torch import Tensor

from rf_app.errors import Cancelled
from rf_app.flow.velocity import velocity_field
from rf_app.pipeline.interpolation import FrameRequest, FrameResult
from rf_app.pipeline.requests import MAX_SEED, GenerateRequest, GenerateResult, Timings
from rf_app.pipeline.trajectory import TrajectoryRequest, TrajectoryResult, solve
from rf_app.plugins.controlnet import ControlNetPlugin
from rf_app.plugins.lora import LoraFile
from rf_app.plugins.merging import Merger, signature
from rf_app.plugins.plugging import LoraPlugs, Plugged
from rf_app.plugins.preprocessors import DETECTORS, condition_map
from rf_app.plugins.uploads import Uploads
from rf_app.registry.card import ModelCard
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.disk import Stamp, stamp
from rf_app.registry.loading import load
from rf_app.registry.loras import Loras
from rf_app.registry.models import Registry
from rf_app.registry.vocabulary import Vocabulary, vocabulary
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.schedulers.solvers import fresh

Progress = Callable[[int, int], None]
"""Called after each call of the U-Net with (calls done, calls in all), on the worker's thread."""

CACHED_TEXTS = 256


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

    def __init__(self, registry: Registry, device: str | torch.device | None = None, resident: int = 3):
        """device: None takes CUDA, then Apple's GPU, then the CPU. resident: models kept in memory."""
        self.registry = registry
        self.device = torch.device(device or _best_device())
        self.dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        self._size = resident
        self._models: OrderedDict[str, Resident] = OrderedDict()
        self._pieces: WeakValueDictionary[Stamp, Any] = WeakValueDictionary()
        self._texts: OrderedDict[tuple[Any, ...], Tensor] = OrderedDict()
        self.loras, self.uploads = Loras.beside(registry), Uploads.beside(registry)
        self._plugs = LoraPlugs(self.loras, self.uploads, self.device, self.dtype)
        self._merger = Merger()
        self._controlnets = ControlNetPlugin(ControlNets.beside(registry), self.device, self.dtype)
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pipeline")

    def generate(
        self,
        request: GenerateRequest,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> GenerateResult:
        """Wait for the request's turn and its pictures.

        cancelled: asked when the turn comes and after each step; True ends the request with `Cancelled`.
        Raises UserError for what the user can put right; another error is a defect, and the worker lives on.
        """
        return self._thread.submit(self._generate, request, progress, cancelled).result()

    def trajectory(
        self,
        request: TrajectoryRequest,
        progress: Progress | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> TrajectoryResult:
        """The way from the seed's noise to the picture, in turn with all other requests; as `generate`."""
        return self._thread.submit(self._trajectory, request, progress, cancelled).result()

    def frame(self, request: FrameRequest, cancelled: Callable[[], bool] | None = None) -> FrameResult:
        """The picture between key frames, in turn with all other requests; as `generate`."""
        return self._thread.submit(self._frame, request, cancelled).result()

    def condition_map(
        self, picture: Image.Image, preprocessor: str, size: int, **thresholds: float
    ) -> Image.Image:
        """As `rf_app.plugins.preprocessors.condition_map`; what loads a model takes its turn."""
        if preprocessor not in tuple(DETECTORS):  # a program may send what no dict can look up
            return condition_map(picture, preprocessor, size, **thresholds)
        return self._thread.submit(condition_map, picture, preprocessor, size).result()

    def inspect_lora(self, file: Path, model: str) -> LoraFile:
        """Read a LoRA's file that may come from anyone, and see that it fits a model; in turn as `generate`.

        Raises UserError with the reason where it is no LoRA or does not fit.
        """
        return self._thread.submit(lambda: self._plugs.inspect(self._model(model).pipeline, file)).result()

    def close(self) -> None:
        """Finish the request at hand, drop those that wait, end the thread."""
        self._thread.shutdown(cancel_futures=True)

    @torch.inference_mode()
    def _generate(
        self, request: GenerateRequest, progress: Progress | None, cancelled: Callable[[], bool] | None
    ) -> GenerateResult:
        if cancelled and cancelled():
            raise Cancelled("Stopped.")
        model = self._model(request.model)
        request = request.checked(model.card)
        scheduler = fresh(model.pipeline.scheduler, model.card.kind, request.solver)
        scheduler.set_timesteps(request.steps)
        pipeline, control = self._controlnets.attach(model.pipeline, request.control)
        total_steps, done = len(scheduler.timesteps) * request.count, 0

        def after_step(pipeline: StableDiffusionPipeline, step: int, timestep: Tensor, tensors: dict) -> dict:
            nonlocal done
            done += 1
            if progress:
                progress(done, total_steps)
            if cancelled and cancelled():
                raise Cancelled("Stopped.")
            return tensors

        plugged = self._plugged(model, request)
        start = self._now()
        guided = request.guidance > 1
        embeds = self._embed(model, request.prompt, plugged)
        null_embeds = self._embed(model, request.negative_prompt, plugged) if guided else None
        text_done = self._now()
        self._merger.give(model.pipeline.unet, plugged.unet)
        unet, decode = self._now() - text_done, 0.0
        images = []
        seeds = tuple((request.seed + i) % (MAX_SEED + 1) for i in range(request.count))
        for seed in seeds:
            begun = self._now()
            latents = _sample(
                pipeline,
                scheduler,
                self._noise(model, seed),
                embeds,
                null_embeds,
                request.steps,
                request.guidance,
                after_step,
                **control,
            )
            sampled = self._now()
            images.append(_decode(model.pipeline, latents))
            unet += sampled - begun
            decode += self._now() - sampled
        timings = Timings(text=text_done - start, unet=unet, decode=decode, total=self._now() - start)
        unknown = tuple(model.vocabulary.unknown(request.prompt)) if model.vocabulary else ()
        unread = _unread(model.pipeline, request.prompt)
        return GenerateResult(tuple(images), request, seeds, timings, unknown, unread)

    @torch.inference_mode()
    def _trajectory(
        self, request: TrajectoryRequest, progress: Progress | None, cancelled: Callable[[], bool] | None
    ) -> TrajectoryResult:
        if cancelled and cancelled():
            raise Cancelled("Stopped.")
        model = self._model(request.model)
        request = request.checked(model.card)
        plugged = self._plugged(model, request)
        unet = model.pipeline.unet
        self._merger.give(unet, plugged.unet)
        field = velocity_field(
            unet,
            self._embed(model, request.prompt, plugged),
            self._embed(model, "", plugged) if request.guidance > 1 else None,
            request.guidance,
            schedule_of(model.pipeline.scheduler),
        )
        noise = self._noise(model, request.seed)
        solved = solve(
            lambda x, tau: field(x.to(self.dtype), tau).float(),
            noise.float(),
            request.steps,
            request.frames,
            progress,
            cancelled,
        )
        latents = solved.estimates.to(self.dtype).split(1)
        return TrajectoryResult(
            request=request,
            images=tuple(_decode(model.pipeline, each) for each in latents),
            image_taus=solved.estimate_taus,
            curve=solved.curve,
            path=solved.path,
            miss=solved.miss,
            unknown_words=tuple(model.vocabulary.unknown(request.prompt)) if model.vocabulary else (),
        )

    @torch.inference_mode()
    def _frame(self, request: FrameRequest, cancelled: Callable[[], bool] | None) -> FrameResult:
        def stop_if_cancelled(*_: Any) -> dict:
            if cancelled and cancelled():
                raise Cancelled("Stopped.")
            return {}

        stop_if_cancelled()
        model = self._model(request.model)
        request = request.checked(model.card)
        scheduler = fresh(model.pipeline.scheduler, model.card.kind, request.solver)
        pipeline, control = self._controlnets.attach(model.pipeline, request.control)
        plugged = self._plugged(model, request)
        start = self._now()
        embeds = request.embedding([self._embed(model, key.prompt, plugged) for key in request.key_frames])
        null_embeds = self._embed(model, request.negative_prompt, plugged) if request.guidance > 1 else None
        noise = request.noise_of([self._noise(model, key.seed) for key in request.key_frames])
        text_done = self._now()
        self._merger.give(model.pipeline.unet, plugged.unet)
        latents = _sample(
            pipeline,
            scheduler,
            noise,
            embeds,
            null_embeds,
            request.steps,
            request.guidance,
            stop_if_cancelled,
            **control,
        )
        sampled = self._now()
        image = _decode(model.pipeline, latents)
        done = self._now()
        timings = Timings(
            text=text_done - start, unet=sampled - text_done, decode=done - sampled, total=done - start
        )
        return FrameResult(image, request, timings)

    def _model(self, id: str) -> Resident:
        """The model, from memory if its folders are still what they were."""
        folder = self.registry.folder(id)
        found = self._models.get(id)
        if found and stamp(folder) in found.stamps and all(_unchanged(old) for old in found.stamps):
            self._models.move_to_end(id)
            return found
        self._models.pop(id, None)
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
        stock = load(pieces, card.kind, self.device, self.dtype, self._pieces)
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

    def _plugged(
        self, model: Resident, request: GenerateRequest | FrameRequest | TrajectoryRequest
    ) -> Plugged:
        """What the request's LoRAs give to the parts of the model."""
        wishes = [(lora.id, lora.strength) for lora in request.loras]
        return self._plugs.plugged(model.pipeline, wishes, request.session)

    def _embed(self, model: Resident, text: str, plugged: Plugged) -> Tensor:
        """The text's embedding [1, L, D], from memory if it was asked for lately with the same LoRAs."""
        key = model.text_stamp, signature(plugged.text_encoder), text
        if key in self._texts:
            self._texts.move_to_end(key)
            return self._texts[key]
        self._merger.give(model.pipeline.text_encoder, plugged.text_encoder)
        embeds, _ = model.pipeline.encode_prompt(text, self.device, 1, do_classifier_free_guidance=False)
        self._texts[key] = embeds
        if len(self._texts) > CACHED_TEXTS:
            self._texts.popitem(last=False)
        return embeds

    def _noise(self, model: Resident, seed: int) -> Tensor:
        """The noise [1, C, h, w] that the stock pipeline draws from a seed."""
        config = model.pipeline.unet.config
        return torch.randn(
            (1, config.in_channels, config.sample_size, config.sample_size),
            generator=torch.Generator("cpu").manual_seed(seed),
            dtype=self.dtype,
        ).to(self.device)

    def _now(self) -> float:
        """The clock, once the device has done what it was given."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        return time.perf_counter()


def _sample(
    pipeline: StableDiffusionPipeline,
    scheduler: SchedulerMixin,
    noise: Tensor,
    embeds: Tensor,
    null_embeds: Tensor | None,
    steps: int,
    guidance: float,
    after_step: Callable[..., dict],
    **control: Any,
) -> Tensor:
    """Latents [1, C, h, w] from noise of that shape, by the stock pipeline with a scheduler lent to it.

    control: what a ControlNet's pipeline takes more.
    """
    own = pipeline.scheduler
    pipeline.scheduler = scheduler
    try:
        return pipeline(
            prompt_embeds=embeds,
            negative_prompt_embeds=null_embeds,
            num_inference_steps=steps,
            guidance_scale=guidance,
            latents=noise,
            output_type="latent",
            callback_on_step_end=after_step,
            **control,
        ).images
    finally:
        pipeline.scheduler = own


def _unread(pipeline: StableDiffusionPipeline, prompt: str) -> str:
    """The end of the prompt that the text encoder has no room for, or nothing."""
    tokenizer = pipeline.tokenizer
    room = tokenizer.model_max_length - tokenizer.num_special_tokens_to_add()
    starts = tokenizer(
        prompt, add_special_tokens=False, return_offsets_mapping=True, verbose=False
    ).offset_mapping
    return prompt[starts[room][0] :] if len(starts) > room else ""


def _decode(pipeline: StableDiffusionPipeline, latents: Tensor) -> Image.Image:
    """The picture of latents [1, C, h, w]."""
    vae = pipeline.vae
    pixels = vae.decode(latents / vae.config.scaling_factor, return_dict=False)[0]
    levels = pixels[0].float().mul(127.5).add(127.5).round().clamp(0, 255).byte()
    return Image.fromarray(levels.permute(1, 2, 0).cpu().numpy())


def _unchanged(old: Stamp) -> bool:
    try:
        return stamp(old[0]) == old
    except OSError:
        return False


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"
