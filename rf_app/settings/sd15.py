"""Settings for Stable Diffusion 1.5, by trainer: those that were published, and those one card can pay for.

A batch is what fits beside 860 million numbers that learn; `accumulate` makes of it the batch of the paper.
With several GPUs, which `accelerate launch` uses, that is to be divided by their number. What a paper does
not say, or these trainers have not, is theirs: the cosine of the learning rate and its warm-up.
"""

from typing import Any

PRESETS = {"sd15": "SD 1.5,\nas published", "sd15-lowcost": "SD 1.5,\na weekend"}
Settings = dict[str, Any]  # TRAINER.OPTION


def _of(trainer: str, **settings: Any) -> Settings:
    return {f"{trainer}.{name}": value for name, value in settings.items()}


MEMORY = {"precision": "bf16", "gradient_checkpointing": True}
LARGE = MEMORY | {"accumulate": 128}
# For 24 GB: 8-bit Adam, batches of 64 out of small ones, and learning rates for that.
SMALL = MEMORY | {"accumulate": 16, "use_8bit_adam": True}

# InstaFlow, arXiv 2309.06380: 1.6 million pairs of 25 steps; reflow at batch 64 and then 1,024, 30 million
# samples in all; distillation with L2 and with LPIPS at 1,024.
PAIRS = _of("pairs", count=1_600_000, shard=4096, steps=25, precision="bf16")
PAIRS_LOWCOST = PAIRS | _of("pairs", count=60_000, steps=12, batch=8)
RAW, MATCHED = {"ema": 0.9999, "start": "raw"}, {"ema": 0.999, "start": "matched"}
REFLOW = _of("reflow", steps=29_375, batch=8, learning_rate=1e-6, **RAW, **LARGE)
REFLOW_LOWCOST = _of("reflow", steps=12_000, batch=4, learning_rate=1e-5, **MATCHED, **SMALL)
DISTILL = {
    **_of("distill", l2_steps=21_500, l2_batch=8, l2_learning_rate=1e-6, **RAW, **LARGE),
    **_of("distill", lpips_steps=18_000, lpips_batch=8, lpips_learning_rate=1e-6),
}
DISTILL_LOWCOST = {
    **_of("distill", l2_steps=12_000, l2_batch=4, l2_learning_rate=1e-5, **MATCHED, **SMALL),
    **_of("distill", lpips_steps=1_500, lpips_batch=1, lpips_learning_rate=1e-6),
}
# PeRFlow, arXiv 2405.07510: 4,000 steps of 1,024 pictures, eight steps of the teacher a window.
PERFLOW = {
    **_of("perflow", steps=4_000, batch=8, learning_rate=8e-5, **LARGE),
    **_of("perflow", teacher_steps=32, predicts="diff_eps"),
}
PERFLOW_LOWCOST = {
    **_of("perflow", steps=6_000, batch=4, learning_rate=2e-5, **SMALL),
    **_of("perflow", teacher_steps=32, predicts="ddim_eps"),
}
