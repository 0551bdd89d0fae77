"""One picture in one step, by every engine, beside the plain StableDiffusionPipeline in float32.

    python -m benchmarks.one_step --size pocket
    python -m benchmarks.one_step --size sd15 --plot docs/one-step-sd15.svg --json > sd15.json
    python -m benchmarks.one_step --size sd15 --resident bfloat16

sd15: random weights of Stable Diffusion 1.5's size (`random_models`), 512x512. Each engine has a process of
its own, so that its peak of memory is its own; all draw the same seeds from the same weights. Beside the
wall's seconds stand those of all cores together, which a busy machine spoils less. "openvino" is measured
where it is installed (`pip install openvino`). 25 steps with guidance are left out where they would take
minutes: sd15 in float32.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter, process_time
from typing import Any, Literal

import numpy as np
import torch
import tyro
from diffusers import StableDiffusionPipeline
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.charts import bars
from benchmarks.latency import PROMPTS, machine
from benchmarks.picture_memory import peak
from benchmarks.random_models import random_models
from rf_app.pipeline.decoding import decode
from rf_app.pipeline.graphs import installed
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.registry.loading import load
from rf_app.registry.models import BUNDLED, Registry
from rf_app.settings.engine import BFLOAT16, ENGINES, FLOAT16, FLOAT32, OPENVINO
from rf_app.settings.picture import PictureSettings

STOCK = "stock"
TYPES = (FLOAT32, BFLOAT16, FLOAT16)
MANY, GUIDANCE = 25, 5.0
COMPARED = 8  # pictures, of each engine with the stock ones
SIDE = 4096  # of the matrices that show what the processor can do
PARTS = ("text", "unet", "decode")


@dataclass(frozen=True)
class Size:
    """What is drawn, and how often: a float32 picture of 512x512 takes a quarter of a minute."""

    model: str
    runs: int
    warm_up: int
    batches: tuple[int, ...]
    many: tuple[str, ...]  # the engines that take MANY steps, too


SIZES = {
    "pocket": Size("pocket-instaflow", 40, 5, (1, 4, 16), (STOCK, *ENGINES)),
    "sd15": Size("random-instaflow", 3, 1, (1, 4), ("bfloat16", "float16", OPENVINO)),  # minutes in float32
}


@dataclass(frozen=True)
class Options:
    """What to measure."""

    size: Literal["pocket", "sd15"] = "pocket"
    engines: tuple[str, ...] = (STOCK, *ENGINES)
    """Which; "stock" is plain diffusers in float32, what all are compared with."""
    runs: int | None = None
    """Pictures that count (default: 40, of sd15 3)."""
    many: bool = True
    """Take the 25 steps, too."""
    json: bool = False
    """Print JSON alone."""
    plot: Path | None = None
    """An SVG to write."""
    resident: str = ""
    """Measure instead what the process holds with all models in memory, three of sd15, by this engine."""
    one: Path | None = None
    """Measure the one engine in this process, and write what was found into this folder."""


@dataclass
class Found:
    """Of one engine. Seconds: an entry a run; cpu: of all cores. memory: bytes at the peak."""

    engine: str
    seconds: dict[str, list[float]] = field(default_factory=dict)
    cpu: list[float] = field(default_factory=list)
    pictures_a_second: dict[str, float] = field(default_factory=dict)  # by the size of the batch
    many: float | None = None  # seconds of a picture in MANY steps with guidance
    many_cpu: float | None = None
    memory: int = 0
    flop: dict[str, int] = field(default_factory=dict)  # of U-Net and decoder
    psnr: float | None = None  # against the stock pictures, the worst

    def networks(self) -> float:
        """Seconds of U-Net and decoder together, the median."""
        return median(a + b for a, b in zip(self.seconds["unet"], self.seconds["decode"], strict=True))


Draw = Callable[[PictureSettings], tuple[np.ndarray, dict[str, float]]]


def _stock(registry: Registry, id: str, _: str) -> tuple[Draw, StableDiffusionPipeline]:
    """Plain diffusers."""
    pipeline = load(registry.pieces(id), registry.card(id).kind)
    spent = dict.fromkeys(PARTS, 0.0)

    def clocked(part: str, owner: Any, name: str) -> None:
        own = getattr(owner, name)

        def call(*args: Any, **named: Any) -> Any:
            start = perf_counter()
            try:
                return own(*args, **named)
            finally:
                spent[part] += perf_counter() - start

        setattr(owner, name, call)

    clocked("text", pipeline.text_encoder, "forward")
    clocked("unet", pipeline.unet, "forward")
    clocked("decode", pipeline.vae, "decode")

    def draw(wish: PictureSettings) -> tuple[np.ndarray, dict[str, float]]:
        spent.update(dict.fromkeys(PARTS, 0.0))
        image = pipeline(
            wish.prompt,
            num_inference_steps=wish.steps,
            guidance_scale=wish.guidance,
            generator=torch.Generator("cpu").manual_seed(wish.seed),
        ).images[0]
        return np.asarray(image), dict(spent)

    return draw, pipeline


def _studio(registry: Registry, id: str, engine: str) -> tuple[Draw, StableDiffusionPipeline]:
    worker = Worker(registry, "cpu", engine=engine)

    def draw(wish: PictureSettings) -> tuple[np.ndarray, dict[str, float]]:
        drawn = result_of(worker.draw(wish))
        return np.asarray(drawn.image), {part: getattr(drawn.timings, part) for part in PARTS}

    return draw, worker._turns.wait_for(lambda: worker._models.get(id)).pipeline


def measure(registry: Registry, engine: str, size: Size, runs: int) -> tuple[Found, np.ndarray]:
    """All figures of one engine, and the pictures of the first seeds, as levels [n, H, W, 3]."""
    id, found = size.model, Found(engine)
    draw, pipeline = (_stock if engine == STOCK else _studio)(registry, id, engine)

    def wish(seed: int, steps: int = 1, guidance: float = 1.0) -> PictureSettings:
        return PictureSettings(PROMPTS[seed % len(PROMPTS)], id, steps, guidance, seed)

    pictures = []
    for seed in range(-size.warm_up, runs):
        start, cpu = perf_counter(), process_time()
        picture, parts = draw(wish(seed % len(PROMPTS)))  # warming up takes the last ones
        if seed >= 0:
            pictures.append(picture)
            found.cpu.append(process_time() - cpu)
            for part, each in (parts | {"total": perf_counter() - start}).items():
                found.seconds.setdefault(part, []).append(each)
    found.memory = peak()
    if engine in size.many:
        draw(wish(0, 2, GUIDANCE))
        start, cpu = perf_counter(), process_time()
        draw(wish(0, MANY, GUIDANCE))
        found.many, found.many_cpu = perf_counter() - start, process_time() - cpu
    for batch in size.batches if engine != OPENVINO else ():  # whose graphs take one picture
        found.pictures_a_second[str(batch)] = _throughput(pipeline, batch)
    if engine == STOCK:
        found.flop = _flop(pipeline)
    return found, np.stack(pictures[:COMPARED])


@torch.inference_mode()
def _throughput(pipeline: StableDiffusionPipeline, batch: int) -> float:
    """Pictures a second where `batch` of them go through the networks at once, the text already read."""
    config = pipeline.unet.config
    text = torch.randn(1, pipeline.tokenizer.model_max_length, config.cross_attention_dim)
    noise = torch.randn(batch, config.in_channels, config.sample_size, config.sample_size)

    def pictures() -> None:
        latents = pipeline(
            prompt_embeds=text.expand(batch, -1, -1),
            latents=noise,
            num_inference_steps=1,
            guidance_scale=1.0,
            output_type="latent",
        ).images
        pipeline.vae.decode(latents.to(pipeline.vae.dtype), return_dict=False)

    pictures()
    times = []
    while sum(times) < 2 and len(times) < 20:
        start = perf_counter()
        pictures()
        times.append(perf_counter() - start)
    return batch / median(times)


@torch.inference_mode()
def _flop(pipeline: StableDiffusionPipeline) -> dict[str, int]:
    """Of one call of each: multiplications and additions, as PyTorch counts them."""
    config, counted = pipeline.unet.config, {}
    latents = torch.randn(1, config.in_channels, config.sample_size, config.sample_size)
    text = torch.randn(1, pipeline.tokenizer.model_max_length, config.cross_attention_dim)
    for part, call in (
        ("unet", lambda: pipeline.unet(latents, torch.tensor(1000.0), text)),
        ("decode", lambda: decode(pipeline, latents, pipeline.vae)),
    ):
        with FlopCounterMode(display=False) as counter:
            call()
        counted[part] = counter.get_total_flops()
    return counted


def resident(registry: Registry, engine: str) -> int:
    """Bytes that this process holds once each of the registry's models has drawn, all of them in memory."""
    import psutil

    worker = Worker(registry, "cpu", engine=engine)
    for card in registry.cards():
        result_of(worker.draw(PictureSettings("a lake", card.id, 1, 1.0)))
    return psutil.Process().memory_info().rss


def matrix_unit() -> dict[str, float]:
    """FLOP a second of a plain product of two large matrices, by type: the limit on this machine."""
    found = {}
    for name in TYPES:
        a, b = (torch.randn(SIDE, SIDE).to(getattr(torch, name)) for _ in range(2))
        times = []
        for _ in range(4):
            start = perf_counter()
            a @ b
            times.append(perf_counter() - start)
        found[name] = 2 * SIDE**3 / min(times[1:])
    return found


def in_own_process(options: Options, engine: str) -> tuple[Found, np.ndarray]:
    """One engine's figures, and its pictures as `measure` gives them."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--size", options.size, "--engines", engine, "--one", folder]
        words += [] if options.many else ["--no-many"]
        words += ["--runs", str(options.runs)] if options.runs else []
        subprocess.run([sys.executable, "-m", "benchmarks.one_step", *words], check=True, stdout=sys.stderr)
        found = Found(**json.loads((Path(folder) / "found.json").read_text()))
        return found, np.load(Path(folder) / "pictures.npy")


def _psnr(one: np.ndarray, other: np.ndarray) -> float:
    """Decibels, the worst of some pictures [n, H, W, 3] of levels in 0..255."""
    squares = ((one.astype(float) - other) ** 2).mean((1, 2, 3))
    return float(10 * np.log10(255**2 / np.maximum(squares, 1e-3)).min())


def table(found: Sequence[Found], limits: dict[str, float]) -> str:
    """What was found, a line an engine."""
    stock = found[0]
    lines = [
        f"{'seconds, median':<12}{'text':>8}{'U-Net':>8}{'decode':>8}{'total':>8}  {'10..90 %':<14}{'x':>6}"
        f"{'CPU s':>8}{'x':>6}{'PSNR':>7}{'peak GB':>9}  pictures/s at batch"
    ]
    for each in found:
        middle = {part: median(times) for part, times in each.seconds.items()}
        times = each.seconds["total"]
        tenths = quantiles(times, n=10) if len(times) > 1 else times
        spread = f"{tenths[0]:.3f}..{tenths[-1]:.3f}"
        psnr = "" if each.psnr is None else f"{each.psnr:.1f}"
        at = ", ".join(f"{n}: {rate:.2f}" for n, rate in each.pictures_a_second.items())
        lines.append(
            f"{each.engine:<12}"
            + "".join(f"{middle[part]:8.3f}" for part in (*PARTS, "total"))
            + f"  {spread:<14}{median(stock.seconds['total']) / middle['total']:6.2f}{median(each.cpu):8.3f}"
            f"{median(stock.cpu) / median(each.cpu):6.2f}{psnr:>7}{each.memory / 1e9:9.2f}  {at}"
        )
    for each in found:
        if each.many:
            wall, cpu = each.many / median(each.seconds["total"]), each.many_cpu / median(each.cpu)
            lines.append(
                f"{each.engine}: {MANY} steps with guidance take {each.many:.2f} s, {wall:.1f} x one step "
                f"({cpu:.1f} x by CPU seconds)"
            )
    for name, limit in limits.items():
        lines.append(f"matrix product of {SIDE}, {name}: {limit / 1e12:.2f} TFLOP/s")
    work = sum(stock.flop.values())
    reached = [f"{each.engine} {work / each.networks() / 1e12:.2f}" for each in found]
    lines.append(f"U-Net and decoder are {work / 1e9:,.1f} GFLOP; TFLOP/s reached: {', '.join(reached)}")
    return "\n".join(lines)


def main(options: Options) -> None:
    """Measure and print."""
    size = SIZES[options.size]
    registry = random_models() if options.size == "sd15" else Registry([BUNDLED])
    if options.one:
        (engine,) = options.engines
        size = size if options.many else replace(size, many=())
        found, pictures = measure(registry, engine, size, options.runs or size.runs)
        np.save(options.one / "pictures.npy", pictures)
        (options.one / "found.json").write_text(json.dumps(asdict(found)))
        return
    if options.resident:
        held = resident(registry, options.resident) / 1e9
        print(f"{options.resident}: {held:.2f} GB with {len(registry.cards())} models")
        return
    engines = [name for name in options.engines if name != OPENVINO or installed()]
    limits, found, expected = matrix_unit(), [], None
    for engine in [STOCK, *(name for name in engines if name != STOCK)]:
        print(f"{engine} …", file=sys.stderr, flush=True)
        each, pictures = in_own_process(options, engine)
        if engine == STOCK:
            expected = pictures
        else:
            each.psnr = _psnr(pictures, expected)
        found.append(each)
    if options.plot:
        medians = [(each.engine, {part: median(each.seconds[part]) for part in PARTS}) for each in found]
        options.plot.write_text(bars(f"One picture of {size.model} in one step", medians))
    if options.json:
        told = {"machine": machine(), "matrix_product": limits, "engines": [asdict(each) for each in found]}
        print(json.dumps(told, indent=2))
    else:
        print(machine(), table(found, limits), sep="\n")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
