"""Plots of the replenishment page: what service costs, and levels beside demand."""

from collections.abc import Sequence

import matplotlib as mpl
import pandas as pd
from markupsafe import Markup
from matplotlib import dates as mdates
from matplotlib import pyplot as plt

from invopt.inventory.whatif import Outlook
from invopt.report.plots import AMBER, BLUE, INK, SOFT, STYLE, TEAL, svg


def frontier(outlooks: Sequence[Outlook], now: Outlook) -> Markup:
    """Return holding cost over fill rate, with today's costs marked on the line."""
    with mpl.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.4, 3.2))
        rates = [o.fill_rate for o in outlooks]
        axis.plot(rates, [o.holding_cost for o in outlooks], color=BLUE, label="holding")
        axis.plot(
            rates, [o.cost for o in outlooks], color=SOFT, linewidth=1, label="with stock-outs"
        )
        axis.plot(now.fill_rate, now.holding_cost, "o", color=INK)
        axis.annotate(
            f"this plan: {now.fill_rate:.1%}", (now.fill_rate, now.holding_cost),
            textcoords="offset points", xytext=(-6, 8), ha="right", color=INK,
        )  # fmt: skip
        axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axis.set_xlabel("units served from stock")
        axis.set_title("Cost per review period by service")
        axis.legend(loc="upper left")
        return svg(figure)


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
