"""What a training would take, and nothing trained: `--dry-run` of every trainer.

Its networks run once as fake tensors, at true size and with a whole batch, which counts operations and the
bytes that live at once; how quick this machine is at them says a real forward pass of the U-Net. Not counted:
texts, pairs and pictures, samples on the way, what libraries hold themselves.
"""

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import AutoencoderKL, ControlNetModel, UNet2DConditionModel
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from rf_app.registry.checking import CONFIGS, read_json, weights_file
from rf_app.registry.loading import load_piece, model_class
from rf_app.settings.training import ControlNet, Distill, Lora, Pairs, PeRFlow, Reflow
from trainers.common.checkpoints import KEEP
from trainers.common.controlled import controlled
from trainers.common.models import registry_into, stacked
from trainers.common.precision import accelerator_in

Trainer = Pairs | Reflow | Distill | PeRFlow | Lora | ControlNet
TIMED = 8  # samples of the forward pass that is timed, at most
STATE = 4 * 4  # bytes of a trained number: itself, its average, Adam's two moments


@dataclass(frozen=True)
class Part:
    """Steps of a training, of a batch each.

    trained, frozen: passes of the U-Net in a step, with and without gradients; networks: those that learn;
    copies: other U-Nets in memory; decodes: whether it sees pictures, with gradients.
    """

    name: str
    steps: int
    batch: int
    trained: float = 1.0
    frozen: float = 0.0
    networks: int = 1
    copies: int = 0
    decodes: bool = False


def parts(config: Trainer, steps: int, guidance: float) -> list[Part]:
    """The parts of a training; steps, guidance: what the teacher's card recommends, for pairs."""
    if isinstance(config, Pairs):
        guidance = guidance if config.guidance is None else config.guidance
        calls = (config.steps or steps) * (1 + (guidance > 1))
        return [Part("pairs", -(-config.count // config.batch), config.batch, 0, calls, networks=0)]
    if isinstance(config, Distill):
        often = 1 / config.match_every
        found = [
            Part("l2", config.l2_steps, config.l2_batch),
            Part("lpips", config.lpips_steps, config.lpips_batch, decodes=True),
            Part("match", config.match_steps, config.match_batch, 1 + often, 1 + 2 * often, 2, 1),
        ]
        return [part for part in found if part.steps]
    if isinstance(config, PeRFlow):
        calls = -(-config.teacher_steps // config.windows) * (1 + (config.guidance != 1))
        return [Part("perflow", config.steps, config.batch, 1, calls, copies=1)]
    return [Part(type(config).__name__.lower(), config.steps, config.batch)]


class Living(TorchDispatchMode):
    """The most bytes of tensors made inside that were alive at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.most, self._known = 0, 0, set()

    def __torch_dispatch__(
        self, function: Callable, types: object, args: tuple = (), kwargs: dict | None = None
    ):
        """Note the storages that are new."""
        made = function(*args, **(kwargs or {}))
        for storage in (each.untyped_storage() for each in tree_leaves(made) if isinstance(each, Tensor)):
            if storage._cdata not in self._known:
                self._known.add(storage._cdata)
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self._gone, storage._cdata, storage.nbytes())
        return made

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.now -= size


@dataclass(frozen=True)
class Cost:
    """Of a pass of a batch. forward, whole: operations without and with the way back; living: bytes at most,
    gradients among them; trained, held: numbers that learn, and those of all networks.
    """

    forward: int
    whole: int
    living: int
    trained: int
    held: int


def cost(config: Trainer, part: Part, pieces: dict[str, Path], autocast: Callable) -> Cost:
    """A pass forth and back at true size, as fake tensors; of pairs only forth."""
    length = read_json(pieces["text_encoder"] / CONFIGS["text_encoder"])["max_position_embeddings"]
    with FakeTensorMode():
        own = read_json(pieces["unet"] / CONFIGS["unet"])
        unet = _student(config, model_class("unet", own).from_config(own)).train()
        vae = AutoencoderKL.from_config(read_json(pieces["vae"] / CONFIGS["vae"])).requires_grad_(False)
        if getattr(config, "gradient_checkpointing", False):
            unet.enable_gradient_checkpointing()
        size, channels = unet.config.sample_size, unet.config.in_channels
        z = torch.empty(part.batch, channels, size, size, requires_grad=bool(part.networks))
        times = torch.empty(part.batch)
        text = torch.empty(part.batch, length, unet.config.cross_attention_dim)
        learns, call, trained = unet, unet, _numbers(unet)
        if isinstance(config, ControlNet):
            learns = ControlNetModel.from_unet(unet)
            side = size * 2 ** (len(vae.config.block_out_channels) - 1)
            call = controlled(learns, unet.requires_grad_(False), torch.empty(part.batch, 3, side, side))
            trained = _numbers(learns)
        elif isinstance(config, Lora):
            trained = _lora_numbers(unet.requires_grad_(False), config.rank)
        with Living() as living, FlopCounterMode(display=False) as counted, autocast():
            made = call(z, times, encoder_hidden_states=text, return_dict=False)[0]
            forward = counted.get_total_flops()
            if part.decodes:
                made = vae.decode(made, return_dict=False)[0]
            if part.networks:
                made.float().square().mean().backward()
        held = _numbers(unet) + (0 if learns is unet else trained)
        return Cost(forward, counted.get_total_flops(), living.most, trained if part.networks else 0, held)


def _student(config: Trainer, unet: UNet2DConditionModel) -> UNet2DConditionModel:
    return stacked(config.teacher, unet) if getattr(config, "stacked", False) else unet


def _numbers(module: nn.Module) -> int:
    return sum(each.numel() for each in module.parameters())


def _lora_numbers(unet: nn.Module, rank: int) -> int:
    """Of the attention's and feed-forward's layers, which a LoRA changes if nobody says otherwise."""
    return sum(
        rank * (each.in_features + each.out_features)
        for name, each in unet.named_modules()
        if isinstance(each, nn.Linear) and (".attn" in name or ".ff." in name)
    )


@torch.no_grad()
def speed(
    config: Trainer, pieces: dict[str, Path], accelerator: Accelerator, batch: int, operations: float
) -> float:
    """Operations a second, of a real forward pass of the U-Net with `batch` samples, which takes so many."""
    unet = _student(config, load_piece(pieces["unet"], torch.float32))
    unet = unet.to(accelerator.device, memory_format=torch.channels_last)
    length = read_json(pieces["text_encoder"] / CONFIGS["text_encoder"])["max_position_embeddings"]
    size = unet.config.sample_size
    z = torch.randn(batch, unet.config.in_channels, size, size, device=accelerator.device)
    text = torch.randn(batch, length, unet.config.cross_attention_dim, device=accelerator.device)
    took = []
    for _ in range(5):  # the first one warms up, and others may be at work
        began = time.perf_counter()
        with accelerator.autocast():
            unet(z, 500, encoder_hidden_states=text, return_dict=False)[0].cpu()
        took.append(time.perf_counter() - began)
    return operations / min(took)


def dry_run(config: Trainer) -> str:
    """What the training is set to, and what it takes: memory, disk, time.

    Raises UserError for a model that is not there, or an arithmetic that the device does not have.
    """
    registry = registry_into(config.models)
    id = getattr(config, "teacher", None) or config.base
    card, pieces = registry.card(id), registry.pieces(id)
    accelerator = accelerator_in(config.precision)
    kind = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(accelerator.mixed_precision)

    def autocast() -> torch.autocast:  # fake tensors live on the CPU
        return torch.autocast("cpu", kind or torch.bfloat16, enabled=kind is not None)

    others = 2 * sum(weights_file(pieces[name], name).stat().st_size for name in ("vae", "text_encoder"))
    lines = [f"{name}: {value}" for name, value in vars(config).items() if value not in (None, "")]
    found = [
        (part, cost(config, part, pieces, autocast)) for part in parts(config, card.steps, card.guidance)
    ]
    batch = min(TIMED, found[0][0].batch)
    a_second = speed(config, pieces, accelerator, batch, found[0][1].forward / found[0][0].batch * batch)
    seconds = memory = disk = checkpoint = 0.0
    for part, each in found:
        state = STATE - 6 * getattr(config, "use_8bit_adam", False)
        frozen = 4 * (each.held - each.trained + part.copies * each.held)
        memory = max(memory, others + frozen + part.networks * state * each.trained + each.living)
        checkpoint = max(checkpoint, part.networks * state * each.trained)
        disk += KEEP * part.networks * state * each.trained  # stays, so that each stage can go on
        draws = part.steps * getattr(config, "accumulate", 1)
        seconds += draws * (part.trained * each.whole + part.frozen * each.forward) / a_second
        lines.append(
            f"{part.name}: {part.steps:,} steps of {draws // part.steps * part.batch:,} samples; "
            f"{each.trained / 1e6:,.1f} of {each.held / 1e6:,.1f} million numbers learn"
        )
    disk += checkpoint + 2 * found[-1][1].trained  # one that is being written; what is published
    if isinstance(config, Pairs):  # noise and latent in float16
        unet = read_json(pieces["unet"] / CONFIGS["unet"])
        disk = config.count * 4 * unet["in_channels"] * unet["sample_size"] ** 2
    name = torch.cuda.get_device_name() if accelerator.device.type == "cuda" else accelerator.device.type
    return "\n".join(
        [
            *lines,
            f"memory: about {memory / 1e9:,.1f} GB, besides what the libraries take",
            f"disk: about {disk / 1e9:,.1f} GB for what is made, {KEEP} checkpoints of each stage included",
            f"time: about {seconds / 3600:,.2f} hours on one {name} in {accelerator.mixed_precision}, at the "
            f"{a_second / 1e9:,.0f} GFLOP a second of a forward pass of {batch} samples just now",
            "Nothing was trained.",
        ]
    )
