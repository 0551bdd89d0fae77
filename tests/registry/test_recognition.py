"""What a folder from elsewhere is taken for: by the published layouts, in small."""

import json

import pytest

from rf_app.errors import UserError
from rf_app.registry.recognition import Recognized, called_in, recognize, recognize_folder

FLOW = "RectifiedFlowScheduler"
PNDM = {"_class_name": "PNDMScheduler", "beta_schedule": "scaled_linear"}
SHIFTED = {"_class_name": FLOW, "prediction_type": "flow_prediction", "shift": 3.0}
TRAILING = {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}


@pytest.fixture
def folder(tmp_path):
    """Call it with the configs of a model that lies on the Hub as NAME."""

    def make(name="somebody/model", index="StableDiffusionPipeline", scheduler=PNDM, unet=None, vae=None):
        found = tmp_path / name
        configs = {
            "model_index.json": {"_class_name": index} if index else None,
            "unet/config.json": {"in_channels": 4} | (unet or {}),
            "vae/config.json": {"latent_channels": 4} | (vae or {}),
            "scheduler/scheduler_config.json": scheduler,
        }
        for path, config in configs.items():
            if config is not None:
                (found / path).parent.mkdir(parents=True, exist_ok=True)
                (found / path).write_text(json.dumps(config))
        return found

    return make


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ({}, Recognized("diffusion")),
        ({"index": None}, Recognized("diffusion")),
        ({"scheduler": {"_class_name": "DEISMultistepScheduler"}}, Recognized("diffusion")),
        ({"scheduler": {"_class_name": FLOW, "prediction_type": "epsilon"}}, Recognized("rectified-flow")),
        (
            {"name": "XCLiu/2_rectified_flow_from_sd_1_5", "index": "RectifiedFlowPipeline"},
            Recognized("rectified-flow", {"_class_name": FLOW, "prediction_type": "velocity"}),
        ),
        (
            {"name": "XCLiu/instaflow_0_9B_from_sd_1_5", "index": "RectifiedFlowPipeline"},
            Recognized("one-step", {"_class_name": FLOW, "prediction_type": "velocity"}),
        ),
        (
            {
                "name": "hansyan/perflow-sd15-dreamshaper",
                "scheduler": {"_class_name": "DEISMultistepScheduler", "beta_start": 0.001},
            },
            Recognized(
                "piecewise-flow",
                {"_class_name": "PeRFlowScheduler", "prediction_type": "diff_eps"}
                | {"num_time_windows": 4, "beta_start": 0.001},
            ),
        ),
        (
            {"scheduler": {"_class_name": "PeRFlowScheduler", "prediction_type": "ddim_eps"}},
            Recognized("piecewise-flow"),
        ),
        (
            {"index": "LatentConsistencyModelPipeline", "scheduler": {"_class_name": "LCMScheduler"}},
            Recognized("consistency"),
        ),
        (
            {"unet": {"time_cond_proj_dim": 256}, "scheduler": PNDM},
            Recognized("consistency", {"_class_name": "LCMScheduler", "beta_schedule": "scaled_linear"}),
        ),
        (
            {"name": "Lykon/dreamshaper-8-lcm", "scheduler": {"_class_name": "DEISMultistepScheduler"}},
            Recognized("consistency", {"_class_name": "LCMScheduler"}),
        ),
        (
            {"name": "dreamshaper_8LCM.safetensors", "index": None},
            Recognized("consistency", {"_class_name": "LCMScheduler", "beta_schedule": "scaled_linear"}),
        ),
        ({"name": "somebody/lcm-to-flow", "scheduler": {"_class_name": FLOW}}, Recognized("rectified-flow")),
        ({"scheduler": TRAILING}, Recognized("turbo")),
        ({"scheduler": TRAILING | {"prediction_type": "v_prediction"}}, Recognized("diffusion")),
        (
            {"name": "IDKiro/sdxs-512-0.9", "scheduler": {"_class_name": "DEISMultistepScheduler"}},
            Recognized("one-step-diffusion"),
        ),
        (
            {"name": "IDKiro/sdxs-512-0.9", "scheduler": PNDM},
            Recognized(
                "one-step-diffusion",
                {"_class_name": "DEISMultistepScheduler", "beta_schedule": "scaled_linear"},
            ),
        ),
        (
            {"unet": {"time_cond_proj_dim": 256}, "scheduler": {"prediction_type": "v_prediction"}},
            Recognized("consistency", {"_class_name": "LCMScheduler", "prediction_type": "v_prediction"}),
        ),
        (
            {"scheduler": {"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": 3.0}},
            Recognized("rectified-flow", SHIFTED),
        ),
        (
            {
                "scheduler": {"_class_name": "UniPCMultistepScheduler", "flow_shift": 3.0}
                | {"prediction_type": "flow_prediction"}
            },
            Recognized("rectified-flow", SHIFTED),
        ),
        ({"vae": {"_class_name": "AutoencoderTiny"}}, Recognized("diffusion")),
        ({"unet": {"in_channels": 8}, "vae": {"latent_channels": {}}}, Recognized("diffusion")),
    ],
)
def test_known_for_what_it_is(folder, layout, expected):
    found = folder(**layout)
    assert recognize(found, str(found)) == expected


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        ({"index": "StableDiffusionXLPipeline"}, "model: is Stable Diffusion XL; expected a text-to-image"),
        ({"index": "StableDiffusionXLImg2ImgPipeline"}, "Stable Diffusion XL"),
        ({"unet": {"addition_embed_type": "text_time"}}, "Stable Diffusion XL, or another"),
        ({"index": "StableDiffusion3Pipeline"}, "Stable Diffusion 3"),
        ({"index": "FluxPipeline"}, "Flux"),
        ({"index": "OVStableDiffusionPipeline"}, "a model for OpenVINO"),
        ({"index": "OnnxStableDiffusionPipeline"}, "a model for ONNX"),
        ({"index": "StableDiffusionInpaintPipeline"}, "an inpainting model"),
        ({"unet": {"in_channels": 9}}, "an inpainting model: its U-Net takes 9 channels"),
        ({"unet": {"in_channels": 8}}, "a model that edits pictures: its U-Net takes 8 channels"),
        ({"unet": {"in_channels": 5}}, "a model that follows a depth map: its U-Net takes 5 channels"),
        ({"index": "KandinskyPipeline"}, "made for 'KandinskyPipeline'"),
        (
            {"scheduler": {"_class_name": "FlowMatchEulerDiscreteScheduler", "use_dynamic_shifting": True}},
            "its scheduler has use_dynamic_shifting True; flow matching is drawn here with 1000",
        ),
        ({"scheduler": {"_class_name": "EDMEulerScheduler"}}, "made for the sampler 'EDMEulerScheduler'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_by_name(folder, layout, message):
    with pytest.raises(UserError, match=message):
        recognize(folder(**layout), "model")


def test_a_kind_that_its_owner_says_comes_first(folder):
    found = recognize(folder(), "model", "one-step")
    assert found == Recognized("one-step", {"_class_name": FLOW, "prediction_type": "velocity"})
    turbo = {"_class_name": "EulerDiscreteScheduler", "timestep_spacing": "trailing"}
    assert recognize(folder(), "model", "turbo").scheduler == turbo | {"beta_schedule": "scaled_linear"}


def test_a_snapshot_is_called_by_its_model_s_name(tmp_path):
    assert called_in("Lykon/dreamshaper-7") == "dreamshaper-7"
    assert called_in("/x/My Model (v2)") == "My Model (v2)"
    snapshot = tmp_path / "models--XCLiu--instaflow_0_9B" / "snapshots" / ("0" * 40)
    assert called_in(str(snapshot)) == "instaflow_0_9B"
    weights = snapshot / "unet" / "diffusion_pytorch_model.safetensors"
    assert called_in(str(weights)) == "diffusion_pytorch_model"
    weights.parent.mkdir(parents=True)
    (weights.parent / "config.json").touch()
    assert called_in(str(weights)) == "instaflow_0_9B"
    assert called_in("a/canny/diffusion_pytorch_model.fp16.safetensors") == "canny"


@pytest.mark.parametrize(
    ("name", "file", "named", "message"),
    [
        ("flux", "model_index.json", "FluxPipeline", "flux: is Flux; expected"),
        ("sd15-delta-weights", "config.json", "UNet2DConditionModel", "weights: holds differences"),
        ("sd15", "config.json", "UNet2DConditionModel", "sd15: is a U-Net by itself; give its safetensors"),
    ],
)
def test_a_folder_without_a_unet_is_named_too(tmp_path, name, file, named, message):
    (tmp_path / file).write_text(json.dumps({"_class_name": named}))
    (tmp_path / "diffusion_pytorch_model.v0-0.safetensors").touch()
    with pytest.raises(UserError, match=message):
        recognize_folder(tmp_path, f"/delta/of/{name}")
