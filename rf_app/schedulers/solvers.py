"""The solvers a person may choose for a model, by the kind of its card; the first is the model's own.

A solver changes how the model's own flow is followed, not where it leads: so a diffusion model has those of
its noise schedule, and a rectified flow those of its straight path. Models that were made for one sampler
have that one.
"""

from diffusers import (
    DDIMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    SchedulerMixin,
    TCDScheduler,
)

from rf_app.schedulers.heun import HeunFlowScheduler
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.schedulers.perflow import PeRFlowScheduler
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler

# So spaced, the first step starts at pure noise and the last ends at the picture, however many there are.
TO_THE_END = {"timestep_spacing": "trailing", "set_alpha_to_one": True, "clip_sample": False}
FLOW = {"euler": (RectifiedFlowScheduler, {}), "heun": (HeunFlowScheduler, {})}
SOLVERS = {
    "diffusion": {
        "dpm++": (DPMSolverMultistepScheduler, {}),
        "ddim": (DDIMScheduler, TO_THE_END),
        "euler": (EulerDiscreteScheduler, {"timestep_spacing": "trailing"}),
    },
    "rectified-flow": FLOW,
    "one-step": FLOW,
    "piecewise-flow": {"perflow": (PeRFlowScheduler, {})},
    "consistency": {"lcm": (LCMScheduler, {})},
    "trajectory-consistency": {"tcd": (TCDScheduler, {})},
    "few-step": {"ddim": (DDIMScheduler, TO_THE_END)},
    "turbo": {"euler": (EulerDiscreteScheduler, {"timestep_spacing": "trailing"})},
    "one-step-diffusion": {"deis": (DEISMultistepScheduler, {})},
}
FOLLOWED = ("diffusion", "rectified-flow", "one-step")
"""Kinds whose path to the picture Euler's method follows in any steps; others have steps of their own."""
TITLES = {
    "dpm++": "DPM-Solver++",
    "ddim": "DDIM",
    "euler": "Euler",
    "heun": "Heun (two calls a step)",
    "perflow": "Euler in windows",
    "lcm": "LCM",
    "tcd": "TCD",
    "deis": "DEIS",
}
MOST_STEPS = {"consistency": 50, "trajectory-consistency": 50}  # distilled on a grid of so many
ETA = {"tcd": 0.3}  # how much noise comes anew in a step, as the scheduler has it; a pipeline says 0


def solvers(kind: str) -> list[str]:
    """The names of the solvers for a kind of model, its own first."""
    return list(SOLVERS[kind])


def own_class(kind: str) -> type[SchedulerMixin]:
    """The class of the scheduler that a model of this kind has in its folder."""
    return next(iter(SOLVERS[kind].values()))[0]


def fresh(own: SchedulerMixin, kind: str, solver: str) -> SchedulerMixin:
    """A solver with the noise schedule of the model's own scheduler, and without the traces of any run."""
    cls, changes = SOLVERS[kind][solver]
    return cls.from_config(own.config, **changes)


def straight(own: SchedulerMixin) -> RectifiedFlowScheduler:
    """Euler's method in uniform steps on the straight path of any model, a diffusion model's at the same
    signal-to-noise ratio.

    Raises UserError for a model that cannot be followed so.
    """
    if isinstance(own, RectifiedFlowScheduler):
        return RectifiedFlowScheduler.from_config(own.config, shift=1.0)
    scheduler = RectifiedFlowScheduler()
    scheduler.schedule = schedule_of(own)
    return scheduler
