"""Random numbers as a pure function of (seed, step, rank): a resumed run needs no saved state."""

import numpy as np


def step_seed(seed: int, *where: int) -> int:
    """A 63-bit seed for the place `where` (step, rank, sample …) of the stream `seed`, all non-negative."""
    return int(np.random.SeedSequence([seed, *where]).generate_state(1, np.uint64)[0] >> np.uint64(1))
