"""Plots as inline SVG: quiet, labelled at the data, readable in print."""

import io
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import pandas as pd
from markupsafe import Markup
from matplotlib import dates as mdates
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from invopt.report.page import as_money
from invopt.types import FloatArray

INK, SOFT, LINE = "#1b2430", "#5b6675", "#d5dae1"
BLUE, AMBER, TEAL, RED = "#2457c5", "#d98e04", "#168a8a", "#b3261e"
COLOURS = (BLUE, AMBER, TEAL, "#7a5cc0", SOFT)
DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)))
# Of an axis: as many decimals as its marks have, for a mark at 2.5 is none at 2.
AMOUNTS = mpl.ticker.FuncFormatter(lambda at, _: f"{at:z,.10g}")
STYLE: Any = {
    "text.parse_math": False,  # a product may be called GIFT CARD $25_$50
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.edgecolor": LINE,
    "axes.labelcolor": SOFT,
    "axes.titlesize": 10,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.grid.axis": "y",
    "axes.axisbelow": True,
    "grid.color": "#eceff3",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.fonttype": "none",
    "svg.hashsalt": "invopt",
}


def fans(frame: pd.DataFrame) -> Markup:
    """Return small multiples: history, forecast mean, 50/80/90 % bands and the actuals."""
    names = list(frame["unique_id"].drop_duplicates())
    rows = -(-len(names) // 2)
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(rows, 2, figsize=(11, 1.9 * rows), squeeze=False)
        for axis, name in zip(axes.flat, names, strict=False):
            _fan(axis, frame[frame["unique_id"] == name])
            axis.set_title(name)
        for axis in axes.flat[len(names) :]:
            axis.set_visible(False)
        axes.flat[0].legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=2, borderaxespad=0)
        return svg(figure)


def _fan(axis: Axes, rows: pd.DataFrame) -> None:
    ahead = rows[rows["mean"].notna()]
    for low, high, alpha in (
        ("q0.05", "q0.95", 0.12),
        ("q0.1", "q0.9", 0.16),
        ("q0.25", "q0.75", 0.25),
    ):
        if low in rows and high in rows:
            axis.fill_between(
                ahead["ds"], ahead[low], ahead[high], color=BLUE, alpha=alpha, linewidth=0
            )
    axis.plot(rows["ds"], rows["y"], color=INK, linewidth=0.9, label="demand")
    axis.plot(ahead["ds"], ahead["mean"], color=BLUE, linewidth=1.6, label="forecast mean")
    axis.set_ylim(bottom=0)
    axis.xaxis.set_major_locator(mdates.AutoDateLocator(maxticks=5))  # type: ignore[no-untyped-call]
    axis.xaxis.set_major_formatter(mdates.ConciseDateFormatter(axis.xaxis.get_major_locator()))  # type: ignore[no-untyped-call]


def volume(profile: Mapping[str, Sequence[Any]]) -> Markup:
    """Return rows and units by date, one above the other: a hole in the data shows."""
    dates = pd.to_datetime(list(profile["date"]))
    with mpl.rc_context(STYLE):
        figure, axes = plt.subplots(2, 1, figsize=(11, 2.8), sharex=True)
        for axis, (name, title, colour) in zip(
            axes,
            (
                ("rows", "Series with a record, per period", SOFT),
                ("units", "Units sold, per period", BLUE),
            ),
            strict=True,
        ):
            axis.plot(dates, profile[name], color=colour, linewidth=1)
            axis.set_ylim(bottom=0)
            axis.yaxis.set_major_formatter(AMOUNTS)
            axis.set_title(title)
        return svg(figure)


def calibration(quantiles: Mapping[str, Any], levels: Mapping[str, Mapping[str, Any]]) -> Markup:
    """Return coverage over nominal level: per period, and for sums over some periods."""
    with mpl.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.2, 3.6))
        axis.plot([0, 1], [0, 1], color=LINE, linewidth=1, zorder=1)
        series = {"one period": quantiles} | {
            f"sum of {periods}": values for periods, values in levels.items() if int(periods) > 1
        }
        for number, (name, values) in enumerate(series.items()):
            nominal = sorted(float(level) for level in values)
            found = [values[f"{level:g}"]["coverage"] for level in nominal]
            axis.plot(
                nominal, found, marker="o", markersize=3.5, linewidth=1, label=name, **_look(number)
            )
        _whole_title(figure, "Calibration: share of outcomes at or below each quantile")
        axis.set_xlabel("quantile level")
        axis.set_xlim(0, 1)
        axis.set_ylim(0, 1)
        axis.legend(loc="lower right")
        return svg(figure)


def folds(candidates: Mapping[str, Any], dates: Mapping[str, str]) -> Markup:
    """Return WAPE by cutoff for every candidate."""
    with mpl.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.2, 4.0))
        for number, (name, judged) in enumerate(candidates.items()):
            values = [f["wape"] for f in judged["folds"].values()]
            axis.plot(
                range(len(values)), values, marker="o", markersize=4, label=name,
                zorder=3 if number == 0 else 2, **_look(number),
            )  # fmt: skip
        labels = [dates[cutoff] for cutoff in next(iter(candidates.values()))["folds"]]
        axis.set_xticks(range(len(labels)), labels)
        axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        axis.set_ylim(bottom=0)
        _whole_title(figure, "WAPE by cutoff (rolling origin)")
        axis.set_xlabel("cutoff, from the first to the last")
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, handlelength=4)
        return svg(figure)


def money(candidates: Mapping[str, Any], title: str = "Cost of decisions") -> Markup:
    """Return holding and stock-out cost of every candidate, stacked."""
    names = list(candidates)
    holding = [candidates[n]["money"]["holding_cost"] for n in names]
    stockout = [candidates[n]["money"]["stockout_cost"] for n in names]
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure, axis = plt.subplots(figsize=(5.2, 0.5 * len(names) + 1.4))
        place = np.arange(len(names))[::-1]
        axis.barh(place, holding, color=BLUE, height=0.6, label="holding")
        axis.barh(place, stockout, left=holding, color=AMBER, height=0.6, label="stock-outs")
        for at, total in zip(place, np.add(holding, stockout), strict=True):
            axis.annotate(
                as_money(total), (total, at), xytext=(5, 0), textcoords="offset points",
                va="center", color=INK,
            )  # fmt: skip
        axis.set_yticks(place, names)
        _whole_title(figure, title)
        axis.margins(x=0.18)
        axis.xaxis.set_major_formatter(AMOUNTS)
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
        return svg(figure)


def segments(cost: Mapping[str, Any]) -> Markup | str:
    """Return the cost change with its interval, whole and by segment."""
    parts = {"all": cost} | dict(cost["segments"])
    parts = {name: p for name, p in parts.items() if p["change"] is not None}
    if len(parts) < 2:
        return ""
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure, axis = plt.subplots(figsize=(5.2, 0.36 * len(parts) + 1.1))
        place = np.arange(len(parts))[::-1]
        for at, p in zip(place, parts.values(), strict=True):
            colour = RED if p["low"] > 0 else TEAL if p["high"] < 0 else SOFT
            axis.plot([p["low"], p["high"]], [at, at], color=colour, linewidth=2)
            axis.plot(p["change"], at, "o", color=colour, markersize=5)
        axis.axvline(0, color=INK, linewidth=0.8)
        axis.set_yticks(place, list(parts))
        axis.xaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=0))
        _whole_title(figure, "Cost change by segment, with its interval")
        return svg(figure)


def importance(values: Mapping[str, float], num: int = 15) -> Markup:
    """Return the features that matter most."""
    top = list(values.items())[:num]
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure, axis = plt.subplots(figsize=(5.2, 0.26 * len(top) + 0.9))
        place = np.arange(len(top))[::-1]
        axis.barh(place, [v for _, v in top], color=BLUE, height=0.65)
        axis.set_yticks(place, [n for n, _ in top])
        _whole_title(figure, "What moves forecasts (units)")
        return svg(figure)


def waterfall(
    name: str, base: float, forecast: float, features: Sequence[str], values: Sequence[float],
    num: int = 9,
) -> Markup:  # fmt: skip
    """Return one series' forecast as the reference plus what each feature adds."""
    order = np.argsort(-np.abs(values))
    shown = [(features[i], values[i]) for i in order[:num]]
    rest = float(np.sum([values[i] for i in order[num:]]))
    steps = [("average series", base), *shown, ("all others", rest)]
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure, axis = plt.subplots(figsize=(5.2, 0.3 * (len(steps) + 1) + 0.9))
        place = np.arange(len(steps) + 1)[::-1]
        at = 0.0
        for row, (_, value) in zip(place, steps, strict=False):
            start = 0.0 if row == place[0] else at
            colour = SOFT if row == place[0] else BLUE if value >= 0 else AMBER
            axis.barh(row, value, left=start, color=colour, height=0.65)
            at = start + value
        axis.barh(place[-1], forecast, color=INK, height=0.65)
        axis.margins(x=0.06)
        axis.set_yticks(place, [n for n, _ in steps] + ["forecast"])
        _whole_title(figure, f"{name}: why this forecast (units)")
        return svg(figure)


_SAME = "same windows"  # as trainings mark them


def losses(history: Sequence[Sequence[Sequence[Any]]]) -> Markup:
    """Return the loss over steps, one line per member and task, each over its own last value.

    Of windows that stay the same, where the training kept it; every step's own see others.
    """
    same = any(name.endswith(_SAME) for member in history for name, _, _ in member)
    with mpl.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.2, 3.0))
        for number, member in enumerate(history):
            for task, style in (("trunk", "-"), ("heads", ":")):
                wanted = f"{task}, {_SAME}" if same else task
                rows = [(step, loss) for name, step, loss in member if name == wanted]
                if len(rows) < 2:
                    continue
                values = pd.Series([v for _, v in rows])
                if not same:  # other windows in every step: a mean over a tenth of them
                    values = values.rolling(max(3, len(values) // 10), min_periods=1).mean()
                axis.plot(
                    [s for s, _ in rows], values / values.iloc[-1], style,
                    color=COLOURS[number % len(COLOURS)], linewidth=1.3,
                    label=f"{task}, member {number + 1}",
                )  # fmt: skip
        of = "the same windows" if same else "a tenth of the steps"
        _whole_title(figure, f"Training loss of {of}, over its last value")
        axis.set_xlabel("step")
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
        return svg(figure)


def sweep_history(trials: Sequence[Mapping[str, Any]]) -> Markup | str:
    """Return score by trial and the best so far."""
    done = [(t["number"], t["score"]) for t in trials if t["score"] is not None]
    if not done:
        return ""
    with mpl.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(5.2, 3.0))
        numbers, scores = zip(*done, strict=True)
        axis.plot(numbers, scores, "o", color=BLUE, markersize=4, label="trial")
        axis.step(
            numbers, np.minimum.accumulate(scores), where="post", color=INK, label="best so far"
        )
        _whole_title(figure, "Sweep: WAPE on the selection range")
        axis.set_xlabel("trial")
        axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=1))
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), ncols=2)
        return svg(figure)


def parallel_coordinates(trials: Sequence[Mapping[str, Any]]) -> Markup | str:
    """Return one line per trial through its values, coloured by score (dark is better)."""
    done = [t for t in trials if t["score"] is not None and t["values"]]
    if len(done) < 2:
        return ""
    names = sorted({name for t in done for name in t["values"]})
    columns = [_unit_positions([t["values"].get(n) for t in done]) for n in names]
    scores = np.array([t["score"] for t in done], float)
    columns.append(_unit_positions(list(scores)))
    rank = scores.argsort().argsort() / max(1, len(done) - 1)
    with mpl.rc_context(STYLE | {"axes.grid.axis": "x"}):
        figure, axis = plt.subplots(figsize=(11, 2.8))
        for i in range(len(done)):
            colour = mpl.colormaps["Blues"](0.95 - 0.7 * rank[i])
            axis.plot(range(len(columns)), [c[i] for c in columns], color=colour, linewidth=1.6)
        every = [[t["values"].get(n) for t in done] for n in names] + [list(scores)]
        ends = [_ends(values) for values in every]
        axis.set_xticks(
            range(len(columns)),
            [f"{low}\n{name}" for name, (low, _) in zip([*names, "score"], ends, strict=True)],
        )
        for at, (_, high) in enumerate(ends):
            axis.annotate(
                high, (at, 1), xytext=(0, 5), textcoords="offset points", ha="center", color=SOFT
            )
        axis.set_yticks([])
        axis.set_ylim(-0.05, 1.05)
        _whole_title(figure, "Sweep: values of each trial, dark lines scored best")
        return svg(figure)


def monitoring_trend(
    periods: Sequence[Mapping[str, Any]], bands: Mapping[str, Sequence[float | None]] | None = None
) -> list[Markup]:
    """Return a small line of the last periods each for error, demand, coverage, cost, stock-outs.

    A dashed line is the median of the periods shown but the latest, or what was planned; a shaded
    band is where the latest period would be quiet. What is not known is not drawn.
    """
    panels = (
        ("wape", "Forecast error, share of sales", None),
        ("demand", "Demand against forecast", 0.0),
        ("coverage", "Outcomes inside the interval", None),
        ("cost_ratio", "Cost of orders, times plan", 1.0),
        ("stockouts", "Shelf out of stock", None),
    )
    if not periods:
        return []
    days = np.array([p["end"] for p in periods], "datetime64[D]")
    with mpl.rc_context(STYLE):
        return [
            _trend_line(days, periods, *panel, band=(bands or {}).get(panel[0])) for panel in panels
        ]


def _trend_line(
    days: npt.NDArray[np.datetime64],
    periods: Sequence[Mapping[str, Any]],
    key: str,
    title: str,
    level: float | None,
    *,
    band: Sequence[float | None] | None = None,
) -> Markup:
    values = np.array([np.nan if p[key] is None else float(p[key]) for p in periods])
    figure, axis = plt.subplots(figsize=(3.5, 1.8))
    earlier = values[:-1][np.isfinite(values[:-1])]
    if level is None and len(earlier):
        level = float(np.median(earlier))
    if level is not None:
        axis.axhline(level, color=SOFT, linewidth=0.8, linestyle=(0, (4, 3)))
    if not np.isfinite(values).any():
        title += ": unknown"
        if days[0] < days[-1]:
            axis.set_xlim(days[0], days[-1])
    elif band is not None:
        _shade(axis, values, band)
    axis.plot(days, values, "o-", color=BLUE, markersize=3, linewidth=1.2)
    axis.plot(days[-1:], values[-1:], "o", color=AMBER, markersize=6)
    axis.set_title(title)
    if key == "stockouts":
        top = [0.0 if end is None else float(end) for end in band or ()]
        axis.set_ylim(0, max(0.01, 1.1 * float(np.nanmax([*values, *top, 0.0]))))
    if key != "cost_ratio":
        axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1, decimals=1))
    axis.set_xticks(days[[0, -1]], [f"{pd.Timestamp(d):%d %b}" for d in days[[0, -1]]])
    return svg(figure)


def _shade(axis: Axes, values: FloatArray, band: Sequence[float | None]) -> None:
    """Shade where the latest value would be quiet; an end that is open reaches the picture's."""
    low, high = (np.nan if end is None else float(end) for end in band)
    known = [v for v in (*values, low, high) if np.isfinite(v)]
    room = 0.1 * max(max(known) - min(known), 1e-3)
    ends = min(known) - room, max(known) + room
    axis.axhspan(low if np.isfinite(low) else ends[0], high if np.isfinite(high) else ends[1],
                 color=BLUE, alpha=0.1, linewidth=0)  # fmt: skip
    axis.set_ylim(*ends)


def _look(number: int) -> dict[str, Any]:
    """Return colour and dashes of a line: after the last colour the first comes again, dashed."""
    dashes = DASHES[number // len(COLOURS) % len(DASHES)]
    return {"color": COLOURS[number % len(COLOURS)], "linestyle": dashes}


def _whole_title(figure: Figure, text: str) -> None:
    """Set a title over the whole figure: over axes with long labels it would be cut."""
    lines = textwrap.wrap(text, int(13 * figure.get_figwidth()), break_long_words=True)
    figure.suptitle("\n".join(lines), x=0.01, ha="left", fontsize=10, fontweight="bold", color=INK)


def _unit_positions(values: Sequence[Any]) -> list[float]:
    """Return positions from 0 to 1: numbers by size, words by order."""
    if all(isinstance(v, (int, float)) for v in values):
        low, high = min(values), max(values)
        return [0.5 if high == low else (v - low) / (high - low) for v in values]
    words = sorted({str(v) for v in values})
    return [words.index(str(v)) / max(1, len(words) - 1) for v in values]


def _ends(values: Sequence[Any]) -> tuple[str, str]:
    """Return what stands at the low and at the high end of _unit_positions."""
    if all(isinstance(v, (int, float)) for v in values):
        return f"{min(values):.4g}", f"{max(values):.4g}"
    words = sorted({str(v) for v in values})
    return words[0], words[-1]


def svg(figure: Figure) -> Markup:
    """Return a finished figure as SVG to stand inside a page."""
    figure.tight_layout()
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None})
    plt.close(figure)
    text = buffer.getvalue()
    return Markup(text[text.index("<svg") :])  # noqa: S704  (made here, from numbers)
