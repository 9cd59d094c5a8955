"""A period whose data are due and have not come, as far as it is known."""

from dataclasses import replace

import numpy as np
import pandas as pd

from invopt.monitoring.earlier import Seen, due_period
from invopt.panel import Flag, Panel


def awaited(panel: Panel, seen: Seen | None, period: int) -> Panel:
    """Return the panel, with the period after its last one where data of that are overdue.

    That period is one of missing records: its forecast is known, its sales are not. Data that
    reach further than those read before, or are not yet due, change nothing; of several periods
    that are missing it is the first.

    Args:
        panel: As read.
        seen: How far the data reached before; None where nothing was read before.
        period: Periods of a monitoring period.
    """
    line = panel.timeline
    if seen is None or line.last != seen.last:
        return panel
    if pd.Timestamp(due_period(seen, line.freq, period)[1]) <= line.last:
        return panel
    width = ((0, 0), (0, period))
    flags = np.pad(panel.flags, width)
    launched = (panel.flags[:, -1:] & Flag.BEFORE_LAUNCH) == 0
    flags[:, -period:] = np.where(launched, Flag.MISSING, Flag.BEFORE_LAUNCH)
    longer = line.resized(panel.num_periods + period)
    return replace(panel, timeline=longer, y=np.pad(panel.y, width), flags=flags)


def all_closed(panel: Panel, period: int) -> bool:
    """Return whether the calendar closes every series on sale in the whole last period."""
    flags = np.asarray(panel.flags[:, -period:])
    flags = flags[(flags & Flag.BEFORE_LAUNCH) == 0]
    return bool(flags.size and ((flags & Flag.CLOSED) != 0).all())


def none_came(panel: Panel, period: int) -> bool:
    """Return whether no series on sale has a record in the last monitoring period.

    Where all are closed by the calendar no record is due.
    """
    flags = np.asarray(panel.flags[:, -period:])
    on_sale = (flags & (Flag.BEFORE_LAUNCH | Flag.CLOSED)) == 0
    return bool(on_sale.any() and ((flags[on_sale] & Flag.MISSING) != 0).all())
