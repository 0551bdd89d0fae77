"""What a scheduler says about its model: whether, and on which noise schedule, it can be seen as a flow."""

from typing import get_args

from diffusers import LCMScheduler, SchedulerMixin

from rf_app.errors import UserError
from rf_app.flow.conversion import NoiseSchedule, Prediction
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler


def schedule_of(scheduler: SchedulerMixin) -> NoiseSchedule | None:
    """The schedule for `velocity_field`; None where the U-Net predicts velocity.

    Raises UserError for a diffusion model that predicts something else than epsilon or v, and for a flow that
    predicts x0 - x1, which `velocity_field` would follow backwards.
    """
    if isinstance(scheduler, RectifiedFlowScheduler):
        if scheduler.turned:
            raise UserError("This model predicts x0 - x1, noise minus data; only x1 - x0 is followed here.")
        return scheduler.schedule
    if isinstance(scheduler, LCMScheduler):
        raise UserError("A consistency model jumps to the picture: it has no path that could be followed.")
    prediction = scheduler.config.prediction_type
    if prediction not in get_args(Prediction):
        raise UserError(
            f"This model's prediction_type is {prediction!r}; only 'epsilon', 'v_prediction' and rectified "
            "flows can be followed."
        )
    return NoiseSchedule(scheduler.alphas_cumprod, prediction)
