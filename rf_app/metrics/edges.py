"""Edges of a picture, and how well two drawings of edges agree."""

import cv2
import numpy as np
from scipy.ndimage import distance_transform_edt

LOW, HIGH = 100, 200  # Canny's thresholds: controlnet_aux's defaults
REACH = 2.0  # pixels


def canny(picture: np.ndarray, low: float = LOW, high: float = HIGH) -> np.ndarray:
    """Where `picture` (uint8 [H, W, 3]) has edges, at its own resolution: bool [H, W]."""
    return cv2.Canny(np.ascontiguousarray(picture), low, high) > 0


def edge_f1(wanted: np.ndarray, found: np.ndarray) -> float:
    """F1 of edges `found` for edges `wanted` (both bool [H, W]), 0..1; 1 where both are empty.

    An edge pixel agrees if the other drawing has one within `REACH` pixels (Euclidean): precision is the
    share of `found` that agrees with `wanted`, recall the share of `wanted` that agrees with `found`.
    """
    if not wanted.any() or not found.any():
        return float(not wanted.any() and not found.any())
    precision, recall = edge_recall(found, wanted), edge_recall(wanted, found)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def edge_recall(wanted: np.ndarray, found: np.ndarray) -> float:
    """The share of the pixels of `wanted`, one at least, that have one of `found` within `REACH` pixels."""
    if not found.any():
        return 0.0
    return float((distance_transform_edt(~found) <= REACH)[wanted].mean())
