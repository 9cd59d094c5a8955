"""What planners' overrides were worth: each beside the forecast it replaced (FVA).

The value added by a step of planning is what the error, and the money, would have been without it
(Gilliland, The Business Forecasting Deal, 2010). Each override is judged by itself, against the
champion's forecast of the same evening.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from invopt.cleaning import estimate_demand
from invopt.forecasts import ForecastArrays, forecast_of
from invopt.inventory.ahead import overrides_of, scope_of, with_mean
from invopt.inventory.reasons import Notes
from invopt.monitoring.performance import decided_costs, order_costs, seen_periods
from invopt.monitoring.subject import Subject
from invopt.panel import Panel
from invopt.types import FloatArray, IntArray, Json

_LOOKED_BACK = 60  # periods, for the newest whose orders are over
_FAR = 3660  # periods, further ahead than any forecast reaches


@dataclass(frozen=True, kw_only=True)
class ValueAdded:
    """What one override was worth.

    Attributes:
        scope: The series it is for, as it was said.
        kind: demand, factor or order.
        value: Units, or a factor.
        who: Who said it.
        why: Why.
        num_series: Series it concerned.
        start: First day judged, ISO; "" where no error is known.
        end: Last day judged.
        actual: Units sold on the days judged.
        forecast: Units the champion forecast of them.
        planned: Units the override made of that.
        error: Sum over series and days of |sold - forecast|, units; None where not known.
        error_with: The same with the override.
        decided: Evening of the review whose orders are over, ISO; "" where none is.
        cost: Money that its levels cost without the override; None where not known.
        cost_with: The same with it.
    """

    scope: str
    kind: str
    value: float
    who: str
    why: str
    num_series: int
    start: str = ""
    end: str = ""
    actual: float | None = None
    forecast: float | None = None
    planned: float | None = None
    error: float | None = None
    error_with: float | None = None
    decided: str = ""
    cost: float | None = None
    cost_with: float | None = None

    def as_dict(self) -> Json:
        """Return plain data, with the error and the money it saved (below 0: it cost)."""
        found: Json = {k: round(v, 4) if isinstance(v, float) else v for k, v in vars(self).items()}
        return found | {
            "error_saved": _less(self.error, self.error_with),
            "money_saved": _less(self.cost, self.cost_with),
        }


def _less(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else round(before - after, 4)


def values_added(
    overrides: pd.DataFrame | None,
    subject: Subject,
    panel: Panel,
    plan: pd.DataFrame | None = None,
) -> list[ValueAdded]:
    """Return what each override was worth whose days lie in what is judged, in order.

    The error is that of the last monitoring period, forecast from its eve; the money that of the
    newest review whose orders are over and that an override concerned: ordering up to the level
    of either forecast, as monitoring prices every decision. An override of an order leaves the
    forecast alone; its money is known where the plan of that review is.

    Args:
        overrides: As planning reads them; None for none.
        subject: The champion, and how outcomes are scored.
        panel: Cleaned, with derived channels, actuals in.
        plan: Orders of the reviews that are known: unique_id, review_date, order_quantity,
            order_up_to_level, on_hand, on_order, backorders.
    """
    if overrides is None or overrides.empty:
        return []
    past = _PastForecasts(subject, panel)
    found = []
    for line in overrides.to_dict("records"):
        rows = np.flatnonzero(scope_of(line, panel.series))
        if len(rows):
            own = _Line(line, subject, panel.select(rows), rows, past)
            found.append(own.value(plan))
    return [value for value in found if value is not None]


def total_of(values: Sequence[ValueAdded]) -> Json:
    """Return the sums over overrides: how many, of errors and money, with and without."""
    names = ("error", "error_with", "cost", "cost_with")
    sums = {n: round(sum(getattr(v, n) or 0.0 for v in values), 4) for n in names}
    return {
        "number": len(values), **sums,
        "error_saved": round(sums["error"] - sums["error_with"], 4),
        "money_saved": round(sums["cost"] - sums["cost_with"], 4),
    }  # fmt: skip


class _PastForecasts:
    """The champion's forecasts of past evenings, each made when it is first asked for, and once."""

    def __init__(self, subject: Subject, panel: Panel) -> None:
        self.subject, self.panel = subject, panel
        self.made: dict[int, ForecastArrays] = {}
        self.horizon = _FAR  # periods; known from the first forecast on

    def of(self, cutoff: int, rows: IntArray) -> ForecastArrays:
        """Return the forecast at a cutoff of some of all series."""
        if cutoff not in self.made:  # of the whole panel: groups are what they are in it
            self.made[cutoff] = self.subject.forecasts.predict(self.panel, cutoff)
        whole = self.made[cutoff]
        self.horizon = whole.mean.shape[1]
        return forecast_of(whole, rows)


class _Line:
    """One override and its series.

    Args:
        line: As planning reads it.
        subject: The champion.
        panel: Of the series it concerns.
        rows: They among all.
        past: The champion's forecasts.
    """

    def __init__(
        self,
        line: dict[Any, Any],
        subject: Subject,
        panel: Panel,
        rows: IntArray,
        past: _PastForecasts,
    ) -> None:
        self.line, self.subject, self.panel = line, subject, panel
        self.past, self.rows = past, rows
        terms = subject.scoring.terms
        self.terms = None if terms is None else terms.select(rows)
        self.is_count = subject.scoring.is_count

    def value(self, plan: pd.DataFrame | None) -> ValueAdded | None:
        """Return what it was worth, None where nothing of it is over."""
        line = self.line
        said = ValueAdded(
            scope=told_scope(line), kind=str(line["kind"]), value=float(line["value"]),
            who=_text(line.get("who")), why=_text(line.get("why")),
            num_series=self.panel.num_series,
        )  # fmt: skip
        errors = {} if said.kind == "order" else self._errors()
        money = self._money_of_order(plan) if said.kind == "order" else self._money()
        return replace(said, **errors, **money) if errors or money else None

    def _pair(self, cutoff: int) -> tuple[ForecastArrays, FloatArray] | None:
        """Return the forecast at a cutoff and the mean with the override, None where as it is."""
        if cutoff < self.subject.first_cutoff:
            return None
        if not _concerned(self.line, self.panel, cutoff, self.past.horizon):
            return None
        past, forecast = self.panel.truncate(cutoff + 1), self.past.of(cutoff, self.rows)
        said = overrides_of(
            pd.DataFrame([self.line]), past.series, forecast, past.timeline,
            Notes.none(past.num_series),
        )  # fmt: skip
        return (forecast, said.mean) if len(said.rows) else None

    def _errors(self) -> dict[str, Any]:
        """Return the error on its days of the last period; empty where there are none."""
        period, panel = self.subject.scoring.period, self.panel
        cutoff = panel.num_periods - 1 - period
        pair = self._pair(cutoff)
        if pair is None:
            return {}
        forecast, mean = pair
        before, after = (np.asarray(m[:, :period], np.float64) for m in (forecast.mean, mean))
        seen = seen_periods(panel, cutoff, period)
        judged = seen & (np.abs(after - before) > 1e-9 * (1 + before)).any(axis=0)
        days = np.flatnonzero(judged.any(axis=0))
        if not len(days):
            return {}
        sold = np.asarray(panel.y[:, cutoff + 1 :], np.float64)
        line = panel.timeline
        return {
            "start": f"{line.date(cutoff + 1 + int(days[0])):%Y-%m-%d}",
            "end": f"{line.last_day(cutoff + 1 + int(days[-1])):%Y-%m-%d}",
            "actual": float(sold[judged].sum()),
            "forecast": float(before[judged].sum()),
            "planned": float(after[judged].sum()),
            "error": float(np.abs(sold - before)[judged].sum()),
            "error_with": float(np.abs(sold - after)[judged].sum()),
        }

    def _money(self) -> dict[str, Any]:
        """Return what the newest review that it concerned cost, with it and without."""
        if self.terms is None:
            return {}
        reach = int(self.terms.protection_interval.max())
        newest = self.panel.num_periods - 1 - reach
        first = max(newest - _LOOKED_BACK, self.subject.first_cutoff)
        for cutoff in range(newest, first - 1, -self.subject.scoring.period):
            pair = self._pair(cutoff)
            if pair is None:
                continue
            forecast, mean = pair
            other = with_mean(forecast, mean, is_count=self.is_count)
            demand, scoring = estimate_demand(self.panel), self.subject.scoring
            own = replace(scoring, terms=self.terms)
            cost, cost_with = (
                float(decided_costs(f, demand, cutoff, own)[0].sum()) for f in (forecast, other)
            )
            return self._priced(cutoff, cost, cost_with)
        return {}

    def _money_of_order(self, plan: pd.DataFrame | None) -> dict[str, Any]:
        """Return what its order cost beside the level's, where the plan of that review is known."""
        if self.terms is None or plan is None or plan.empty:
            return {}
        panel, terms = self.panel, self.terms
        newest = panel.num_periods - 1 - int(terms.protection_interval.max())
        own = plan[plan["unique_id"].isin(panel.unique_ids.astype(str))]
        for date, rows in sorted(own.groupby("review_date"), reverse=True):
            cutoff = int(panel.timeline.index_of(pd.DatetimeIndex([pd.Timestamp(str(date))]))[0])
            if not 0 <= cutoff <= newest or not _concerned(self.line, panel, cutoff, 1):
                continue
            at = rows.set_index("unique_id").reindex(panel.unique_ids.astype(str))
            position = at["on_hand"] + at["on_order"].fillna(0) - at["backorders"].fillna(0)
            level = np.maximum(position, at["order_up_to_level"])  # NaN where either is
            levels = (position + at["order_quantity"], level)
            demand = estimate_demand(panel)
            costs = np.stack([
                order_costs(np.asarray(x, np.float64), demand, cutoff, terms) for x in levels
            ])  # fmt: skip
            known = ~np.isnan(costs).any(axis=0)  # a stock or an order that nobody knows: neither
            if known.any():
                with_, without = costs[:, known].sum(axis=1).tolist()
                return self._priced(cutoff, without, with_)
        return {}

    def _priced(self, cutoff: int, cost: float, cost_with: float) -> dict[str, Any]:
        day = self.panel.timeline.last_day(cutoff)
        return {"decided": f"{day:%Y-%m-%d}", "cost": cost, "cost_with": cost_with}


def was_made(line: dict[Any, Any], past: Panel) -> bool:
    """Return whether an override was there for the review at the end of a panel.

    Planners say it until the morning after; one without a date was always there.
    """
    made = line.get("made_at")
    if made is None or pd.isna(made) or not str(made).strip():
        return True
    last = past.timeline.last_day(past.num_periods - 1)
    return bool(pd.Timestamp(made).tz_localize(None).normalize() <= last + pd.Timedelta(days=1))


def _concerned(line: dict[Any, Any], panel: Panel, cutoff: int, horizon: int) -> bool:
    """Return whether an override was for the review at the end of a period.

    Its dates say so, for one series as for all of its scope: no forecast is needed.
    """
    past = panel.truncate(cutoff + 1)
    if not was_made(line, past):
        return False
    empty = np.zeros((1, horizon, 1), np.float32)
    flat = ForecastArrays(
        np.ones((1, horizon), np.float32), empty, empty, (0.5,), (0.5,), is_count=True
    )
    said = overrides_of(
        pd.DataFrame([line]), past.series.iloc[:1], flat, past.timeline, Notes.none(1)
    )
    return len(said.rows) > 0


def told_scope(line: dict[Any, Any]) -> str:
    """Return for which series an override is, as it was said."""
    text = _text(line.get("scope")) or _text(line.get("unique_id"))
    other = ("scope", "unique_id", "from", "to", "kind", "value", "who", "why", "made_at")
    named = [f"{c}={_text(v)}" for c, v in line.items() if c not in other and _text(v)]
    return ", ".join([text, *named] if text else named)


def _text(value: Any) -> str:
    return "" if value is None or value != value else str(value).strip()
