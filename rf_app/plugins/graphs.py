"""A model as ONNX graphs in the community's layout, with a script that draws with them in plain onnxruntime.

text_encoder, unet and vae_decoder are folders with model.onnx each, under the names of inputs and outputs
that diffusers and Optimum use. Of our schedulers a step is x = a x + b f(s x, t), so the script needs four
numbers for each. Wants `pip install onnx onnxscript onnxruntime`.
"""

import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from diffusers import SchedulerMixin, StableDiffusionPipeline
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.registry.card import ModelCard

NEEDED = ("onnx", "onnxscript", "onnxruntime")
LARGEST = 2_000_000_000  # bytes of a graph's weights in the graph itself: protobuf ends at 2 GB
MOST_APART = 1e-3  # of a graph and PyTorch, as a part of the largest value
BATCH = 2
SCRIPT = '''"""Draws with {id} in onnxruntime: python draw.py "{prompt}" picture.png"""

import sys
from pathlib import Path

import numpy
from onnxruntime import InferenceSession
from PIL import Image
from tokenizers import Tokenizer

here = Path(__file__).parent
reader, text_encoder, unet, decoder = Tokenizer.from_file(str(here / "tokenizer/tokenizer.json")), *(
    InferenceSession(here / name / "model.onnx") for name in ("text_encoder", "unet", "vae_decoder")
)
reader.enable_truncation({length})
reader.enable_padding(length={length}, pad_id={pad})
words = numpy.array([reader.encode(text).ids for text in ("", sys.argv[1])])
states = text_encoder.run(None, {{"input_ids": words}})[0]
x = numpy.random.default_rng(7).standard_normal({shape}, numpy.float32)
for t, scale, keep, add in {steps}:  # the timestep, and x = keep x + add f(scale x, t)
    inputs = {{"sample": numpy.repeat(numpy.float32(scale) * x, 2, 0), "encoder_hidden_states": states}}
    nothing, wanted = unet.run(None, inputs | {{"timestep": numpy.array([t], numpy.float32)}})[0]
    guided = nothing + numpy.float32({guidance}) * (wanted - nothing)
    x = numpy.float32(keep) * x + numpy.float32(add) * guided
pixels = decoder.run(None, {{"latent_sample": x / numpy.float32({scaling})}})[0][0].transpose(1, 2, 0)
Image.fromarray((pixels.clip(-1, 1) * 127.5 + 127.5).round().astype("uint8")).save(sys.argv[2])
'''


class Graph(nn.Module):
    """What of a piece becomes a graph: a function of its tensors."""

    def __init__(self, piece: nn.Module, call: Callable[..., Tensor]):
        super().__init__()
        self.piece, self.call = piece, call

    def forward(self, *given: Tensor) -> Tensor:
        """The output for the inputs, batches first."""
        return self.call(self.piece, *given)


def check_installed() -> None:
    """Raise UserError where a library is missing."""
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise UserError(f"ONNX needs {', '.join(missing)}: pip install {' '.join(NEEDED)}.")


def write_graphs(
    folder: Path, pipeline: StableDiffusionPipeline, report: Callable[[str], None]
) -> dict[str, float]:
    """Write the three graphs of a pipeline in float32 into a folder, each compared with PyTorch.

    report: is told what comes next. Returns the largest difference of each, as a part of its largest value.
    Raises UserError for one that computes something else.
    """
    unet, vae, reader = pipeline.unet, pipeline.vae, pipeline.text_encoder
    side = unet.config.sample_size
    latents = torch.randn(
        BATCH, unet.config.in_channels, side, side, generator=torch.Generator().manual_seed(0)
    )
    ids = (
        torch.arange(BATCH * pipeline.tokenizer.model_max_length).reshape(BATCH, -1)
        % reader.config.vocab_size
    )
    with torch.no_grad():
        states = reader(ids)[0]
    found = {}
    for name, graph, inputs, output in (
        (
            "text_encoder",
            Graph(reader, lambda piece, ids: piece(ids)[0]),
            {"input_ids": ids},
            "last_hidden_state",
        ),
        (
            "unet",
            Graph(unet, lambda piece, *given: piece(*given).sample),
            {"sample": latents, "timestep": torch.tensor([500.0]), "encoder_hidden_states": states},
            "out_sample",
        ),
        (
            "vae_decoder",
            Graph(vae, lambda piece, latents: piece.decode(latents).sample),
            {"latent_sample": latents},
            "sample",
        ),
    ):
        report(f"Writing and comparing {name}")
        path = folder / name / "model.onnx"
        path.parent.mkdir()
        _write(graph.eval(), inputs, output, path)
        found[name] = _apart(graph, inputs, path)
        if found[name] > MOST_APART:
            raise UserError(
                f"The graph of {name} does not compute what PyTorch does ({found[name]:.2g} apart)."
            )
    return found


def script(card: ModelCard, pipeline: StableDiffusionPipeline, prompt: str) -> str:
    """Python that draws with the graphs, as the card recommends; pipeline: with the model's own scheduler."""
    side, channels = pipeline.unet.config.sample_size, pipeline.unet.config.in_channels
    return SCRIPT.format(
        id=card.id,
        prompt=prompt,
        length=pipeline.tokenizer.model_max_length,
        pad=pipeline.tokenizer.pad_token_id,
        shape=(1, channels, side, side),
        steps=steps(pipeline.scheduler, card.steps),
        guidance=max(card.guidance, 1.0),
        scaling=pipeline.vae.config.scaling_factor,
    )


def steps(scheduler: SchedulerMixin, count: int) -> list[tuple[float, ...]]:
    """Of each of a solve's steps: t, s, a and b with x = a x + b f(s x, t)."""
    scheduler.set_timesteps(count)
    x, output = torch.eye(2, dtype=torch.float64)
    found = []
    for t in scheduler.timesteps:
        scale = scheduler.scale_model_input(x, t)[0]
        keep, add = scheduler.step(output, t, x).prev_sample
        found.append(tuple(round(float(each), 7) for each in (t, scale, keep, add)))
    return found


def _write(graph: Graph, inputs: dict[str, Tensor], output: str, path: Path) -> None:
    free = {0: torch.export.Dim.DYNAMIC}  # the batch
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = torch.onnx.export(
            graph,
            tuple(inputs.values()),
            dynamo=True,
            input_names=list(inputs),
            output_names=[output],
            dynamic_shapes={"given": tuple(free if len(each) == BATCH else {} for each in inputs.values())},
            verbose=False,
        )
    size = sum(each.nbytes for each in graph.parameters())
    program.save(path, external_data=size > LARGEST)


def _apart(graph: Graph, inputs: dict[str, Tensor], path: Path) -> float:
    from onnxruntime import InferenceSession

    with torch.no_grad():
        wanted = graph(*inputs.values()).numpy()
    (got,) = InferenceSession(path).run(None, {name: each.numpy() for name, each in inputs.items()})
    return float(np.abs(got - wanted).max() / np.abs(wanted).max())
