"""Stable Diffusion XL's refiner, where its folder is at hand, as a stock pipeline."""

from pathlib import Path

import torch
from diffusers import EulerDiscreteScheduler, StableDiffusionXLImg2ImgPipeline

from rf_app.errors import UserError
from rf_app.registry.checking import check_piece, read_json
from rf_app.registry.loading import check_fit, load_piece, load_scheduler
from rf_app.registry.recognition import INDEX
from rf_app.settings.home import home

PIECES = {"unet": "unet", "vae": "vae", "text_encoder_2": "text_encoder_2", "tokenizer_2": "tokenizer"}
"""What each folder is, as for `check_piece`; a scheduler beside them."""
NAME = "stabilityai/stable-diffusion-xl-refiner-1.0"


def refiner_folder() -> Path:
    """Where it belongs, in diffusers' layout; it, or a link to it, need not be there."""
    return home() / "refiner"


def check_refiner() -> None:
    """Raise UserError where there is no refiner, or one that is not whole, naming what is missing."""
    folder = refiner_folder()
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no refiner. Put the folder of {NAME} there, or a link to it.")
    index = read_json(folder / INDEX)
    if not (
        str(index.get("_class_name")).startswith("StableDiffusionXL")
        and index.get("requires_aesthetics_score")
    ):
        raise UserError(f"{folder / INDEX}: is that of another model; expected the one of {NAME}.")
    for name, kind in (PIECES | {"scheduler": "scheduler"}).items():
        check_piece(folder / name, kind)


def load_refiner(device: torch.device, dtype: torch.dtype) -> StableDiffusionXLImg2ImgPipeline:
    """The refiner in evaluation mode; raises as `check_refiner`, and for weights that do not fit."""
    check_refiner()
    pieces = {name: refiner_folder() / name for name in PIECES}
    modules = {name: load_piece(pieces[name], dtype, kind) for name, kind in PIECES.items()}
    check_fit(pieces, modules, "_2")
    pipeline = StableDiffusionXLImg2ImgPipeline(
        **modules,
        text_encoder=None,
        tokenizer=None,
        scheduler=load_scheduler(refiner_folder() / "scheduler", EulerDiscreteScheduler),
        requires_aesthetics_score=True,
        add_watermarker=False,  # else it depends on what is installed
    )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)
