"""The loop of every trainer: AdamW, moving average, checkpoints, events, clean stop and exact resume.

One process as it is, several through `accelerate launch`. The same command resumes from its run folder and
gives the very weights of an uninterrupted run, because every draw is a function of (seed, step, rank).
"""

import json
import math
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.optimizer import AcceleratedOptimizer
from accelerate.utils import gather_object
from diffusers.training_utils import EMAModel
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.settings.training import Tracker, Training
from trainers.common import checkpoints
from trainers.common.events import Events
from trainers.common.runs import alone_in
from trainers.common.stopping import Stopping
from trainers.common.trackers import accelerator_with, tracking

LOG_EVERY = 10
SHEETS = 8  # a run, where nobody says otherwise
DIVERGED_AT = 100.0  # times the first loss
GRADIENT_NORM = 1.0  # the largest

Loss = Callable[[nn.Module, int, torch.Generator], Tensor | tuple[Tensor, dict[str, Tensor]]]
Samples = Callable[[nn.Module, int], dict[str, float] | None]


class Diverged(RuntimeError):
    """The loss left the finite numbers or grew far beyond its start."""


@dataclass(frozen=True)
class LoopConfig:
    """What the loop needs to know."""

    run: Path
    """Run folder for checkpoints, events and samples; the same folder resumes."""
    steps: int
    """Optimizer steps in all."""
    learning_rate: float
    """Peak learning rate of AdamW."""
    warmup: int | None = None
    """Steps of linear warm-up (default: a tenth of the run, 100 at most)."""
    weight_decay: float = 1e-2
    """AdamW's decoupled weight decay."""
    ema: float = 0.999
    """Decay of the moving average of the weights (reached through (1 + n) / (10 + n))."""
    seed: int = 0
    """Seed of every draw."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    sample_every: int | None = None
    """Steps between samples (default: an eighth of the run)."""
    batch: int = 1
    """Samples that the loss draws at once (for the samples a second in the events)."""
    accumulate: int = 1
    """Draws of the loss in a step; their gradients are averaged."""
    compile: bool = False
    """Compile the model (torch.compile)."""
    gradient_checkpointing: bool = False
    """Have the model, made of diffusers', compute again what it would keep for the backward pass."""
    use_8bit_adam: bool = False
    """bitsandbytes' AdamW."""
    float32: bool = False
    """Compute in float32, whatever the accelerator's arithmetic is."""
    tracker: Tracker | None = None
    """Where the events go besides."""
    subject: dict[str, object] = field(default_factory=dict)
    """What is trained, from what, on what; a run folder of another subject is refused."""

    @classmethod
    def of(cls, settings: Training, run: Path, **own: object) -> "LoopConfig":
        """The loop of a training's settings; `own` goes before them."""
        shared = {field.name for field in fields(cls)} & vars(settings).keys()
        return cls(**{name: getattr(settings, name) for name in shared} | own | {"run": run})


def learning_rate(config: LoopConfig, step: int) -> float:
    """The rate of step 0 … steps-1, of the step alone: a warm-up, and a cosine to zero at the last step.

    So a training that goes on with more steps restarts warm: from zero to where the longer cosine is by then.
    """
    warmup = min(100, config.steps // 10) if config.warmup is None else config.warmup
    rate = config.learning_rate * min(1.0, (step + 1) / max(1, warmup))
    return rate * 0.5 * (1 + math.cos(math.pi * step / config.steps))


def draw_seed(seed: int, draw: int, rank: int) -> int:
    """A 63-bit seed of one draw of one process, as a pure function: a resumed run needs no saved state."""
    return int(np.random.SeedSequence([seed, draw, rank]).generate_state(1, np.uint64)[0] >> np.uint64(1))


def train(config: LoopConfig, model: nn.Module, loss: Loss, samples: Samples | None = None) -> nn.Module:
    """Train `model` in place and return it with its moving-average weights, in eval mode.

    `loss(model, draw, generator)` makes its own batch number `draw` (the step, where a step takes one) with
    the CPU `generator`, seeded by (seed, draw, rank), and returns a scalar, or that and further figures for
    the events, which have the mean over the draws that gave one. `samples(model, step)` is called on the
    first process with the averaged weights, in eval mode and without gradients; figures it returns go into
    the events, too.

    SIGINT and SIGTERM finish the step, save, and leave through `SystemExit(0)`. Raises `DiskFull`,
    `Diverged`, and UserError for a run folder of another model or subject, or in which another process works,
    and for a tracker that is not installed.
    """
    accelerator = accelerator_with(config.tracker, config.run, config.float32)
    with alone_in(config.run, accelerator):
        return _trained(accelerator, config, model, loss, samples)


def _trained(
    accelerator: Accelerator, config: LoopConfig, model: nn.Module, loss: Loss, samples: Samples | None
) -> nn.Module:
    if config.use_8bit_adam:  # which would do so in its first step
        model.to(memory_format=torch.contiguous_format)
    optimizer = _adamw(config, [p for p in model.parameters() if p.requires_grad])
    if config.gradient_checkpointing:
        if not hasattr(model, "enable_gradient_checkpointing"):
            raise UserError(
                "--gradient-checkpointing: this network cannot compute anything again; leave it out."
            )
        model.enable_gradient_checkpointing()
    if config.compile:
        model.compile()
    wrapped, optimizer = accelerator.prepare(model.train(), optimizer)
    ema = EMAModel(model.parameters(), decay=config.ema, foreach=True)
    training = checkpoints.Training(model, optimizer.optimizer, ema)
    notes = checkpoints.load_newest(config.run, training) or {"step": 0}
    _check_resumed(accelerator, config, notes)
    run = _Run(config, accelerator, optimizer, training, notes)
    sample_every = config.sample_every or max(1, config.steps // SHEETS)
    tracked = tracking(accelerator, config.run, notes["step"])
    with tracked, Stopping() as stopping, run.progress_bar() as bar, _attention(accelerator, config):
        for step in range(notes["step"], config.steps):
            run.one_step(wrapped, loss, step)
            done = step + 1
            stop = stopping.anywhere(accelerator)
            last = done == config.steps
            sampled = samples and not stop and (done % sample_every == 0 or last)
            shown = run.sample(samples, done) if sampled else {}
            if done % LOG_EVERY == 0 or last or stop or sampled or done % config.checkpoint_every == 0:
                run.report(bar, done, shown)
            if done % config.checkpoint_every == 0 or last or stop:
                run.save(done)
            if stop and not last:
                accelerator.print(f"\nstopped at step {done}; the same command resumes", flush=True)
                raise SystemExit(0)
    ema.copy_to(model.parameters())
    return accelerator.unwrap_model(wrapped, keep_fp32_wrapper=False, keep_torch_compile=False).eval()


def _adamw(config: LoopConfig, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
    own = {"lr": config.learning_rate, "weight_decay": config.weight_decay}
    if not config.use_8bit_adam:
        return torch.optim.AdamW(parameters, fused=True, **own)
    try:
        from bitsandbytes.optim import AdamW8bit
    except ImportError:
        raise UserError(
            "--use-8bit-adam needs bitsandbytes, which is not installed: pip install bitsandbytes."
        ) from None
    return AdamW8bit(parameters, **own)


def _attention(accelerator: Accelerator, config: LoopConfig) -> AbstractContextManager:
    """Plain on a CPU in bfloat16: the fused one's backward takes a third of a pocket U-Net's step."""
    halved = accelerator.mixed_precision == "bf16" and not config.float32
    slow = accelerator.device.type == "cpu" and halved
    return sdpa_kernel(SDPBackend.MATH) if slow else nullcontext()


class _Run:
    """One session of a run: from its start or a checkpoint to its end or the next stop."""

    def __init__(
        self,
        config: LoopConfig,
        accelerator: Accelerator,
        optimizer: AcceleratedOptimizer,
        training: checkpoints.Training,
        notes: dict,
    ) -> None:
        self.config, self.accelerator = config, accelerator
        self.optimizer, self.training = optimizer, training
        self.start, self.first_loss = notes["step"], notes.get("first_loss")
        if accelerator.scaler and "scaler" in notes:
            accelerator.scaler.load_state_dict(notes["scaler"])
        self.began = time.perf_counter()
        self.generator = torch.Generator()
        self.parameters = list(training.model.parameters())
        self.losses: list[Tensor] = []
        self.figures: list[dict[str, Tensor]] = []
        self.events = Events(config.run, self.start) if accelerator.is_main_process else None

    def progress_bar(self) -> tqdm:
        return tqdm(
            initial=self.start,
            total=self.config.steps,
            desc=self.config.run.name,
            disable=not self.accelerator.is_main_process,
            mininterval=0.5 if sys.stderr.isatty() else 15,
            unit="step",
        )

    def one_step(self, wrapped: nn.Module, loss: Loss, step: int) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.config, step)
        draws = range(step * self.config.accumulate, (step + 1) * self.config.accumulate)
        for draw in draws:
            seed = draw_seed(self.config.seed, draw, self.accelerator.process_index)
            torch.manual_seed(seed)  # dropout draws from the global generator
            last = draw == draws[-1]  # alone brings the processes' gradients together
            with nullcontext() if last else self.accelerator.no_sync(wrapped):
                result = loss(wrapped, draw, self.generator.manual_seed(seed))
                value, figures = result if isinstance(result, tuple) else (result, {})
                self.accelerator.backward(value / len(draws))
            self.losses.append(value.detach())
            self.figures.append({name: figure.detach() for name, figure in figures.items()})
        self.accelerator.clip_grad_norm_(self.parameters, GRADIENT_NORM)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.training.ema.step(self.parameters)

    def report(self, bar: tqdm, done: int, shown: dict[str, float]) -> None:
        """One event for the steps since the last; raises `Diverged` before a bad state could be saved."""
        loss = self.accelerator.reduce(torch.stack(self.losses).mean(), "mean").item()
        self.first_loss = loss if self.first_loss is None else self.first_loss
        if not math.isfinite(loss) or loss > DIVERGED_AT * abs(self.first_loss):
            raise self._diverged(f"the loss is {loss:.4g} at step {done} (it began at {self.first_loss:.4g})")
        drawn: dict[str, list[Tensor]] = {}
        for each in self.figures:
            for name, figure in each.items():
                drawn.setdefault(name, []).append(figure)
        figures = {name: torch.stack(values).mean().item() for name, values in drawn.items()}
        speed = (done - self.start) / (time.perf_counter() - self.began)
        samples = self.config.batch * self.config.accumulate * self.accelerator.num_processes
        bar.set_postfix(loss=f"{loss:.4g}", refresh=False)
        bar.update(done - bar.n)
        event = {
            "loss": loss,
            "lr": learning_rate(self.config, done - 1),
            "seconds_left": (self.config.steps - done) / speed,
            "samples_per_second": speed * samples,
            **figures,
            **shown,
        }
        self.accelerator.log(event, done)
        if self.events:
            self.events.write({"step": done, "of": self.config.steps, **event})
        self.losses, self.figures = [], []

    def save(self, done: int) -> None:
        """A checkpoint; raises `Diverged` where the last update broke the weights after a sound loss."""
        if not all(torch.isfinite(p).all() for p in self.parameters):
            raise self._diverged(f"the weights are not finite any more at step {done}")
        if self.accelerator.is_main_process:
            notes = {"first_loss": self.first_loss, "config": asdict(self.config) | {"run": ""}}
            if self.accelerator.scaler:  # of fp16
                notes["scaler"] = self.accelerator.scaler.state_dict()
            checkpoints.save(self.config.run, self.training, done, notes)
        self.accelerator.wait_for_everyone()

    def _diverged(self, how: str) -> Diverged:
        run, kept = self.config.run, checkpoints.steps_done(self.config.run)
        said = f"The checkpoint of step {kept} in {run} is intact" if kept else f"{run} has no checkpoint yet"
        return Diverged(
            f"The training diverged: {how}. {said}; start a new run with a learning rate under "
            f"{self.config.learning_rate:g}."
        )

    def sample(self, samples: Samples, done: int) -> dict[str, float]:
        figures = None
        if self.accelerator.is_main_process:
            model, ema = self.training.model, self.training.ema
            ema.store(self.parameters)
            ema.copy_to(self.parameters)
            with torch.no_grad():
                figures = samples(model.eval(), done)
            ema.restore(self.parameters)
            model.train()
        self.accelerator.wait_for_everyone()
        return figures or {}


def _check_resumed(accelerator: Accelerator, config: LoopConfig, notes: dict) -> None:
    """Resuming under other settings is allowed, and said; another subject is another run."""
    steps = gather_object([notes["step"]])
    if len({*steps}) > 1:  # else each goes on from its own, and they are averaged
        raise UserError(
            f"{config.run} holds checkpoints of the steps {', '.join(map(str, steps))} for the processes: "
            "all machines must share that folder."
        )
    if not notes["step"]:
        return
    old, now = notes["config"], json.loads(json.dumps(asdict(config) | {"run": ""}))
    for name, value in now["subject"].items() if old["subject"] else ():  # of older runs it is not known
        before = old["subject"].get(name, False)  # an option that there was not yet
        if before != value:
            raise UserError(
                f"{config.run} holds a training with {name} {before}, not {value}: "
                "give this one a run folder of its own (--run), or delete that one."
            )
    if notes["step"] > config.steps:  # its card would say what did not run
        raise UserError(
            f"{config.run} holds a training of {notes['step']} steps, more than {config.steps}: give as many "
            "or more, or a run folder of its own (--run)."
        )
    if old.get("use_8bit_adam", False) != config.use_8bit_adam:
        raise UserError(
            f"{config.run} holds a training {'with' if old['use_8bit_adam'] else 'without'} --use-8bit-adam, "
            "and its optimizer cannot be changed: give this one a run folder of its own (--run)."
        )
    changed = [f"{k} {old[k]} -> {v}" for k, v in now.items() if k in old and old[k] != v]
    note = f" with changed settings: {', '.join(changed)}" if changed else ""
    accelerator.print(f"resuming {config.run} at step {notes['step']}{note}", flush=True)
