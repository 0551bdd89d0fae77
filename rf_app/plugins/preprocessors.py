"""From a picture to the condition map a ControlNet reads: canny here, depth and openpose by controlnet_aux.

Importing controlnet_aux takes seconds and prints a page, so a detector is imported when it is first used.
"""

import warnings
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps
from skimage.morphology import skeletonize

from rf_app.errors import UserError
from rf_app.metrics.edges import HIGH, LOW, canny
from rf_app.registry.controlnets import PREPROCESSORS

DETECTORS = {
    "depth": ("MidasDetector", "dpt_hybrid-midas-501f0c75.pt"),
    "openpose": ("OpenposeDetector", "body_pose_model.pth hand_pose_model.pth facenet.pth"),
}
"""Class and files of those that need weights, in SOURCE on the Hub."""
SOURCE = "lllyasviel/Annotators"
DETECTED = 512  # pixels of the shorter side that the detectors look at
MAX_THRESHOLD = 500
COVERED = 40  # of 255: so much of a pixel has to be covered to belong to a stroke


def cut(picture: Image.Image, preprocessor: str, size: tuple[int, int]) -> Image.Image:
    """The middle of an RGB picture as a preprocessor looks at it: small, and the same if it is cut again.

    Raises UserError for an unknown preprocessor.
    """
    if preprocessor not in PREPROCESSORS:
        raise UserError(
            f"preprocessor is {preprocessor!r:.40}; it must be one of {', '.join(PREPROCESSORS)}."
        )
    if preprocessor == "scribble":
        return ImageOps.fit(picture.convert("L"), size, Image.Resampling.BOX)
    if preprocessor in DETECTORS:
        size = tuple(round(DETECTED * side / min(size)) for side in size)
    return ImageOps.fit(picture, size, Image.Resampling.LANCZOS)


def condition_map(
    picture: Image.Image, preprocessor: str, size: tuple[int, int], low: float = LOW, high: float = HIGH
) -> Image.Image:
    """The condition map of an RGB picture, `cut` or not, RGB, size = (width, height) pixels.

    low, high: canny's thresholds, 0..500: an edge begins where the brightness changes by more than `high` and
    goes on down to `low`. "scribble" thins bright strokes on a dark ground, or dark ones on a bright ground,
    to lines. Raises UserError for an unknown preprocessor, thresholds out of range, and weights that are not
    here. Depth and openpose load a model: call them on the thread that loads models.
    """
    middle = cut(picture, preprocessor, size)
    if preprocessor in DETECTORS:
        found = _detector(preprocessor)(middle, detect_resolution=DETECTED, image_resolution=DETECTED)
        return found.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    if preprocessor == "none":
        return middle
    if preprocessor == "canny":
        _check_thresholds(low, high)
        # controlnet_aux's CannyDetector is the same filter, but only for multiples of 64 pixels.
        lines = canny(np.asarray(middle), low, high)
    else:
        lines = _strokes(np.asarray(middle))
    return Image.fromarray(np.where(lines, 255, 0).astype(np.uint8)).convert("RGB")


def suggested(picture: Image.Image, preprocessor: str) -> str:
    """The preprocessor for this picture where a ControlNet asks for `preprocessor`: drawings have lines."""
    if preprocessor != "canny":
        return preprocessor
    grey = np.asarray(picture.convert("L"))
    ground = 0 if np.median(grey) < 128 else 255
    near = np.abs(grey.astype(int) - ground) < COVERED
    between = ~near & (np.abs(grey.astype(int) - (255 - ground)) >= COVERED)
    return "scribble" if near.mean() > 0.75 and between.mean() < 0.05 else "canny"


def _check_thresholds(low: float, high: float) -> None:
    for name, value in (("low", low), ("high", high)):
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if not number or not 0 <= value <= MAX_THRESHOLD:
            raise UserError(f"The {name} threshold is {value!r:.40}; it must be in 0..{MAX_THRESHOLD}.")
    if low > high:
        raise UserError(f"The low threshold, {low:g}, is above the high one, {high:g}.")


def _strokes(grey: np.ndarray) -> np.ndarray:
    """The middle lines of the strokes in a drawing, bool [height, width]."""
    if np.median(grey) > 127:
        grey = 255 - grey
    return skeletonize(grey > COVERED)


@cache
def _detector(preprocessor: str) -> Any:
    """The detector with its weights; raises UserError where these are not on this computer."""
    name, files = DETECTORS[preprocessor]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import controlnet_aux
    try:
        detector = getattr(controlnet_aux, name).from_pretrained(SOURCE, local_files_only=True)
    except OSError:
        raise UserError(
            f"The {preprocessor} detector's weights are not on this computer. Fetch them with "
            f"`hf download {SOURCE} {files}`, or use canny, which needs none."
        ) from None
    return detector.to("cuda" if torch.cuda.is_available() else "cpu")
