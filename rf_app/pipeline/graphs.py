"""U-Net and decoder computed by OpenVINO: on a processor the quickest way to a picture.

A graph has one size and one picture at a time. It is made when it is first needed, for which that picture
waits, and lies in a folder for the next start. The sinusoidal embedding of time stays outside: in bfloat16 it
would be the largest error by far. Wants `pip install openvino`; measured in
`docs/performance.md`.
"""

import hashlib
import os
import shutil
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from torch import Tensor, nn

from rf_app.pipeline.models import Resident
from rf_app.registry.disk import publish_folder

HINTS = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}
SIZES = 4  # of each network in memory
MAX_BYTES = 8 * 2**30  # of all graphs on the disk
NAME = "graph.xml"

Run = Callable[..., Tensor]


def installed() -> bool:
    """Whether OpenVINO is there."""
    return find_spec("openvino") is not None


class _UNet(nn.Module):
    def __init__(self, unet: UNet2DConditionModel):
        super().__init__()
        self.unet = unet
        for each in unet.modules():  # of two in a row
            if isinstance(each, UNet2DConditionModel):
                each.get_time_embed = lambda sample, timestep: timestep

    def forward(self, sample: Tensor, time: Tensor, text: Tensor) -> Tensor:
        # Not called, which would cast to what its weights were.
        return self.unet.forward(sample, time, text, return_dict=False)[0]


class _Decoder(nn.Module):
    def __init__(self, vae: AutoencoderKL):
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents, return_dict=False)[0]


class Graphs:
    """The graphs of networks in memory, which leave with them; for one thread at a time."""

    def __init__(self, folder: Path):
        """folder: where graphs lie on the disk, MAX_BYTES of them at most."""
        self.folder = folder
        self._runs: WeakKeyDictionary[nn.Module, OrderedDict[Any, Run]] = WeakKeyDictionary()

    @contextmanager
    def computing(self, model: Resident, size: tuple[int, int], words: int) -> Iterator[None]:
        """Let OpenVINO compute a model's U-Net and decoder while this lasts, in the types of their weights.

        These must be the model's own. size: height and width of the latents. words: length of the text's
        embeddings.
        """
        unet, vae, source = model.pipeline.unet, model.pipeline.vae, sorted(map(str, model.stamps))
        dtype = vae.dtype
        latents = torch.zeros(1, unet.config.in_channels, *size)
        text = torch.zeros(1, words, unet.config.cross_attention_dim)
        time = unet.time_proj(torch.tensor([1000.0]))
        run_unet = self._run(unet, _UNet, (latents, time, text), source)
        run_decoder = self._run(vae, _Decoder, (latents,), source)

        def forward(
            sample: Tensor, timestep: Tensor | float, encoder_hidden_states: Tensor, **_: Any
        ) -> tuple[Tensor]:
            times = unet.time_proj(torch.as_tensor(timestep).float().expand(len(sample)))
            given = zip(sample, times, encoder_hidden_states, strict=True)
            return (torch.cat([run_unet(*(each[None] for each in one)) for one in given]),)

        def decode(latents: Tensor, **named: Any) -> tuple[Tensor]:
            if latents.dtype != dtype:  # float32, as float16 did not suffice
                return type(vae).decode(vae, latents, **named)
            return (torch.cat([run_decoder(one[None]) for one in latents]),)

        unet.forward, vae.decode = forward, decode
        try:
            yield
        finally:
            del unet.forward, vae.decode  # the classes' own are there again

    def _run(
        self, module: nn.Module, wrapper: type[nn.Module], given: tuple[Tensor, ...], source: list[str]
    ) -> Run:
        runs = self._runs.setdefault(module, OrderedDict())
        shapes = tuple(tuple(each.shape) for each in given)
        if shapes not in runs:
            told = f"{source} {wrapper.__name__} {shapes} {module.dtype} {_version()}"
            folder = self.folder / hashlib.sha256(told.encode()).hexdigest()[:32]
            exported = partial(self._exported, folder, module, wrapper, given)
            try:
                runs[shapes] = _compiled(exported(), module.dtype)
            except RuntimeError:  # it is not whole: somebody was stopped while removing it
                shutil.rmtree(folder, ignore_errors=True)
                runs[shapes] = _compiled(exported(), module.dtype)
        runs.move_to_end(shapes)
        while len(runs) > SIZES:
            runs.popitem(last=False)
        return runs[shapes]

    @torch.inference_mode(False)
    @torch.no_grad()
    def _exported(
        self, folder: Path, module: nn.Module, wrapper: type[nn.Module], given: tuple[Tensor, ...]
    ) -> Path:
        """The graph's file, which is made unless it is there; what has lain longest makes room for it."""
        if not (folder / NAME).is_file():
            import openvino

            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of tracing, and of what holds at one size alone
                graph = openvino.convert_model(wrapper(deepcopy(module).float()).eval(), example_input=given)
            graph.reshape({port: list(each.shape) for port, each in zip(graph.inputs, given, strict=True)})
            half = module.dtype != torch.float32
            publish_folder(
                folder, lambda fresh: openvino.save_model(graph, fresh / NAME, half), overwrite=True
            )
        with suppress(FileNotFoundError):  # another process makes room, too
            os.utime(folder)
            held, whole = 0, [graph.parent for graph in self.folder.glob(f"*/{NAME}")]
            for each in sorted(whole, key=lambda each: each.stat().st_mtime, reverse=True):
                held += sum(file.stat().st_size for file in each.iterdir())
                if held > MAX_BYTES and each != folder:
                    shutil.rmtree(each, ignore_errors=True)
        return folder / NAME


def _compiled(file: Path, dtype: torch.dtype) -> Run:
    import openvino

    hints = {"INFERENCE_PRECISION_HINT": HINTS[dtype], "PERFORMANCE_HINT": "LATENCY"}
    hints["INFERENCE_NUM_THREADS"] = torch.get_num_threads()  # it knows no $OMP_NUM_THREADS
    compiled = openvino.Core().compile_model(file, "CPU", hints)
    request = compiled.create_infer_request()

    def run(*tensors: Tensor) -> Tensor:
        given = [tensor.contiguous().float().numpy() for tensor in tensors]
        return torch.from_numpy(request.infer(given)[compiled.output(0)].copy())

    return run


def _version() -> str:
    import openvino

    return openvino.__version__
