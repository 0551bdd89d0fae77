"""Settings for Stable Diffusion 1.5, by trainer: those that were published, and those one card can pay for.

A batch is what fits beside 860 million numbers that learn; `accumulate` makes of it the batch of the paper.
With several GPUs, which `accelerate launch` uses, that is to be divided by their number. What a paper does
not say, or these trainers have not, is theirs: the cosine of the learning rate and its warm-up.
"""

from typing import Any

PRESETS = {"sd15": "SD 1.5,\nas published", "sd15-lowcost": "SD 1.5,\na weekend"}
Settings = dict[str, Any]  # TRAINER.OPTION

# InstaFlow, arXiv 2309.06380: 1.6 million pairs of 25 steps; reflow at batch 64 and then 1,024, 30 million
# samples in all; distillation with L2 and with LPIPS at 1,024.
PAIRS: Settings = {
    "pairs.count": 1_600_000,
    "pairs.shard": 4096,
    "pairs.steps": 25,
    "pairs.precision": "bf16",
}
REFLOW: Settings = {
    "reflow.steps": 29_375,
    "reflow.batch": 8,
    "reflow.accumulate": 128,
    "reflow.learning_rate": 1e-6,
    "reflow.ema": 0.9999,
    "reflow.start": "raw",
    "reflow.precision": "bf16",
    "reflow.gradient_checkpointing": True,
}
DISTILL: Settings = {
    "distill.l2_steps": 21_500,
    "distill.l2_batch": 8,
    "distill.lpips_steps": 18_000,
    "distill.lpips_batch": 8,
    "distill.accumulate": 128,
    "distill.l2_learning_rate": 1e-6,
    "distill.lpips_learning_rate": 1e-6,
    "distill.ema": 0.9999,
    "distill.start": "raw",
    "distill.precision": "bf16",
    "distill.gradient_checkpointing": True,
}
# PeRFlow, arXiv 2405.07510: 4,000 steps of 1,024 pictures, eight steps of the teacher a window.
PERFLOW: Settings = {
    "perflow.steps": 4_000,
    "perflow.batch": 8,
    "perflow.accumulate": 128,
    "perflow.learning_rate": 8e-5,
    "perflow.teacher_steps": 32,
    "perflow.predicts": "diff_eps",
    "perflow.precision": "bf16",
    "perflow.gradient_checkpointing": True,
}

# For 24 GB: 8-bit Adam, batches of 64 out of small ones, and learning rates for that.
PAIRS_LOWCOST: Settings = PAIRS | {"pairs.count": 60_000, "pairs.steps": 12, "pairs.batch": 8}
REFLOW_LOWCOST: Settings = REFLOW | {
    "reflow.steps": 12_000,
    "reflow.batch": 4,
    "reflow.accumulate": 16,
    "reflow.learning_rate": 1e-5,
    "reflow.ema": 0.999,
    "reflow.start": "matched",
    "reflow.use_8bit_adam": True,
}
DISTILL_LOWCOST: Settings = DISTILL | {
    "distill.l2_steps": 12_000,
    "distill.l2_batch": 4,
    "distill.lpips_steps": 1_500,
    "distill.lpips_batch": 1,
    "distill.accumulate": 16,
    "distill.l2_learning_rate": 1e-5,
    "distill.ema": 0.999,
    "distill.start": "matched",
    "distill.use_8bit_adam": True,
}
PERFLOW_LOWCOST: Settings = PERFLOW | {
    "perflow.steps": 6_000,
    "perflow.batch": 4,
    "perflow.accumulate": 16,
    "perflow.learning_rate": 2e-5,
    "perflow.predicts": "ddim_eps",
    "perflow.use_8bit_adam": True,
}
