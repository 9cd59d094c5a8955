"""Losses of the two tasks; all are means over observed periods, weighted by series."""

from functools import lru_cache

import torch
from torch import Tensor

from invopt.config import ModelConfig


def mean_loss(
    mean_BOH: Tensor,
    y_BOH: Tensor,
    observed_BOH: Tensor,
    weights_B: Tensor,
    config: ModelConfig,
) -> Tensor:
    """Return the likelihood loss of mean sales on unscaled counts.

    Tweedie deviance of power p without the terms that do not depend on the mean (Jorgensen,
    1987): mean^(2-p)/(2-p) - y mean^(1-p)/(1-p). Poisson is its limit at p = 1.
    """
    if config.loss == "tweedie":
        p = config.tweedie_power
        loss = mean_BOH ** (2 - p) / (2 - p) - y_BOH * mean_BOH ** (1 - p) / (1 - p)
    else:
        loss = mean_BOH - y_BOH * torch.log(mean_BOH)
    return _weighted_mean(loss, observed_BOH, weights_B)


def heads_loss(
    quantiles_BOHQ: Tensor,
    levels_BOHQ: Tensor,
    y_BOH: Tensor,
    observed_BOH: Tensor,
    mean_BOH: Tensor,
    jitter_BO: Tensor,
    config: ModelConfig,
) -> Tensor:
    """Return the pinball loss of both heads, in square roots of mean sales.

    A running sum counts only while every period so far was observed. The root makes slow and
    fast series weigh alike: it is the spread a count of that mean has.

    Args:
        quantiles_BOHQ: Of jittered sales per period.
        levels_BOHQ: Of jittered running sums.
        y_BOH: Sales in units.
        observed_BOH: True where they are demand.
        mean_BOH: Forecast mean, no gradient.
        jitter_BO: Uniform on [0, 1), or 0 for sales that are no counts.
        config: Quantile levels.
    """
    ones = torch.ones_like(y_BOH[:, 0, 0])
    per_period = pinball(
        quantiles_BOHQ, (y_BOH + jitter_BO[..., None])[..., None], config.quantile_levels
    )
    per_period = per_period.mean(dim=3) / torch.sqrt(mean_BOH + 0.25)
    total_BOH = (y_BOH * observed_BOH).cumsum(dim=2) + jitter_BO[..., None]
    whole_BOH = observed_BOH.to(y_BOH.dtype).cumprod(dim=2).bool()
    summed = pinball(levels_BOHQ, total_BOH[..., None], config.level_quantiles)
    summed = summed.mean(dim=3) / torch.sqrt(mean_BOH.cumsum(dim=2) + 0.25)
    return _weighted_mean(per_period, observed_BOH, ones) + _weighted_mean(summed, whole_BOH, ones)


def pinball(forecast: Tensor, actual: Tensor, levels: tuple[float, ...]) -> Tensor:
    """Return the pinball loss per quantile level: the newsvendor's cost at that critical ratio.

    Args:
        forecast: (..., Q).
        actual: (..., 1).
        levels: Q quantile levels.
    """
    tau = constants(levels, forecast)
    over = forecast - actual
    return torch.maximum((1 - tau) * over, -tau * over)


def constants(values: tuple[float, ...], like: Tensor) -> Tensor:
    """Return numbers as a tensor of another's type and device, the same one at every call.

    Bringing numbers to a GPU waits for it, and a graph that it replays cannot wait.
    """
    return _constants(values, like.dtype, like.device)


@lru_cache(maxsize=256)
def _constants(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):  # or no gradient could be taken beside it
        return torch.tensor(values, dtype=dtype, device=device)


def _weighted_mean(loss: Tensor, observed: Tensor, weights_B: Tensor) -> Tensor:
    mask = observed.to(loss.dtype)
    weights = weights_B[:, None, None] * mask
    return (torch.where(observed, loss, 0.0) * weights).sum() / mask.sum().clamp(min=1)
