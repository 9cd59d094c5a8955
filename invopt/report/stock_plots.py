"""Plots of the replenishment page: what service costs, and levels beside demand."""

from collections.abc import Sequence

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib import dates as mdates
from matplotlib import pyplot as plt

from invopt.inventory.whatif import Outlook
from invopt.report.plots import AMBER, AMOUNTS, BLUE, INK, SOFT, STYLE, TEAL, svg

_FEW = 4  # points that a line needs


def frontier(outlooks: Sequence[Outlook], now: Outlook, currency: str = "") -> Markup:
    """Return holding cost over fill rate, with today's costs marked on the line."""
    near = _near(outlooks, now)
    with mpl.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.4, 3.2))
        rates = [o.fill_rate for o in near]
        lines = (
            ("holding", [o.holding_cost for o in near], BLUE),
            ("with stock-outs", [o.cost for o in near], SOFT),
        )
        for label, values, colour in lines:
            axis.plot(rates, values, color=colour, label=label)
        axis.plot(now.fill_rate, now.holding_cost, "o", color=INK)
        axis.annotate(
            f"this plan: {now.fill_rate:.1%}", (now.fill_rate, now.holding_cost),
            textcoords="offset points", xytext=(-6, 8), ha="right", color=INK,
        )  # fmt: skip
        axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=1))
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
        axis.yaxis.set_major_formatter(AMOUNTS)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("units served from stock")
        axis.set_title("Cost per review by service" + (f", {currency}" if currency else ""))
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=2)
        return svg(figure)


def _near(outlooks: Sequence[Outlook], now: Outlook) -> list[Outlook]:
    """Return the outlooks around today's: at most four times as many units missed, or a few."""
    far = 4 * max(1 - now.fill_rate, 0.005)
    best = sorted(outlooks, key=lambda o: o.fill_rate)
    near = [o for o in best if 1 - o.fill_rate <= far]
    return near if len(near) >= _FEW else best[-_FEW:]


def levels(frame: pd.DataFrame, plan: pd.DataFrame) -> Markup:
    """Return small multiples: recent demand over the protection interval beside the level.

    Args:
        frame: unique_id, ds, y (units) and interval (units over the protection interval up to ds).
        plan: OrderPlan of the same series.
    """
    names = list(frame["unique_id"].drop_duplicates())
    rows = -(-len(names) // 2)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(rows, 2, figsize=(11, 1.9 * rows), squeeze=False)
        for axis, name in zip(axes.flat, names, strict=False):
            own, row = frame[frame["unique_id"] == name], plan.loc[name]
            axis.bar(own["ds"], own["y"], color=SOFT, alpha=0.35, width=_width(own), label="demand")
            axis.plot(own["ds"], own["interval"], color=BLUE, label="over lead time and review")
            axis.axhline(row["order_up_to_level"], color=AMBER, label="level")
            position = row["on_hand"] + row["on_order"]
            if pd.notna(position):
                axis.axhline(position, color=TEAL, linestyle=":", label="position")
            locator = mdates.AutoDateLocator(maxticks=7)  # type: ignore[no-untyped-call]
            axis.xaxis.set_major_locator(locator)
            shown = mdates.ConciseDateFormatter(locator)  # type: ignore[no-untyped-call]
            axis.xaxis.set_major_formatter(shown)
            axis.set_title(name)
        axes.flat[0].set_ylim(top=1.5 * axes.flat[0].get_ylim()[1])  # room for the legend
        for axis in axes.flat[len(names) :]:
            axis.set_visible(False)
        axes.flat[0].legend(loc="upper left", ncols=2)
        return svg(figure)


def _width(rows: pd.DataFrame) -> float:
    """Return the width of a bar in days: most of a period."""
    return 0.8 * float(rows["ds"].diff().dt.days.median())
