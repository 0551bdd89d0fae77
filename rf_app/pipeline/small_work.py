"""A thread for small work beside the worker's: it takes one core, and gives way to pictures."""

import os
import sys
import threading

import torch

from rf_app.pipeline.turns import Turns

NICE = 10  # of 19


def small_work() -> Turns:
    """Turns on such a thread; to be called before others calculate."""
    turns, threads = Turns(), torch.get_num_threads()
    turns.wait_for(_begin)
    torch.set_num_threads(threads)  # for all threads to come: PyTorch notes the number for them, too
    return turns


def _begin() -> None:
    # Small matrices are not worth a second core: waiting for each other takes longer than the work.
    torch.set_num_threads(1)
    torch.get_num_threads()  # or the number for all threads would be taken over at the first calculation
    if sys.platform == "linux":  # where a thread has a priority of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICE)
