"""Days on which a location is closed by the calendar that planning reads: no measure of demand."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.timeline import Timeline
from invopt.types import BoolArray, FloatArray

_SEASONS = 8  # seasons back that tell whether a day is usually closed


def closed_shares(
    calendar: pd.DataFrame | None, timeline: Timeline, locations: tuple[str, ...]
) -> FloatArray:
    """Return (location, period) the share of each period's days that a location is closed.

    A row without a location is everybody's, unless the location has a row of its own for that
    day; rows of suppliers say nothing of shops. One row a period stands for the whole of it.

    Args:
        calendar: ds and open, by location or for all; None where there is none.
        timeline: Periods looked at.
        locations: Names.
    """
    shares = np.zeros((len(locations), timeline.num_periods))
    if calendar is None or calendar.empty:
        return shares
    place, supplier = (_names(calendar, c) for c in ("location", "supplier"))
    days = pd.DatetimeIndex(calendar["ds"])
    frame = pd.DataFrame(
        {"place": place, "day": days, "at": timeline.index_of(days),
         "shut": ~calendar["open"].to_numpy(bool)}
    )  # fmt: skip
    inside = (frame["at"] >= 0) & (frame["at"] < timeline.num_periods) & (supplier == "")
    frame = frame[inside]
    common = frame[frame["place"] == ""]
    for row, name in enumerate(locations):
        own = frame[frame["place"] == name]
        both = pd.concat([own, common[~common["day"].isin(own["day"])]])
        listed = both.groupby("at")["day"].nunique()
        shut = both[both["shut"]].groupby("at")["day"].nunique()
        if shut.empty:
            continue
        at = shut.index.to_numpy()
        by_day = listed.max() > 1
        length = [(timeline.date(int(t) + 1) - timeline.date(int(t))).days for t in at]
        shares[row, at] = shut.to_numpy() / np.array(length) if by_day else 1.0
    return shares


def unusually_closed(shares: FloatArray, season: int, least: float) -> BoolArray:
    """Return where a location is closed for more of a period than it usually is.

    The usual is the median of the same place in the eight seasons before: a shop that is always
    shut on Sundays has nothing unusual on one, and its zeros there are what it sells.

    Args:
        shares: As closed_shares returns them.
        season: Periods after which a weekday comes again; 1 where a period is longer than a day.
        least: Share of a period, above the usual, that counts.
    """
    found = np.zeros(shares.shape, bool)
    for row, period in zip(*np.nonzero(shares > 0), strict=True):
        before = shares[row, max(0, period - _SEASONS * season) : period][::-1][
            season - 1 :: season
        ]
        usual = float(np.median(before)) if len(before) else 0.0
        found[row, period] = shares[row, period] - usual >= least
    return found


def _names(calendar: pd.DataFrame, column: str) -> npt.NDArray[np.object_]:
    if column not in calendar:
        return np.full(len(calendar), "", object)
    return calendar[column].fillna("").astype(str).str.strip().to_numpy(object)
