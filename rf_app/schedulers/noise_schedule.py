"""What a scheduler says about its model: whether, and on which noise schedule, it can be seen as a flow."""

from diffusers import LCMScheduler, SchedulerMixin

from rf_app.errors import UserError
from rf_app.flow.conversion import NoiseSchedule
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler


def schedule_of(scheduler: SchedulerMixin) -> NoiseSchedule | None:
    """The schedule for `velocity_field`; None where the U-Net predicts velocity.

    Raises UserError for a diffusion model that predicts something else than epsilon.
    """
    if isinstance(scheduler, RectifiedFlowScheduler):
        return scheduler.schedule
    if isinstance(scheduler, LCMScheduler):
        raise UserError("A consistency model jumps to the picture: it has no path that could be followed.")
    if scheduler.config.prediction_type != "epsilon":
        raise UserError(
            f"This model's prediction_type is {scheduler.config.prediction_type!r}; "
            "only 'epsilon' and rectified flows can be followed."
        )
    return NoiseSchedule(scheduler.alphas_cumprod)
