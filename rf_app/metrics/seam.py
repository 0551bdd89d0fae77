"""Whether a part that was drawn anew shows where it begins: how steep a picture is along the border."""

import numpy as np
from scipy.ndimage import distance_transform_edt

RINGS = 8  # pixels: so far inside a mask a seam is looked for


def steepness(pictures: np.ndarray, masks: np.ndarray, rings: int = RINGS) -> np.ndarray:
    """The mean step between neighbouring pixels across the border of the masks, and along lines inside.

    pictures: uint8 [N, H, W, 3]; masks: bool [N, H, W]. The result [rings] is in levels of 0..255: of the
    border first, then of the border of the masks without their outermost 1, 2, ... pixels, because blending
    moves a seam inside.
    """
    levels = pictures.astype(float)
    depth = np.stack([distance_transform_edt(mask) for mask in masks])
    found = []
    for ring in range(rings):
        inside, steps = depth > ring, []
        for axis in (1, 2):
            across = np.diff(inside, axis=axis)
            steps.append(np.abs(np.diff(levels, axis=axis)).mean(-1)[across])
        found.append(float(np.concatenate(steps).mean()))
    return np.array(found)
