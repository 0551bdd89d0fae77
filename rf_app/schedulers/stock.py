"""Which of diffusers' schedulers draws what our rectified flow does: an export then needs no code of ours.

"epsilon" in one step: DDIM from the last timestep to the picture is the same formula. In several: Euler's
method of diffusers moves X / tau by sigma = (1 - tau) / tau, which is ours, except in the first step, where
tau is 0. There ours keeps the noise x itself, X / tau = sigma_1 x + (x - sigma_T eps) / alpha_T, so the first
sigma is sigma_T + sigma_1: eps has its factor, and x, whose factor is sqrt(sigma^2 + 1), has it within 0.02.
"velocity": what UniPC of first order, its corrector off, takes for flow matching, once the U-Net's last layer
has the other sign. It rounds its timesteps down, from a sigma that it takes for a little less than 1: of
1,001 timesteps the first is 1000, as with us.
"""

from dataclasses import dataclass

from diffusers import DDIMScheduler, EulerDiscreteScheduler, SchedulerMixin, UniPCMultistepScheduler

from rf_app.flow.path import uniform_taus
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler

MOST_STEPS = 100  # of a card


@dataclass(frozen=True)
class Stock:
    """scheduler: diffusers' own. sigmas: Python for those to draw with in place of a number of steps, if any.
    negated: whether the U-Net's last layer has to have the other sign. prediction: as ours then has it.
    """

    scheduler: SchedulerMixin
    sigmas: str = ""
    negated: bool = False
    prediction: str = "epsilon"


def stock(own: SchedulerMixin, steps: int) -> Stock | None:
    """What draws the same as a model's own scheduler in so many steps; None where only ours does."""
    if not isinstance(own, RectifiedFlowScheduler):
        return None if type(own).__module__.startswith("rf_app.") else Stock(own)
    if own.schedule is None:
        scheduler = UniPCMultistepScheduler(
            num_train_timesteps=1001,
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=own.config.shift,
            solver_order=1,
            disable_corrector=list(range(MOST_STEPS)),
        )
        sigmas = f"numpy.linspace(1, 0, {steps}, endpoint=False)" if steps > 1 else ""
        return Stock(scheduler, sigmas, own.config.prediction_type == "velocity", "flow_prediction")
    config = {name: own.config[name] for name in ("beta_start", "beta_end", "beta_schedule")}
    config["steps_offset"] = 1  # which plays no part, but diffusers wants it so
    if steps == 1:
        return Stock(
            DDIMScheduler(**config, timestep_spacing="trailing", set_alpha_to_one=True, clip_sample=False)
        )
    first, *later = uniform_taus(steps)[1:]
    if first <= own.schedule.tau_range[0]:  # two steps of one timestep, of which diffusers skips one
        return None
    alpha, sigma = own.schedule.alpha_sigma(0.0)
    sigmas = [(1 - tau) / tau for tau in (first, *later)]
    listed = ", ".join(f"{sigma:.7g}" for sigma in (sigma / alpha + sigmas[0], *sigmas))
    return Stock(EulerDiscreteScheduler(**config, timestep_spacing="leading"), f"[{listed}]")
