"""Words for a planner: why an order was placed, and which series want a look."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.config import InventoryConfig
from invopt.inventory.decision import Decision
from invopt.inventory.segments import SalesStatistics
from invopt.inventory.stock import Stock
from invopt.panel import Panel

FloatArray = npt.NDArray[np.float64]
NO_STOCK = "stock is not known"
BEYOND = "the critical ratio lies beyond the forecast's quantiles"
HORIZON = "lead time and review period reach beyond the forecast's horizon"
# Periods that say what a series sells of late, at least.
_RECENT = 13


def reasons_of(decision: Decision, stock: Stock) -> npt.NDArray[np.object_]:
    """Return a sentence per series: why it is ordered, or why not.

    Args:
        decision: Of the series.
        stock: Of the same series.
    """
    levels = decision.levels
    found = np.full(len(decision.quantity), "", object)
    beyond, far = np.isnan(levels.reorder_point), np.isnan(levels.expected_demand)
    unknown = np.isnan(stock.position) & ~beyond
    found[beyond], found[far], found[unknown] = BEYOND, HORIZON, NO_STOCK
    ordered = decision.quantity > 0
    found[ordered] = [
        f"position {position:g} is below the level {level:g}: expected demand {expected:.1f} "
        f"and safety stock {safety:.1f}; one less {_change(less)}, one more {_change(more)}"
        for position, level, expected, safety, less, more in _rows(
            ordered, stock.position, levels.order_up_to, levels.expected_demand,
            levels.safety_stock, decision.one_less, decision.one_more,
        )
    ]  # fmt: skip
    covered = ~(ordered | beyond | unknown)
    found[covered] = [
        f"position {position:g} covers the level {level:g}"
        for position, level in _rows(covered, stock.position, levels.order_up_to)
    ]
    return found


def exceptions_of(
    panel: Panel,
    decision: Decision,
    stock: Stock,
    config: InventoryConfig,
    last_levels: pd.Series | None = None,
) -> npt.NDArray[np.object_]:
    """Return what a planner should look at, joined by "; ", "" for most series.

    Args:
        panel: Up to the review.
        decision: Of its series.
        stock: Of its series.
        config: Limits of demand_jump and level_change.
        last_levels: Order-up-to level of the review before by unique_id; None for a first one.
    """
    levels = decision.levels
    periods = max(panel.timeline.season_length, _RECENT)
    usual = recent_sales(panel).mean * decision.protection_interval
    expected = levels.expected_demand
    far = (expected > config.demand_jump * usual) | (usual > config.demand_jump * expected)
    lead_time = panel.series.get("lead_time")
    under_way = stock.arrivals.sum(axis=1)
    out_of_reach = np.isnan(expected)
    flags = {
        "no stock record": np.isnan(stock.position),
        "level beyond the forecast's quantiles": np.isnan(levels.reorder_point) & ~out_of_reach,
        "lead time beyond the forecast's horizon": out_of_reach,
        "new series": panel.num_periods - panel.launch() < min(periods, panel.num_periods),
        "demand jump": far & (np.abs(expected - usual) > 1),
        "open orders exceed stock on order": under_way > stock.on_order + 0.5,
    }
    if lead_time is not None:
        flags["no lead time recorded, the configured one is used"] = lead_time.isna().to_numpy()
    if last_levels is not None:
        last = last_levels.reindex(panel.unique_ids.astype(str)).to_numpy(np.float64)
        change = np.abs(np.maximum(levels.order_up_to, 0) - last)
        flags["level changed"] = change > config.level_change * np.maximum(last, 1)
    return _joined(list(flags), np.stack(list(flags.values()), axis=1))


def recent_sales(panel: Panel) -> SalesStatistics:
    """Return what each series sold in the latest season (at least 13 periods)."""
    periods = max(panel.timeline.season_length, _RECENT)
    first = max(0, panel.num_periods - periods)
    seen = panel.is_observed[:, first:]
    return SalesStatistics.of(np.where(seen, panel.y[:, first:], np.nan))


def _joined(texts: Sequence[str], masks: npt.NDArray[np.bool_]) -> npt.NDArray[np.object_]:
    """Return per row the texts whose mask holds, joined by "; "; few combinations occur."""
    codes = masks @ (1 << np.arange(masks.shape[1]))
    found = np.full(len(masks), "", object)
    for code in np.unique(codes):
        found[codes == code] = "; ".join(t for i, t in enumerate(texts) if code >> i & 1)
    return found


def _rows(mask: npt.NDArray[np.bool_], *columns: FloatArray) -> list[tuple[float, ...]]:
    return list(zip(*(column[mask].tolist() for column in columns), strict=True))


def _change(cost: float) -> str:
    return f"{'costs' if cost >= 0 else 'saves'} {abs(cost):.2f}"
