"""From instances to rows: what the store knows, what the caller says instead, what if.

Every instance gets a row of its own, and a second one where it asks what if about something the
forecast depends on (a planned price, a promotion).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from invopt.features.spec import PRICE
from invopt.features.tables import ON_SALE, SALES, SERIES_KEY, TIMESTAMP, TableLayout
from invopt.panel import SERIES_LEVEL, Channel
from invopt.types import Float32Array, FloatArray
from serving.api.contract import ErrorCode, Features, Instance, Position, WhatIf
from serving.stores.feature_store import ARRIVALS, SEGMENT, STOCK
from serving.stores.online_features import OnlineWindows


class InstanceFailedError(Exception):
    """An instance that gets no decision.

    Args:
        code: For machines.
        message: For people.
    """

    def __init__(self, code: ErrorCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def body(self) -> dict[str, str]:
        """ErrorBody."""
        return {"error": self.message, "code": self.code.value}


@dataclass(frozen=True)
class Scenario:
    """Rows that are forecast together: their windows end at the same period.

    Attributes:
        windows: One row per scenario.
        names: Series of each row.
        instances: Place of each row's instance in the request.
        is_what_if: True for rows under an instance's assumptions.
    """

    windows: OnlineWindows
    names: list[str] = field(repr=False)
    instances: list[int] = field(repr=False)
    is_what_if: list[bool] = field(repr=False)


def scenarios_of(
    instances: Mapping[int, Instance],
    found: Sequence[OnlineWindows],
    layout: TableLayout,
    horizon: int,
    newest: float,
) -> tuple[list[Scenario], dict[int, InstanceFailedError]]:
    """Return the rows to forecast, and the instances that cannot be.

    Args:
        instances: To forecast, by their place in the request.
        found: What the store has of their series.
        layout: Of the store's tables.
        horizon: Periods a plan can reach.
        newest: Time at which a series the store does not know is taken to be known.
    """
    places = {name: (w, r) for w in found for r, name in enumerate(w.names)}
    failures: dict[int, InstanceFailedError] = {}
    chosen: dict[int, tuple[OnlineWindows, list[tuple[int, int, bool]]]] = {}
    blank: OnlineWindows | None = None
    for number, instance in instances.items():
        place = places.get(instance.unique_id)
        if place is None:
            if instance.features is None or instance.features.sales is None:
                failures[number] = InstanceFailedError(
                    ErrorCode.UNKNOWN_SERIES,
                    "the feature store has no features of this series: look at its name, or send "
                    "features.sales.",
                )
                continue
            blank = blank or _blank(layout, newest)
            place = (blank, 0)
        windows, row = place
        entries = chosen.setdefault(id(windows), (windows, []))[1]
        entries.append((number, row, False))
        if instance.what_if is not None and _changes_forecast(instance.what_if):
            entries.append((number, row, True))
    scenarios = []
    for windows, entries in chosen.values():
        scenario = _scenario(
            windows, entries, instances, layout=layout, horizon=horizon, failures=failures
        )
        if scenario is not None:
            scenarios.append(scenario)
    return scenarios, failures


def _scenario(
    windows: OnlineWindows,
    entries: list[tuple[int, int, bool]],
    instances: Mapping[int, Instance],
    layout: TableLayout,
    horizon: int,
    failures: dict[int, InstanceFailedError],
) -> Scenario | None:
    names = [f"{k:06d}" for k in range(len(entries))]
    rows = windows.select([row for _, row, _ in entries], names)
    for at, (number, _, is_what_if) in enumerate(entries):
        instance = instances[number]
        try:
            if instance.position is not None:
                put_position(rows.position, at, instance.position)
                rows.stock_known_at[at] = np.nan
            if instance.features is not None:
                _apply_features(rows, at, instance.features, layout)
            if is_what_if and instance.what_if is not None:
                _apply_plans(rows, at, instance.what_if, layout, horizon)
        except InstanceFailedError as err:
            failures[number] = err
    kept = [k for k, (number, _, _) in enumerate(entries) if number not in failures]
    if not kept:
        return None
    if len(kept) < len(entries):
        rows = rows.select(kept, names[: len(kept)])
    numbers = [entries[k][0] for k in kept]
    series = [instances[number].unique_id for number in numbers]
    return Scenario(rows, series, numbers, [entries[k][2] for k in kept])


def _changes_forecast(what_if: WhatIf) -> bool:
    return what_if.price is not None or bool(what_if.promotion)


def put_position(position: dict[str, FloatArray], at: int, given: Position) -> None:
    """Put a caller's stock in the place of a row's."""
    position["on_hand"][at] = given.on_hand
    position["on_order"][at] = given.under_way
    position["backorders"][at] = given.backorders
    arrivals = position[ARRIVALS]
    beyond = len(given.arrivals) - arrivals.shape[1]
    if beyond > 0:
        arrivals = position[ARRIVALS] = np.pad(arrivals, ((0, 0), (0, beyond)))
    arrivals[at] = 0
    arrivals[at, : len(given.arrivals)] = given.arrivals


def _apply_features(rows: OnlineWindows, at: int, features: Features, layout: TableLayout) -> None:
    periods = rows.num_periods
    if features.sales is not None:
        sales = features.sales[-periods:]
        # -1 codes a period without a record: see series_table.
        code = [-1.0 if v is None else v for v in sales]
        rows.rows[SALES][at] = 0.0
        rows.rows[SALES][at, periods - len(code) :] = code
        rows.rows[ON_SALE][at] = len(code)
    for name, value in features.static.items():
        kind = layout.static.get(name)
        if kind is None or isinstance(value, str) != (kind == "text"):
            raise _wrong(f"features.static.{name}", kind or "no column", list(layout.static))
        rows.rows[name][at] = value
    heads = {head["name"]: head for head in layout.series_channels}
    for name, values in features.channels.items():
        if name not in heads:
            raise _wrong(f"features.channels.{name}", "no channel", list(heads))
        column = rows.rows[layout.field_of(name)]
        if len(values) < periods or len(values) > column.shape[1]:
            raise InstanceFailedError(
                ErrorCode.INVALID_REQUEST,
                f"features.channels.{name} must hold {periods} to {column.shape[1]} values, "
                f"got {len(values)}.",
            )
        column[at, : len(values)] = values


def _apply_plans(
    rows: OnlineWindows, at: int, what_if: WhatIf, layout: TableLayout, horizon: int
) -> None:
    plans: dict[str, Any] = dict(what_if.promotion)
    if what_if.price is not None:
        plans[PRICE] = what_if.price
    heads = {h["name"]: h for h in layout.series_channels if h["known"]}
    for name, plan in plans.items():
        if name not in heads or (name == PRICE and what_if.price is None):
            asked = name == PRICE and what_if.price is not None
            place = f"what_if.{name}" if asked else f"what_if.promotion.{name}"
            raise _wrong(place, "not planned ahead by series", list(heads))
        values = plan if isinstance(plan, list) else [plan] * horizon
        column = _long_enough(rows, heads[name], layout, rows.num_periods + horizon)
        stop = min(rows.num_periods + len(values), column.shape[1])
        column[at, rows.num_periods : stop] = values[: stop - rows.num_periods]


def _long_enough(
    rows: OnlineWindows, head: dict[str, Any], layout: TableLayout, length: int
) -> Float32Array:
    """Return a channel's column, first drawn out as its fill says where it ends earlier."""
    name = layout.field_of(head["name"])
    column: Float32Array = rows.rows[name]
    if column.shape[1] < length:
        channel = Channel(
            head["name"],
            head["domain"],
            SERIES_LEVEL,
            groups=(),
            known=True,
            values=column,
            fill=head["fill"],
        )
        column = rows.rows[name] = channel.until(length)
    return column


def _wrong(place: str, problem: str, known: list[str]) -> InstanceFailedError:
    names = f"there are {', '.join(known[:20])}" if known else "this model knows none"
    return InstanceFailedError(ErrorCode.INVALID_REQUEST, f"{place} is {problem}; {names}.")


def _blank(layout: TableLayout, known_at: float) -> OnlineWindows:
    """Return the window of a series without any record."""
    periods = layout.lookback
    rows: dict[str, Any] = {SERIES_KEY: ["-"], ON_SALE: [0], SEGMENT: [""]}
    rows[SALES] = np.zeros((1, periods), np.float32)
    for name, kind in layout.static.items():
        rows[name] = [np.nan if kind == "number" else ""]
    for head in layout.series_channels:
        length = periods + (layout.num_future if head["known"] else 0)
        rows[layout.field_of(head["name"])] = np.full((1, length), np.nan, np.float32)
    rows[TIMESTAMP] = [pd.Timestamp(known_at, unit="s")]
    position = {name: np.full(1, np.nan) for name in STOCK} | {ARRIVALS: np.zeros((1, 1))}
    return OnlineWindows(rows, position, np.full(1, np.nan), known_at)
