"""U-Net and decoder of a pipeline computed by OpenVINO: static shapes, exported anew each time.

The sinusoidal embedding of time stays outside the graph: in bfloat16 it would be the largest error.
"""

from importlib.util import find_spec
from typing import Any

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn

from rf_app.registry.precision import unet_dtype

HINTS = {torch.float32: "f32", torch.bfloat16: "bf16", torch.float16: "f16"}


class _UNet(nn.Module):
    def __init__(self, unet: nn.Module):
        super().__init__()
        self.unet = unet

    def forward(self, sample: Tensor, time: Tensor, text: Tensor) -> Tensor:
        return self.unet(sample, time, text, return_dict=False)[0]


class _Decoder(nn.Module):
    def __init__(self, vae: nn.Module):
        super().__init__()
        self.vae = vae

    def forward(self, latents: Tensor) -> Tensor:
        return self.vae.decode(latents, return_dict=False)[0]


def installed() -> bool:
    """Whether OpenVINO is there."""
    return find_spec("openvino") is not None


@torch.no_grad()
def with_openvino(pipeline: StableDiffusionPipeline, dtype: torch.dtype) -> None:
    """Let OpenVINO compute them in `dtype` from now on, one picture at a time."""
    unet, vae = pipeline.unet, pipeline.vae
    config, project = unet.config, unet.time_proj
    latents = torch.randn(1, config.in_channels, config.sample_size, config.sample_size)
    text = torch.randn(1, pipeline.tokenizer.model_max_length, config.cross_attention_dim)
    unet.get_time_embed = lambda sample, timestep: timestep
    example = (latents, project(torch.tensor([1000.0])), text)
    run_unet = _compiled(_UNet(unet), example, unet_dtype(dtype, pipeline.scheduler))
    run_decoder = _compiled(_Decoder(vae), (latents,), dtype)

    def forward(sample: Tensor, timestep: Tensor, encoder_hidden_states: Tensor, **_: Any) -> tuple[Tensor]:
        time = project(timestep.reshape(1).float())
        rows = [
            run_unet(one[None], time, text[None])
            for one, text in zip(sample, encoder_hidden_states, strict=True)
        ]
        return (torch.cat(rows),)

    def decode(latents: Tensor, **_: Any) -> tuple[Tensor]:
        return (torch.cat([run_decoder(one[None]) for one in latents]),)

    unet.forward, vae.decode = forward, decode


def _compiled(module: nn.Module, example: tuple[Tensor, ...], dtype: torch.dtype) -> Any:
    import openvino

    model = openvino.convert_model(module.eval(), example_input=example)
    model.reshape({port: list(each.shape) for port, each in zip(model.inputs, example, strict=True)})
    hints = {"INFERENCE_PRECISION_HINT": HINTS[dtype], "PERFORMANCE_HINT": "LATENCY"}
    compiled = openvino.Core().compile_model(model, "CPU", hints)
    request = compiled.create_infer_request()

    def run(*tensors: Tensor) -> Tensor:
        given = [tensor.contiguous().float().numpy() for tensor in tensors]
        return torch.from_numpy(request.infer(given)[compiled.output(0)].copy())

    return run
