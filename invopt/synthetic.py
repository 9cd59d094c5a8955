"""A made-up retailer whose true demand is known, in the files a real one would send.

Demand has level, trend, weekly and yearly seasons, price elasticity, promotions, events,
weather, launches and counting noise. Sales are what its own stock allowed: a simple reorder
rule with delivery delays runs out now and then, so sales are censored where demand is known.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from invopt.files import replacing_folder
from invopt.types import FloatArray, IntArray

_CATEGORIES = {
    # name: (mean daily units, price, shelf life in days, summer amplitude, price elasticity)
    "beverages": (6.0, 1.8, 180, 0.35, -1.6),
    "dairy": (8.0, 1.4, 14, 0.05, -1.1),
    "snacks": (4.0, 2.4, 120, 0.10, -1.8),
    "household": (1.5, 5.5, 720, 0.00, -1.2),
    "seasonal": (2.0, 9.0, 360, -0.50, -2.0),
}
_EVENTS = {
    "New Year": (1, 1),
    "Spring Fair": (4, 12),
    "Summer Feast": (7, 4),
    "Christmas": (12, 25),
}
_WEEK = np.array([0.85, 0.85, 0.9, 1.0, 1.25, 1.35, 0.8])
FUTURE_DAYS = 56


@dataclass(frozen=True, kw_only=True)
class Retailer:
    """Everything that is true of the made-up retailer; arrays are (series, day).

    Attributes:
        dates: Days with sales, then FUTURE_DAYS planned ones.
        num_days: Days with sales.
        series: One row per series: product, location and their attributes.
        demand: Units customers wanted; integer.
        sales: Units they got.
        on_hand: Units on the shelf at the end of the day.
        on_order: Units under way at the end of the day.
        price: Shelf price, future days included.
        discount: Share off the list price, future days included.
        promotion: 1 on days of a promotion, future days included.
        arrivals: Units that arrive on each of the days after the last one.
        visits: (store, day) customers.
        competitor: (category, day) competitor price index.
        temperature: (region, day) degrees Celsius.
    """

    dates: pd.DatetimeIndex
    num_days: int
    series: pd.DataFrame
    demand: IntArray = field(repr=False)
    sales: IntArray = field(repr=False)
    on_hand: IntArray = field(repr=False)
    on_order: IntArray = field(repr=False)
    price: FloatArray = field(repr=False)
    discount: FloatArray = field(repr=False)
    promotion: FloatArray = field(repr=False)
    arrivals: IntArray = field(repr=False)
    visits: FloatArray = field(repr=False)
    competitor: FloatArray = field(repr=False)
    temperature: FloatArray = field(repr=False)


def make_retailer(
    num_products: int = 50,
    num_stores: int = 10,
    num_days: int = 730,
    seed: int = 0,
    *,
    start: str = "2023-01-02",
    shift: tuple[float, int] | None = None,
) -> Retailer:
    """Return a retailer with num_products x num_stores series.

    Args:
        num_products: Products, over five categories.
        num_stores: Stores, over three regions.
        num_days: Days of history.
        seed: Of everything random.
        start: First day.
        shift: Factor on demand, and the day from which on, for drift tests; none by default.
    """
    rng = np.random.default_rng(seed)
    total = num_days + FUTURE_DAYS
    dates = pd.date_range(start, periods=total, freq="D")
    products, stores = _products(num_products, rng), _stores(num_stores, rng)
    series = stores.merge(products, how="cross")
    series["unique_id"] = series["product"] + "_" + series["location"]
    series = series.sort_values("unique_id", ignore_index=True)
    temperature = _temperature(dates, rng)
    competitor = _competitor(total, rng)
    price, discount, promotion = _prices(series, total, rng)
    facts = np.array([_CATEGORIES[c] for c in series["category"]])
    response = (1 - discount) ** facts[:, 4:5] * (1 + 0.25 * promotion)
    mean = _mean_demand(series, dates, response, temperature, competitor, rng=rng)
    if shift is not None:
        factor, day = shift
        mean[:, day:] *= factor
    visits = _visits(series, mean, rng)
    demand = rng.negative_binomial(4.0, 4.0 / (4.0 + mean[:, :num_days]))
    sales, on_hand, on_order, arrivals = _sell(series, demand, mean, rng)
    return Retailer(
        dates=dates, num_days=num_days, series=series, demand=demand, sales=sales, on_hand=on_hand,
        on_order=on_order, price=price, discount=discount, promotion=promotion, arrivals=arrivals,
        visits=visits, competitor=competitor, temperature=temperature,
    )  # fmt: skip


# What write_retailer leaves in its folder.
FILES = frozenset(
    ["sales_lines.csv", "stock.parquet", "prices.csv", "promotions.csv", "products.csv",
     "customers.csv", "market.csv", "external.csv", "position.csv", "open_orders.csv", "truth"]
)  # fmt: skip


def write_retailer(retailer: Retailer, folder: Path, seed: int = 0) -> None:
    """Write the retailer's files, faults of real extracts included, and the truth beside them.

    The mapping is pipelines/configs/datasets/demo.yaml. About one line in two thousand is
    faulty: a date that does not parse, a quantity that is no number, a line sent twice.
    truth/demand.parquet is for tests and benchmarks; no mapping names it.
    """
    rng = np.random.default_rng(seed)
    with replacing_folder(folder) as out:
        _sales_lines(retailer, rng).to_csv(out / "sales_lines.csv", index=False)
        _long(retailer, "on_hand", retailer.on_hand).assign(
            on_order=retailer.on_order.ravel()
        ).to_parquet(out / "stock.parquet", index=False)
        _price_changes(retailer).to_csv(out / "prices.csv", index=False)
        _promotion_days(retailer).to_csv(out / "promotions.csv", index=False)
        columns = ["unique_id", "product", "location", "region", "format", "category", "brand"]
        columns += ["size", "list_price", "unit_cost", "pack_size", "min_order", "shelf_life"]
        retailer.series[[*columns, "lead_time"]].to_csv(out / "products.csv", index=False)
        _customers(retailer, rng).to_csv(out / "customers.csv", index=False)
        _market(retailer).to_csv(out / "market.csv", index=False)
        _external(retailer).to_csv(out / "external.csv", index=False)
        last = retailer.dates[retailer.num_days - 1]
        pd.DataFrame(
            {
                "unique_id": retailer.series["unique_id"],
                "date": last,
                "on_hand": retailer.on_hand[:, -1],
                "on_order": retailer.on_order[:, -1],
            }
        ).to_csv(out / "position.csv", index=False)
        _open_orders(retailer).to_csv(out / "open_orders.csv", index=False)
        (out / "truth").mkdir()
        _long(retailer, "demand", retailer.demand).to_parquet(
            out / "truth" / "demand.parquet", index=False
        )


def _products(num: int, rng: np.random.Generator) -> pd.DataFrame:
    names = list(_CATEGORIES)
    category = [names[i % len(names)] for i in range(num)]
    base = np.array([_CATEGORIES[c][1] for c in category])
    list_price = np.round(base * rng.lognormal(0, 0.3, num), 2)
    return pd.DataFrame(
        {
            "product": [f"P{i:03d}" for i in range(num)],
            "category": category,
            "brand": rng.choice(["Alba", "Borea", "Cirro", "own brand"], num),
            "size": rng.choice(["small", "medium", "large"], num),
            "list_price": list_price,
            "unit_cost": np.round(list_price * rng.uniform(0.5, 0.7, num), 2),
            "pack_size": rng.choice([1, 6, 12], num, p=[0.4, 0.4, 0.2]),
            "min_order": rng.choice([0, 6, 12], num, p=[0.6, 0.2, 0.2]),
            "shelf_life": [_CATEGORIES[c][2] for c in category],
            "lead_time": rng.choice([2, 4, 6], num),
            "popularity": rng.lognormal(0, 0.6, num),
            "launch_day": np.where(rng.random(num) < 0.1, rng.integers(100, 600, num), 0),
        }
    )


def _stores(num: int, rng: np.random.Generator) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "location": [f"S{i:02d}" for i in range(num)],
            "region": [("north", "centre", "south")[i % 3] for i in range(num)],
            "format": rng.choice(["city", "super", "hyper"], num),
            "footfall": rng.lognormal(0, 0.35, num),
        }
    )


def _temperature(dates: pd.DatetimeIndex, rng: np.random.Generator) -> FloatArray:
    season = -np.cos(2 * np.pi * (dates.dayofyear.to_numpy() - 15) / 365.25)
    noise = np.zeros((3, len(dates)))
    shocks = rng.normal(0, 2.0, noise.shape)
    for t in range(1, len(dates)):
        noise[:, t] = 0.8 * noise[:, t - 1] + shocks[:, t]
    return np.array([[7.0], [11.0], [15.0]]) + 10 * season + noise


def _competitor(total: int, rng: np.random.Generator) -> FloatArray:
    steps = rng.normal(0, 0.01, (len(_CATEGORIES), total))
    steps[:, np.arange(total) % 7 != 0] = 0
    return 1 + np.clip(steps.cumsum(axis=1), -0.15, 0.15)


def _prices(
    series: pd.DataFrame, total: int, rng: np.random.Generator
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return price, discount and promotion; promotions run a week, one product-region at a time."""
    keys = series["product"] + series["region"]
    codes, names = pd.factorize(keys)
    weeks = -(-total // 7)
    starts = rng.random((len(names), weeks)) < 0.06
    depth = rng.choice([0.1, 0.2, 0.3], starts.shape)
    promotion = np.repeat(starts, 7, axis=1)[:, :total][codes].astype(float)
    discount = promotion * np.repeat(depth, 7, axis=1)[:, :total][codes]
    inflation = 1.02 ** (np.arange(total) // 91 * 91 / 365.25)
    price = series["list_price"].to_numpy()[:, None] * inflation * (1 - discount)
    return np.round(price, 2), discount, promotion


def _mean_demand(
    series: pd.DataFrame,
    dates: pd.DatetimeIndex,
    response: FloatArray,
    temperature: FloatArray,
    competitor: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Return (series, days) units; `response` is what price and promotion make of them."""
    num, total = response.shape
    facts = np.array([_CATEGORIES[c] for c in series["category"]])
    level = facts[:, 0] * series["popularity"].to_numpy() * series["footfall"].to_numpy()
    day = dates.dayofyear.to_numpy()
    summer = np.exp(facts[:, 3:4] * np.sin(2 * np.pi * (day - 110) / 365.25))
    trend = np.exp(rng.normal(0.0, 0.1, (num, 1)) * np.arange(total) / 365.25)
    region = series["region"].map({"north": 0, "centre": 1, "south": 2}).to_numpy()
    warm = (temperature[region] - 11) / 10
    weather = np.exp(np.where(facts[:, 3:4] > 0.2, 0.15, 0.0) * warm)
    rival = competitor[series["category"].map({c: i for i, c in enumerate(_CATEGORIES)})]
    mean = level[:, None] * _WEEK[dates.weekday] * summer * trend * response * weather
    mean = mean * rival**1.5 * _event_effect(dates)
    launched = np.arange(total) >= series["launch_day"].to_numpy()[:, None]
    since = np.maximum(np.arange(total) - series["launch_day"].to_numpy()[:, None], 0)
    ramp = np.where(series["launch_day"].to_numpy()[:, None] > 0, 1 - np.exp(-since / 30), 1.0)
    result: FloatArray = np.where(launched, mean * ramp, 0.0)
    return result


def _event_effect(dates: pd.DatetimeIndex) -> FloatArray:
    effect = np.ones(len(dates))
    for month, day in _EVENTS.values():
        for offset, factor in ((-2, 1.2), (-1, 1.5), (0, 0.3)):
            that_day = dates + pd.Timedelta(days=-offset)
            effect[(that_day.month == month) & (that_day.day == day)] *= factor
    return effect


def _visits(series: pd.DataFrame, mean: FloatArray, rng: np.random.Generator) -> FloatArray:
    stores = sorted(series["location"].unique())
    total = np.stack([mean[series["location"] == s].sum(axis=0) for s in stores])
    return np.round(total * 0.6 * rng.lognormal(0, 0.05, total.shape))


def _sell(
    series: pd.DataFrame,
    demand: IntArray,
    mean: FloatArray,
    rng: np.random.Generator,
) -> tuple[Any, Any, Any, Any]:
    """Return sales, on_hand, on_order and arrivals after the end, from a reorder rule.

    The rule orders weekly up to a multiple of a trailing mean, deliveries are sometimes late:
    the shelf is empty on several days in a hundred.
    """
    num, days = demand.shape
    lead = series["lead_time"].to_numpy()
    cover = rng.uniform(1.2, 1.8, num)
    due = np.zeros((num, days + 40), np.int64)
    stock = np.ceil(mean[:, 0] * 14).astype(np.int64)
    sales, on_hand, on_order = (np.zeros((num, days), np.int64) for _ in range(3))
    under_way = np.zeros(num, np.int64)
    level = mean[:, :28].mean(axis=1)
    rows = np.arange(num)
    for t in range(days):
        stock = stock + due[:, t]
        under_way = under_way - due[:, t]
        sold = np.minimum(stock, demand[:, t])
        stock = stock - sold
        level = 0.95 * level + 0.05 * sold
        if t % 7 == 6:
            target = np.ceil(level * (lead + 7) * cover)
            order = np.maximum(target - stock - under_way, 0).astype(np.int64)
            launching = (mean[:, t] > 0) & (level < 0.01)
            order = np.where(launching, np.ceil(mean[:, t + 7] * 10).astype(np.int64), order)
            late = rng.choice([0, 1, 3], num, p=[0.8, 0.15, 0.05])
            due[rows, t + lead + 1 + late] += order
            under_way = under_way + order
        sales[:, t], on_hand[:, t], on_order[:, t] = sold, stock, under_way
    return sales, on_hand, on_order, due[:, days:]


def _long(retailer: Retailer, name: str, values: npt.NDArray[Any]) -> pd.DataFrame:
    days = values.shape[1]
    return pd.DataFrame(
        {
            "unique_id": np.repeat(retailer.series["unique_id"].to_numpy(), days),
            "date": np.tile(retailer.dates[:days].to_numpy(), len(values)),
            name: values.ravel(),
        }
    )


def _sales_lines(retailer: Retailer, rng: np.random.Generator) -> pd.DataFrame:
    """Return invoice lines: what was sold, a few returns, and the faults of a real extract."""
    row, day = np.nonzero(retailer.sales)
    lines = pd.DataFrame(
        {
            "date": retailer.dates[day].strftime("%Y-%m-%d"),
            "store": retailer.series["location"].to_numpy()[row],
            "sku": retailer.series["product"].to_numpy()[row],
            "quantity": retailer.sales[row, day].astype(object),
            "unit_price": retailer.price[row, day],
        }
    )
    returned = lines.sample(frac=0.002, random_state=int(rng.integers(2**31))).copy()
    returned["quantity"] = -1
    lines["quantity"] = lines["quantity"].astype(object)
    faulty = rng.choice(len(lines), max(2, len(lines) // 2000), replace=False)
    half = len(faulty) // 2
    lines.loc[faulty[:half], "date"] = "31.02.2024"
    lines.loc[faulty[half:], "quantity"] = "n/a"
    return pd.concat([lines, returned]).sort_values(["date", "store", "sku"], ignore_index=True)


def _price_changes(retailer: Retailer) -> pd.DataFrame:
    """Return a row whenever a series' price changes, planned changes included."""
    price = retailer.price
    changed = np.concatenate(
        [np.ones((len(price), 1), bool), price[:, 1:] != price[:, :-1]], axis=1
    )
    row, day = np.nonzero(changed)
    return pd.DataFrame(
        {
            "unique_id": retailer.series["unique_id"].to_numpy()[row],
            "valid_from": retailer.dates[day],
            "price": price[row, day],
        }
    )


def _promotion_days(retailer: Retailer) -> pd.DataFrame:
    row, day = np.nonzero(retailer.promotion)
    return pd.DataFrame(
        {
            "unique_id": retailer.series["unique_id"].to_numpy()[row],
            "date": retailer.dates[day],
            "discount": retailer.discount[row, day],
        }
    )


def _customers(retailer: Retailer, rng: np.random.Generator) -> pd.DataFrame:
    """Return daily aggregates by store: no row is about a person."""
    stores = sorted(retailer.series["location"].unique())
    visits = retailer.visits[:, : retailer.num_days]
    shares = rng.dirichlet([6, 3, 1], len(stores))
    frame = pd.DataFrame(
        {
            "store": np.repeat(stores, retailer.num_days),
            "date": np.tile(retailer.dates[: retailer.num_days], len(stores)),
            "visits": visits.ravel().astype(int),
        }
    )
    for number, segment in enumerate(("families", "commuters", "wholesale")):
        frame[f"share_{segment}"] = np.repeat(shares[:, number], retailer.num_days).round(3)
    frame["lifetime_value"] = np.repeat(
        rng.uniform(300, 900, len(stores)), retailer.num_days
    ).round()
    return frame


def _market(retailer: Retailer) -> pd.DataFrame:
    names = list(_CATEGORIES)
    days = retailer.num_days
    return pd.DataFrame(
        {
            "category": np.repeat(names, days),
            "date": np.tile(retailer.dates[:days], len(names)),
            "competitor_price": retailer.competitor[:, :days].ravel().round(4),
        }
    )


def _external(retailer: Retailer) -> pd.DataFrame:
    """Return weather up to the last day, and holidays, which are known ahead."""
    events = np.full(len(retailer.dates), "", object)
    for name, (month, day) in _EVENTS.items():
        events[(retailer.dates.month == month) & (retailer.dates.day == day)] = name
    parts = []
    for number, region in enumerate(("north", "centre", "south")):
        part = pd.DataFrame({"region": region, "date": retailer.dates, "event": events})
        part["temperature"] = retailer.temperature[number].round(1)
        part.loc[retailer.num_days :, "temperature"] = np.nan
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


def _open_orders(retailer: Retailer) -> pd.DataFrame:
    row, day = np.nonzero(retailer.arrivals)
    return pd.DataFrame(
        {
            "unique_id": retailer.series["unique_id"].to_numpy()[row],
            "due": retailer.dates[retailer.num_days - 1] + pd.to_timedelta(day + 1, unit="D"),
            "quantity": retailer.arrivals[row, day],
        }
    )
