"""A text-conditioned U-Net as a velocity field: the form every solver and every metric takes a model in."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from rf_app.flow.conversion import NoiseSchedule
from rf_app.flow.path import Tau, as_tensor, expand, timestep

Velocity = Callable[[Tensor, Tau], Tensor]
"""(x [B, ...], tau) -> velocity [B, ...]"""


def velocity_field(
    unet: nn.Module,
    embeds: Tensor,
    null_embeds: Tensor | None = None,
    guidance: float = 1.0,
    schedule: NoiseSchedule | None = None,
) -> Velocity:
    """The velocity of `unet` for a text.

    embeds, null_embeds: [B, L, D] or [1, L, D], the text's and the empty text's.
    guidance: a in v = v_null + a (v_text - v_null); 1 (or no null_embeds) costs one call, otherwise both
        halves go through in one batch.
    schedule: None for a U-Net that predicts velocity at t = 1000 (1 - tau); otherwise the U-Net predicts
        epsilon or v on that schedule and is called at the same signal-to-noise ratio; guidance acts on that.
    """
    guided = null_embeds is not None and guidance != 1.0

    def velocity(x: Tensor, tau: Tau) -> Tensor:
        times = as_tensor(tau, x)
        if schedule is None:
            z, times = x, timestep(times)
        else:
            z, times = expand(schedule.scale(tau), x) * x, schedule.timestep(times)
        text = embeds.expand(len(x), -1, -1)
        if guided:
            z, times = torch.cat([z, z]), torch.cat([times, times])
            text = torch.cat([null_embeds.expand(len(x), -1, -1), text])
        prediction = unet(z, times, encoder_hidden_states=text, return_dict=False)[0]
        if guided:
            null, conditioned = prediction.chunk(2)
            prediction = null + guidance * (conditioned - null)
        return prediction if schedule is None else schedule.velocity(x, prediction, tau)

    return velocity
